"""What a pickle may name: numpy's arrays of numbers, made from their state without calling what the pickle names."""

import re
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from releases.imports.base import bad_file
from schema.errors import ItemError

MOST_DIMENSIONS = 8
_NUMBER_TYPE = re.compile(r"([<>|=]?)([biuf])([1248])|(\?)")
NAMES: dict[tuple[str, str], str] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): "array" for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): "scalar" for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "from buffer" for core in ("core", "_core")},
    ("numpy", "ndarray"): "array type",
    ("numpy", "dtype"): "number type",
    ("_codecs", "encode"): "encode",
    **{(module, kind): "set" for module in ("builtins", "__builtin__") for kind in ("set", "frozenset")},
    **{(module, "bytes"): "no bytes" for module in ("builtins", "__builtin__")},
}
"""Every name that a pickle may hold, and what it stands for here: a key of ``STEPS``, or the class of all arrays."""


class Name:
    """Something that a pickle names."""

    __slots__ = ("step",)

    def __init__(self, step: str) -> None:
        """Keep what it stands for."""
        self.step = step


class LongText:
    """A text, UTF-8, that stays in the file."""

    __slots__ = ("view",)

    def __init__(self, view: memoryview) -> None:
        """Keep the place in the file."""
        self.view = view

    def as_latin_1(self) -> bytes:
        """Return the bytes that it stands for."""
        return bytes(self.view).decode("utf-8").encode("latin-1")


class NumberType:
    """numpy's description of a number: kind and bytes, and the byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: str, order: str) -> None:
        """Keep both; numpy tells the order later, in the type's state."""
        self.code = code
        self.order = order

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type for numpy."""
        return np.dtype(self.order + self.code)


class PickledArray:
    """An array of numbers in a pickle; its numbers stay in the file until they are asked for."""

    __slots__ = ("_data", "_fortran", "_type", "shape")

    def __init__(self) -> None:
        """Make an array that was named and not filled yet."""
        self.shape: tuple[int, ...] = ()
        self._type: NumberType | None = None
        self._data: bytes | memoryview | LongText = b""
        self._fortran = False

    def fill(self, shape: object, number_type: object, data: object, *, fortran: bool) -> None:
        """Take the array's state; raises ``ItemError`` where the numbers and the shape don't fit."""
        if not isinstance(number_type, NumberType):
            raise refused("an array of something else than numbers")
        if not (isinstance(shape, tuple) and len(shape) <= MOST_DIMENSIONS and all(_is_count(n) for n in shape)):
            raise refused("an array of no shape")
        data = bytes(data) if isinstance(data, bytearray) else data
        if not isinstance(data, bytes | memoryview | LongText):
            raise refused("an array whose numbers are no bytes")
        if not isinstance(data, LongText) and _product(shape) * number_type.dtype.itemsize != len(data):
            raise refused(f"an array of shape {shape} with {len(data)} bytes")
        self.shape, self._type, self._data, self._fortran = shape, number_type, data, fortran

    def values(self) -> npt.NDArray[Any]:
        """Return the numbers, read-only and, where the file holds them as they are, without a copy.

        Raises ``ItemError`` where there are more or fewer than the shape says.
        """
        if self._type is None:
            raise refused("an array that was never filled")
        try:
            raw = self._data.as_latin_1() if isinstance(self._data, LongText) else self._data
            flat = np.frombuffer(raw, self._type.dtype) if len(raw) else np.empty(0, self._type.dtype)
            return flat.reshape(self.shape, order="F" if self._fortran else "C")
        except (UnicodeError, ValueError) as error:
            raise refused(f"an array of shape {self.shape} that holds something else") from error


def refused(what: str) -> ItemError:
    """Make the error of a pickle that is not read."""
    return bad_file(f"the pickle holds {what}: only arrays of numbers and plain containers are read, nothing is run")


def plain(value: object, kind: type[Any]) -> Any:  # noqa: ANN401  what it is, is checked here
    """Return a value that is just of a kind; raises ``TypeError`` for any other."""
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} is needed")
    return value


def key_of(value: object) -> Hashable:
    """Return a key of a dictionary or set: no tuple, whose hash can be made to take for ever."""
    if not isinstance(value, str | int | float | bytes | None):
        raise refused("a dictionary or set with strange keys")
    return value


def fill(target: object, state: object) -> None:
    """Do what numpy's ``__setstate__`` of an array or a number type would."""
    if isinstance(target, PickledArray) and isinstance(state, tuple) and len(state) in (4, 5):
        shape, number_type, fortran, data = state[-4:]
        target.fill(shape, number_type, data, fortran=bool(fortran))
    elif isinstance(target, NumberType) and isinstance(state, tuple) and len(state) >= 2:
        order = _text(state[1])
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise refused("an array of something else than numbers")
        target.order = order
    else:
        raise refused("an object of a class")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _text(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _begin_array(*arguments: object) -> PickledArray:
    if not (arguments and isinstance(arguments[0], Name) and arguments[0].step == "array type"):
        raise refused("an array of another class than numpy's own")
    return PickledArray()


def _number_type(code: object, *_: object) -> NumberType:
    told = _text(code)
    match = _NUMBER_TYPE.fullmatch(told) if isinstance(told, str) else None
    if match is None:
        raise refused("an array of something else than numbers")
    kind = "b1" if match[4] else match[2] + match[3]
    try:
        np.dtype(kind)
    except TypeError:
        raise refused("an array of unknown numbers") from None
    return NumberType(kind, match[1] or "=")


def _scalar(number_type: object, data: object = None) -> object:
    array = PickledArray()
    array.fill((), number_type, data, fortran=False)
    return array.values().item()


def _from_buffer(data: object, number_type: object, shape: object, order: object) -> PickledArray:
    array = PickledArray()
    array.fill(shape, number_type, data, fortran=order == "F")
    return array


def _encode(text: object, coding: object) -> object:
    """Give the bytes that older protocols write as Latin-1 text."""
    if coding not in ("latin1", "latin-1"):
        raise refused("a text in another coding than Latin-1")
    return text if isinstance(text, LongText) else plain(text, str).encode("latin-1")


def _set(values: object = ()) -> set[Hashable]:
    return set(map(key_of, plain(values, list))) if values else set()


STEPS: dict[str, Callable[..., object]] = {
    "array": _begin_array,
    "scalar": _scalar,
    "from buffer": _from_buffer,
    "number type": _number_type,
    "encode": _encode,
    "set": _set,
    "no bytes": lambda: b"",  # how protocols 0 to 2 write an empty byte string
}
"""What is done where a pickle calls one of ``NAMES``."""
