import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.errors import DamagedTableError
from schema.privacy import load_pseudonym_key, make_annotator_id, make_source_id, make_subject_id, make_video_id
from tests.factories import KEY

texts = st.text(max_size=40)
keys = st.binary(min_size=32, max_size=32)


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    key = load_pseudonym_key(folder, create=True)
    assert load_pseudonym_key(folder, create=True) == load_pseudonym_key(folder) == key
    assert stat.S_IMODE((folder / "pseudonym.key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["pseudonym.key"]


def test_two_studies_get_two_keys(tmp_path: Path) -> None:
    assert load_pseudonym_key(tmp_path / "a", create=True) != load_pseudonym_key(tmp_path / "b", create=True)


def test_a_missing_key_is_never_made_again_silently(tmp_path: Path) -> None:
    with pytest.raises(DamagedTableError, match="restore it from a backup"):
        load_pseudonym_key(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "not hexadecimal", "abcd\n"])
def test_a_damaged_key_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "pseudonym.key").write_text(text)
    with pytest.raises(DamagedTableError, match=r"pseudonym\.key"):
        load_pseudonym_key(tmp_path, create=True)
    assert (tmp_path / "pseudonym.key").read_text() == text


@given(texts, texts, texts, texts)
def test_ids_differ_exactly_where_their_parts_do(platform: str, native: str, other_platform: str, other: str) -> None:
    same = make_video_id(KEY, platform, native) == make_video_id(KEY, other_platform, other)
    assert same == ((platform, native) == (other_platform, other))


def test_the_border_between_parts_counts() -> None:
    assert make_video_id(KEY, "ab", "c") != make_video_id(KEY, "a", "bc")


@given(keys, keys, texts)
def test_ids_of_two_studies_can_not_be_joined(key: bytes, other: bytes, text: str) -> None:
    assert (make_subject_id(key, text) == make_subject_id(other, text)) == (key == other)


@given(texts)
def test_the_kinds_of_id_share_nothing(text: str) -> None:
    ids = [
        make_source_id(KEY, text),
        make_video_id(KEY, "file", text),
        make_subject_id(KEY, text),
        make_annotator_id(KEY, text),
    ]
    assert [i[0] for i in ids] == ["l", "v", "s", "r"]
    assert len({i[1:] for i in ids}) == 4
    assert all(len(i) == 21 and int(i[1:], 16) >= 0 for i in ids)


def test_an_eleven_character_platform_id_is_not_in_the_video_id() -> None:
    native_id = "dQw4w9WgXcQ"
    assert native_id.lower() not in make_video_id(KEY, "youtube", native_id)
