"""Thousands of forbidden strings looked for at once in megabytes of text."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_LONGEST_KEY = 8
_BLOCK_BYTES = 1 << 20
_HASH_BITS = 16
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the golden ratio in 64 bits."""


class Needles:
    """Tells which of many strings occur in a text, in time that hardly grows with their number.

    The first bytes of every string (up to eight) are keys. The keys at all places of a text are compared at once: a
    table of hash bits rules out nearly all places, and only where a key is met are its strings compared.
    """

    def __init__(self, strings: Iterable[str]) -> None:
        """Take the strings; empty ones are passed over."""
        self._of_key: dict[int, dict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
        for string in sorted({s for s in strings if s}):
            encoded = string.encode()
            length = min(len(encoded), _LONGEST_KEY)
            self._of_key[length][int.from_bytes(encoded[:length], "little")].append(encoded)
        self._keys = {length: np.array(sorted(of), np.uint64) for length, of in self._of_key.items()}
        self._tables = {length: _table_of(keys) for length, keys in self._keys.items()}
        self._overlap = max((len(s) for of in self._of_key.values() for some in of.values() for s in some), default=0)

    def found_in(self, text: str) -> set[str]:
        """Return the strings that occur in a text."""
        encoded = text.encode()
        found: set[bytes] = set()
        if self._keys:
            for first in range(0, len(encoded), _BLOCK_BYTES):
                found |= self._found_in_block(encoded[first : first + _BLOCK_BYTES + self._overlap])
        return {one.decode() for one in found}

    def _found_in_block(self, block: bytes) -> set[bytes]:
        padded = np.frombuffer(block + bytes(_LONGEST_KEY), np.uint8).astype(np.uint64)
        found: set[bytes] = set()
        windows = np.zeros(len(block), np.uint64)
        for length in range(1, _LONGEST_KEY + 1):
            windows |= padded[length - 1 : length - 1 + len(block)] << np.uint64(8 * (length - 1))
            if length in self._keys:
                places = np.flatnonzero(self._tables[length][_hashed(windows)])
                places = places[np.isin(windows[places], self._keys[length])]
                for place in places.tolist():
                    some = self._of_key[length][int(windows[place])]
                    found.update(string for string in some if block.startswith(string, place))
        return found


def _hashed(keys: Words) -> Words:
    return np.asarray((keys * _MIX) >> np.uint64(64 - _HASH_BITS))


def _table_of(keys: Words) -> npt.NDArray[np.bool_]:
    table = np.zeros(1 << _HASH_BITS, np.bool_)
    table[_hashed(keys)] = True
    return table
