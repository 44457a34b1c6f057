"""Pickles of arrays and plain containers, read without executing anything.

Python's own unpickler calls what a pickle names. This one goes through the operations (``pickletools.genops``, which
reads and runs nothing) and builds the containers itself. What a pickle names is compared with the few names that numpy
writes for arrays of numbers, and stands for a step of this reader, never for an object of Python's: nothing is
imported, looked up or called. Any other name ends it, as does an operation that such a pickle does not need.

Nothing is allocated by a length that the file claims: what is read is cut from the file, whose pages the system maps
in and out. Long byte strings stay views of the file until ``PickledArray.values`` is asked, so that a pickle of any
size can be gone through in little memory.
"""

import mmap
import pickletools
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from releases.imports.base import bad_file
from releases.imports.pickled_arrays import NAMES, STEPS, LongText, Name, fill, key_of, plain, refused
from schema.errors import DropReason, ItemError

LONG_BYTES = 1024
"""Byte strings and texts longer than this stay views of the file."""
LONGEST_LINE = 1 << 28
"""Bytes of a line of the oldest protocol, which writes arrays as text too."""
MOST_OPERATIONS = 50_000_000
"""A pickle with more of them holds no arrays but single numbers, and would take gigabytes as Python objects."""


@contextmanager
def opened_pickle(path: Path) -> Iterator[Any]:
    """Give what a pickle holds: containers, numbers, texts, and a ``PickledArray`` for each array.

    Arrays are views of the file, which stays mapped as long as one of them lives.

    Raises ``ItemError`` (``BAD_IMPORT``, ``EMPTY``) for a file that is no such pickle, and ``OSError`` where it can't
    be read.
    """
    if path.stat().st_size == 0:
        raise ItemError(DropReason.EMPTY, "the file is empty; copy it again")
    with path.open("rb") as file:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pickletools decodes what a bad pickle calls a name
            document = _Reader(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).read()
        yield document


class _Bytes:
    """A file as ``genops`` reads it; long pieces are views, and a claimed length is no allocation."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._view = memoryview(mapped)
        self._place = 0

    def read(self, length: int) -> bytes | memoryview:
        piece = self._view[self._place : self._place + length]
        self._place += len(piece)
        return piece if length > LONG_BYTES else bytes(piece)

    def readline(self) -> bytes:
        start = self._place
        self._place = self._mapped.find(b"\n", start, start + LONGEST_LINE) + 1 or start
        return bytes(self._view[start : self._place])

    def tell(self) -> int:
        return self._place


class _Mark:
    """Where a container's values begin on the stack."""


_MARK = _Mark()
_TEXT_LENGTH_BYTES = {"SHORT_BINUNICODE": 1, "BINUNICODE": 4, "BINUNICODE8": 8}
_VALUES = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE"),
)
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}


class _Reader:
    """A stack, a memo, and a method for each kind of operation; each takes its argument and its place in the file."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._does: dict[str, Callable[[Any, str, int], object]] = {
            **dict.fromkeys(_VALUES, lambda argument, *_: self._stack.append(argument)),
            **dict.fromkeys(_CONSTANTS, lambda _, name, __: self._stack.append(_CONSTANTS[name]())),
            **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
            **dict.fromkeys(_TEXT_LENGTH_BYTES, self._text),
            **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), self._old_string),
            **dict.fromkeys(("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"), self._remember),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda key, *_: self._stack.append(self._memo[key])),
            **dict.fromkeys(("APPEND", "APPENDS"), self._append),
            **dict.fromkeys(("SETITEM", "SETITEMS"), self._set_items),
            "ADDITEMS": self._add_items,
            **dict.fromkeys(("TUPLE", "LIST", "DICT", "FROZENSET"), self._gather),
            **dict.fromkeys(("TUPLE1", "TUPLE2", "TUPLE3"), self._small_tuple),
            **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), self._name),
            "REDUCE": self._call,
            "BUILD": self._build,
            "POP": lambda *_: self._stack.pop(),
            "POP_MARK": lambda *_: self._since_mark(),
            "DUP": lambda *_: self._stack.append(self._stack[-1]),
        }

    def read(self) -> Any:  # noqa: ANN401  a pickle holds anything
        done = 0
        try:
            for operation, argument, place in pickletools.genops(cast(IO[bytes], _Bytes(self._mapped))):
                name = operation.name
                if name == "STOP":
                    return self._result()
                if name not in self._does:
                    raise refused(f"the operation {name}")
                self._does[name](argument, name, place or 0)
                done += 1
                if done > MOST_OPERATIONS:
                    raise bad_file(f"more than {MOST_OPERATIONS} single objects: no pickle of arrays")
        except ItemError:
            raise
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, AttributeError) as error:
            detail = f"no whole pickle of plain data ({type(error).__name__} after {done} operations); copy it again"
            raise bad_file(detail) from error
        raise bad_file("the pickle breaks off; copy it again")

    def _result(self) -> object:
        if len(self._stack) != 1:
            raise bad_file("no whole pickle: something is left over; copy it again")
        return self._stack[0]

    def _text(self, argument: str, name: str, place: int) -> None:
        if len(argument) <= LONG_BYTES // 4:  # characters of up to four bytes
            self._stack.append(argument)
            return
        start = place + 1 + _TEXT_LENGTH_BYTES[name]
        length = int.from_bytes(self._mapped[place + 1 : start], "little")
        self._stack.append(LongText(memoryview(self._mapped)[start : start + length]))

    def _old_string(self, argument: str, *_: object) -> None:
        self._stack.append(argument.encode("latin-1"))

    def _remember(self, argument: int | None, *_: object) -> None:
        self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]

    def _append(self, _: object, name: str, __: int) -> None:
        values = self._since_mark() if name == "APPENDS" else [self._stack.pop()]
        plain(self._stack[-1], list).extend(values)

    def _set_items(self, _: object, name: str, __: int) -> None:
        values = self._since_mark() if name == "SETITEMS" else [self._stack.pop(-2), self._stack.pop()]
        plain(self._stack[-1], dict).update(_pairs(values))

    def _add_items(self, *_: object) -> None:
        values = self._since_mark()
        plain(self._stack[-1], set).update(map(key_of, values))

    def _gather(self, _: object, name: str, __: int) -> None:
        values = self._since_mark()
        kinds: dict[str, Callable[[], object]] = {
            "TUPLE": lambda: tuple(values),
            "LIST": lambda: values,
            "DICT": lambda: dict(_pairs(values)),
            "FROZENSET": lambda: set(map(key_of, values)),
        }
        self._stack.append(kinds[name]())

    def _small_tuple(self, _: object, name: str, __: int) -> None:
        count = int(name[-1])
        if len(self._stack) < count:
            raise IndexError(count)
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def _name(self, argument: str | None, *_: object) -> None:
        module, name = argument.split(" ", 1) if argument is not None else self._stack[-2:]
        if argument is None:
            del self._stack[-2:]
        if not (isinstance(module, str) and isinstance(name, str)) or (module, name) not in NAMES:
            told = re.sub(r"[^\w.]", "?", f"{module}.{name}"[:60])
            raise bad_file(f"the pickle names {told}: only arrays and plain containers are read, and nothing is run")
        self._stack.append(Name(NAMES[module, name]))

    def _call(self, *_: object) -> None:
        arguments, called = plain(self._stack.pop(), tuple), self._stack.pop()
        step = STEPS.get(called.step) if isinstance(called, Name) else None
        if step is None:
            raise refused("a call")
        self._stack.append(step(*arguments))

    def _build(self, *_: object) -> None:
        state = self._stack.pop()
        fill(self._stack[-1], state)

    def _since_mark(self) -> list[Any]:
        """Take what lies on the stack above the last mark, and the mark."""
        place = len(self._stack) - 1
        while place >= 0 and self._stack[place] is not _MARK:
            place -= 1
        if place < 0:
            raise IndexError(place)
        values = self._stack[place + 1 :]
        del self._stack[place:]
        return values


def _pairs(values: list[Any]) -> list[tuple[Any, Any]]:
    return [(key_of(key), value) for key, value in zip(values[::2], values[1::2], strict=True)]
