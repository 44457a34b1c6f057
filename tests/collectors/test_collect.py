"""The collect stage: every entry comes out once, whatever becomes of it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.base import AlreadyHeld, CollectConfig, Fetched, Missed, Offer, SourceEntry, collect_sources
from schema.errors import DropReason, ItemError, StoreFullError
from schema.privacy import make_source_id
from tests.collectors.conftest import video_bytes

KEY = bytes(32)
CONFIG = CollectConfig()


def entry_for(location: Path | str) -> SourceEntry:
    return SourceEntry(source_id=make_source_id(KEY, str(location)), location=str(location), person_id="p1")


FILMS = [video_bytes(seed=n, length=8000) for n in range(3)]


@settings(max_examples=25)
@given(contents=st.lists(st.one_of(st.none(), st.just(b""), st.just(b"noise"), st.sampled_from(FILMS)), max_size=6))
def test_every_entry_comes_out_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes | None]
) -> None:
    root: Path = tmp_path_factory.mktemp("collect")
    entries = [entry_for(root / f"{i}.mp4") for i in range(len(contents))]
    for entry, content in zip(entries, contents, strict=True):
        if content is not None:
            Path(entry.location).write_bytes(content)
    held: set[tuple[str, str]] = set()
    rows = []
    for row in collect_sources(
        entries, pseudonym_key=KEY, work_folder=root / "work", already_held=lambda *key: key in held, config=CONFIG
    ):
        rows.append(row)
        if isinstance(row, Fetched):
            held.add((row.platform, row.native_id))
            assert row.path.read_bytes() == Path(row.entry.location).read_bytes()

    ids = [row.dropped.item_id if isinstance(row, Missed) else row.entry.source_id for row in rows]
    assert ids == [entry.source_id for entry in entries]
    fetched = [row for row in rows if isinstance(row, Fetched)]
    assert len({row.video_id for row in fetched}) == len(fetched) == len({c for c in contents if c in FILMS})
    reasons = {None: DropReason.MISSING, b"": DropReason.EMPTY, b"noise": DropReason.UNREADABLE}
    for row, content in zip(rows, contents, strict=True):
        if content in FILMS:
            assert isinstance(row, Fetched | AlreadyHeld)
        else:
            assert isinstance(row, Missed)
            assert row.dropped.reason is reasons[content]


def test_a_copied_file_has_no_name_of_its_own(tmp_path: Path) -> None:
    video = tmp_path / "Steffi_Sampras_dQw4w9WgXcQ.Steffi"
    video.write_bytes(FILMS[0])

    (row,) = collect_sources(
        [entry_for(video)],
        pseudonym_key=KEY,
        work_folder=tmp_path / "work",
        already_held=lambda *_: False,
        config=CONFIG,
    )

    assert isinstance(row, Fetched)
    assert row.path.name == f"{row.entry.source_id}.video"
    assert (row.platform, row.native_id, row.facts.title) == ("file", row.record.sha256, video.name)
    assert video.exists()


def test_an_offer_is_checked_before_it_is_known_to_be_held(tmp_path: Path) -> None:
    """An opt-out counts also for a video that another source brought."""
    video = tmp_path / "a.mp4"
    video.write_bytes(FILMS[0])
    asked: list[str] = []

    def check(entry: SourceEntry, offer: Offer) -> None:
        asked.append("check")
        raise ItemError(DropReason.OPTED_OUT, "a player", retry_after_s=5, starts_ns=6)

    def held(*_: str) -> bool:
        asked.append("held")
        return True

    (row,) = collect_sources(
        [entry_for(video)],
        pseudonym_key=KEY,
        work_folder=tmp_path / "work",
        already_held=held,
        check_offer=check,
        config=CONFIG,
    )

    assert asked == ["check"]
    assert isinstance(row, Missed)
    assert (row.dropped.stage, row.dropped.item_id) == ("collect", entry_for(video).source_id)
    assert (row.dropped.reason, row.dropped.detail) == (DropReason.OPTED_OUT, "a player")
    assert (row.retry_after_s, row.starts_ns, row.byte_count) == (5, 6, 0)


def test_a_check_that_ends_the_run_ends_it(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(FILMS[0])

    def check(entry: SourceEntry, offer: Offer) -> None:
        raise StoreFullError(f"{offer.byte_count} bytes do not fit")

    with pytest.raises(StoreFullError, match="8000 bytes"):
        list(
            collect_sources(
                [entry_for(video)],
                pseudonym_key=KEY,
                work_folder=tmp_path / "work",
                already_held=lambda *_: False,
                check_offer=check,
                config=CONFIG,
            )
        )


def test_what_was_taken_in_before_a_crash_is_not_left_behind_for_ever(tmp_path: Path) -> None:
    """The file of an attempt that was killed between download and store goes with the next attempt."""
    video = tmp_path / "a.mp4"
    video.write_bytes(FILMS[0])
    left = tmp_path / "work" / f"{entry_for(video).source_id}.webm"
    left.parent.mkdir()
    left.write_bytes(b"half")
    (row,) = collect_sources(
        [entry_for(video)],
        pseudonym_key=KEY,
        work_folder=tmp_path / "work",
        already_held=lambda *_: False,
        config=CONFIG,
    )
    assert isinstance(row, Fetched)
    assert list(left.parent.iterdir()) == [row.path]
