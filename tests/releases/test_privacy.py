"""The leak linter: planted names, links, ids, handles and addresses are found wherever they are, and never told."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from releases.privacy.linter import ForbiddenStrings, check_leaks, find_leaks
from schema.errors import InvalidReleaseError

FORBIDDEN = ForbiddenStrings(
    names=frozenset({"Zoë van der Quux", "Pelito", "Ann Long"}),
    titles=frozenset({"Quarter final: what she said"}),
    links=frozenset({"https://www.example.org/watch?v=abc123", "/films/final_2019.mp4"}),
    native_ids=frozenset({"dQw4w9WgXcQ", "77", "a_1"}),
)
VOCABULARY = frozenset({"long"})
SECRETS = ("Quux", "Pelito", "dQw4w9WgXcQ", "abc123", "final_2019", "Quarter")


def leaks(folder: Path) -> set[tuple[str, str]]:
    return {(leak.place, leak.kind) for leak in find_leaks(folder, forbidden=FORBIDDEN, vocabulary=VOCABULARY)}


def write(folder: Path, value: str, *, metadata: dict[str, str] | None = None) -> None:
    table = pa.table({"description": ["The person folds the arms.", value]}).replace_schema_metadata(metadata)
    pq.write_table(table, folder / "segments.parquet", compression="zstd")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Zoë van der Quux touches the neck.", "name"),
        ("zoe_van_der_quux", "name"),
        ("QUUX, Zoe van der", "name"),
        ("A word from ZoeVanDerQuux2.", "name"),
        ("the quarter-final (what she said)", "name"),
        ("It is Quux who touches the neck.", "part of a name"),
        ("As PELITO said", "part of a name"),
        ("see example.org/watch?v=abc123", "link"),
        ("from /films/FINAL_2019.mp4", "link"),
        ("https://other.example/page", "link"),
        ("xdQw4w9WgXcQx", "native id"),
        ("film 77", "native id"),
        ("film a_1", "native id"),
        ("ask someone@example.net", "e-mail address"),
        ("as @somebody says", "handle"),
    ],
)
def test_planted_leaks_are_found_in_a_column(value: str, kind: str, tmp_path: Path) -> None:
    write(tmp_path, value)
    assert ("column description", kind) in leaks(tmp_path)
    with pytest.raises(InvalidReleaseError, match=r"segments\.parquet") as caught:
        check_leaks(tmp_path, forbidden=FORBIDDEN, vocabulary=VOCABULARY)
    assert not any(secret.casefold() in str(caught.value).casefold() for secret in SECRETS)


@pytest.mark.parametrize(
    "value",
    [
        "The right hand touches the neck for 1.77 s.",
        "Long strokes of the hand along the arm.",
        "The final word: she said it for a quarter of an hour.",
        "v0123456789abcdef0177",
        "a_12",
    ],
)
def test_ordinary_text_is_no_leak(value: str, tmp_path: Path) -> None:
    write(tmp_path, value)
    assert leaks(tmp_path) == set()


def test_file_names_metadata_and_documents_are_read_too(tmp_path: Path) -> None:
    write(tmp_path, "fine", metadata={"source": "dQw4w9WgXcQ"})
    assert ("schema", "native id") in leaks(tmp_path)
    write(tmp_path, "fine")
    (tmp_path / "README.md").write_text("by zoë van der quux, https://example.com, https://doi.org/10.1/x")
    assert leaks(tmp_path) == {("text", "name"), ("text", "link")}
    (tmp_path / "README.md").unlink()
    (tmp_path / "van-der-quux-zoe.txt").write_text("")
    assert ("file name", "name") in leaks(tmp_path)
    with pytest.raises(InvalidReleaseError) as caught:
        check_leaks(tmp_path, forbidden=FORBIDDEN)
    assert "quux" not in str(caught.value).casefold()


def test_nothing_private_is_shown_when_the_strings_are_printed() -> None:
    assert not any(secret in repr(FORBIDDEN) for secret in SECRETS)
