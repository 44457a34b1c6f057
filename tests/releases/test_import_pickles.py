"""Pickles are read, not run: what numpy writes comes out, and what would do anything is refused by name."""

import os
import pickle
import pickletools
import re
import struct
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releases.imports.pickle_reader import opened_pickle
from releases.imports.pickled_arrays import PickledArray
from schema.errors import DropReason, ItemError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
DOCUMENT = {
    "split": {"xsub_train": ["a", "b"], "xsub_val": [], "of a set": {"c"}},
    "annotations": [
        {
            "frame_dir": "a",
            "label": np.int64(4),
            "rate": np.float32(0.5),
            "img_shape": (720, 1280),
            "total_frames": 50,
            "nothing": None,
            "yes": True,
            "large": -(2**80),
            "keypoint": np.random.default_rng(0).normal(size=(1, 50, 17, 2)).astype(np.float16),
            "keypoint_score": np.random.default_rng(1).random((1, 50, 17)),
            "none": np.zeros((0, 3), np.float32),
            "columns_first": np.asfortranarray(np.arange(600.0, dtype=np.float32).reshape(20, 30)),
            "other_order": np.arange(4000, dtype=">i4"),
            "yes_and_no": np.array([True, False]),
        }
    ],
}


def numbers(value: object) -> object:
    """Turn the arrays of what was read into numpy's."""
    if isinstance(value, PickledArray):
        return value.values()
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    return [numbers(item) for item in value] if isinstance(value, list) else value


def read(path: Path, content: bytes) -> object:
    path.write_bytes(content)
    with opened_pickle(path) as document:
        return numbers(document)


def refusal(path: Path, content: bytes) -> str:
    with pytest.raises(ItemError) as caught:
        read(path, content)
    assert caught.value.reason is DropReason.BAD_IMPORT
    assert "\n" not in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_numpy_pickles_comes_out_as_it_went_in(tmp_path: Path, protocol: int):
    found = read(tmp_path / "a.pkl", pickle.dumps(DOCUMENT, protocol=protocol))
    assert found["split"] == DOCUMENT["split"]
    for name, value in DOCUMENT["annotations"][0].items():
        got = found["annotations"][0][name]
        if isinstance(value, np.ndarray):
            assert got.dtype == value.dtype, name
            np.testing.assert_array_equal(got, value, err_msg=name)
        else:
            assert got == value, name
            assert isinstance(got, int | float | str | tuple | None), name


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_arrays_of_numpy_1_and_2_are_read(tmp_path: Path, module: str):
    content = pickle.dumps([np.arange(3.0)], protocol=3).replace(b"numpy._core", b"numpy.core")
    content = content.replace(b"numpy.core", module.encode())
    assert read(tmp_path / "a.pkl", content)[0].tolist() == [0, 1, 2]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
        max_leaves=12,
    ),
    protocol=st.sampled_from(PROTOCOLS),
)
def test_plain_containers_come_out_as_they_went_in(tmp_path: Path, value: object, protocol: int):
    if isinstance(value, str) and len(value) > 250:
        value = value[:250]
    assert read(tmp_path / "a.pkl", pickle.dumps(value, protocol=protocol)) == value


class Runs:
    """Pickled, it asks for a call."""

    def __init__(self, called: object, *arguments: object) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.called, self.arguments


class Nested:
    """A call whose argument is another one, and a state on top."""

    def __reduce__(self) -> tuple[object, ...]:
        return list, ([Runs(os.system, "exit 1")],), {"state": 1}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Runs(os.system, "touch ran"), r"(posix|nt|os)\.system"),
        (Runs(eval, "open('ran', 'w')"), r"builtin\w*\.eval"),
        (Runs(getattr, os.system, "__call__"), r"builtin\w*\.getattr"),
        (Nested(), r"builtin\w*\.list|system"),
        (Runs(np.load, "x.npy"), r"numpy\S*\.load"),
        (Runs(np.lib.npyio.DataSource, "x"), "DataSource"),
        (Path("x"), r"pathlib\S*Path"),
        ({"keypoint": np.ma.masked_array([1.0])}, r"numpy\.ma"),
        (np.array([object()]), "something else than numbers"),
        (np.array([Runs(os.system, "touch ran")], dtype=object), "system|something else than numbers"),
        (np.array(["words"]), "something else than numbers"),
        (np.zeros(2, [("x", "f4")]), "something else than numbers"),
        (np.array(["2020-01-01"], "M8[D]"), "something else than numbers"),
    ],
)
def test_anything_but_arrays_and_containers_is_refused_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, value: object, named: str
):
    monkeypatch.chdir(tmp_path)
    detail = refusal(tmp_path / "a.pkl", pickle.dumps(value, protocol=protocol))
    assert re.search(named, detail), detail
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pkl"], "a call of the pickle made a file"


HAND_MADE = {
    "a call of a class that is allowed": b"cnumpy\nndarray\n(I5\ntR.",
    "a call of a text": b"\x8c\x02os)R.",
    "a state for a text": b"\x8c\x02os}b.",
    "a state for a list": b"]}b.",
    "an instance of the old form": b"(S'x'\nios\nsystem\n.",
    "an object of the old form": b"(cos\nsystem\nS'x'\no.",
    "a new object": b"cnumpy\nndarray\n)\x81.",
    "an extension": b"\x82\x01.",
    "a persistent id": b"Pname\n.",
    "a buffer from outside": b"\x97.",
    "a name within a name": b"\x8c\x05numpy\x8c\x0bndarray.fly\x93.",
    "a name of numbers": b"K\x01K\x02\x93.",
    "an array of another class": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(K\x00tC\x01btR.",
    "nothing on the stack": b"R.",
    "a stack that is left": b"K\x01K\x02.",
    "no mark": b"K\x01t.",
    "a memo that nobody wrote": b"h\x05.",
    "a key that is a list": b"}](K\x01K\x02es.",
    "half a pair": b"}(K\x01u.",
    "a value for a tuple": b")K\x01a.",
    "not a pickle": b"GIF89a",
    "no stop": b"]",
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_operations_that_arrays_do_not_need_are_refused(tmp_path: Path, name: str):
    refusal(tmp_path / "a.pkl", HAND_MADE[name])


def test_a_call_made_of_allowed_names_alone_is_refused(tmp_path: Path):
    for first, second in (("numpy ndarray", "numpy dtype"), ("_codecs encode", "numpy ndarray")):
        module, name = first.split()
        content = f"c{module}\n{name}\n(c{second.replace(' ', chr(10))}\n".encode() + b"K\x01tR."
        refusal(tmp_path / "a.pkl", content)


def test_every_cut_of_a_pickle_is_refused_and_none_crashes(tmp_path: Path):
    whole = pickle.dumps(DOCUMENT, protocol=4)
    for length in [*range(1, 400), *range(400, len(whole), 997)]:
        refusal(tmp_path / "a.pkl", whole[:length])
    with pytest.raises(ItemError) as caught:
        read(tmp_path / "a.pkl", b"")
    assert caught.value.reason is DropReason.EMPTY


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), value=st.integers(0, 255), protocol=st.sampled_from((2, 4)))
def test_a_changed_byte_is_read_or_refused_and_never_crashes(tmp_path: Path, place: int, value: int, protocol: int):
    content = bytearray(pickle.dumps(DOCUMENT, protocol=protocol))
    content[place % len(content)] = value
    with suppress(ItemError):
        read(tmp_path / "a.pkl", bytes(content))


CLAIMS = {
    "bytes": b"\x8e" + struct.pack("<Q", 2**46) + b"x",
    "a text": b"\x8d" + struct.pack("<Q", 2**46) + b"x",
    "a changeable string": b"\x96" + struct.pack("<Q", 2**46) + b"x",
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    "a number": b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x",
    "a place in the memo": b"Nr" + struct.pack("<I", 2**32 - 1) + b"0h\x00.",
    "digits": b"I" + b"9" * 1_000_000 + b"\n.",
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claimed_length_is_no_allocation(tmp_path: Path, name: str):
    path = tmp_path / "a.pkl"
    path.write_bytes(CLAIMS[name])
    tracemalloc.start()
    with suppress(ItemError), opened_pickle(path) as document:
        assert document is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("shape", [(2**40,), (2**40, 0, 5), (10**9, 10**9), (-1,), (3, 3)])
def test_a_claimed_shape_is_no_allocation(tmp_path: Path, shape: tuple[int, ...]):
    array = np.arange(4.0)
    content = pickle.dumps(array, protocol=4)
    operations = [(operation.name, argument) for operation, argument, _ in pickletools.genops(content)]
    assert ("BININT1", 4) in operations
    lied = content.replace(b"K\x04\x85", b"(" + b"".join(pickle.dumps(n, 2)[2:-1] for n in shape) + b"t")
    if 0 in shape:  # an array without numbers may have any shape: it takes no room
        lied = lied.replace(b"C " + array.tobytes(), b"C\x00")
        assert read(tmp_path / "a.pkl", lied.replace(content[2:11], b"", 1)).size == 0
        return
    refusal(tmp_path / "a.pkl", lied)


def test_nested_containers_end_without_filling_the_stack(tmp_path: Path):
    depth = 50_000
    refusal(tmp_path / "a.pkl", b"(" * depth)
    path = tmp_path / "b.pkl"
    path.write_bytes(b"]" + b"]" * depth + b"a" * depth + b".")
    assert depth > sys.getrecursionlimit()
    with opened_pickle(path) as document:
        assert len(document) == 1


def test_a_key_whose_hash_would_never_end_is_refused(tmp_path: Path):
    twice = b"K\x01" + b"2\x86" * 200  # a pair of a pair of a pair ...
    refusal(tmp_path / "a.pkl", b"}" + twice + b"K\x01s.")
    refusal(tmp_path / "a.pkl", b"\x8f(" + twice + b"\x90.")


def test_a_large_pickle_is_gone_through_without_holding_its_arrays(tmp_path: Path):
    path = tmp_path / "a.pkl"
    arrays = [{"keypoint": np.full((1, 1000, 28, 2), n, np.float32)} for n in range(100)]
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps(arrays, protocol=protocol))
        assert path.stat().st_size > 20_000_000
        tracemalloc.start()
        with opened_pickle(path) as document:
            total = sum(float(one["keypoint"].values()[0, 0, 0, 0]) for one in document)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == sum(range(100))
        assert peak < 4_000_000, f"protocol {protocol}"
