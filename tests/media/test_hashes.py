"""The digest that is taken while a file is written is the file's, or none."""

from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest

from media.hashes import LONGEST_QUEUE, DigestBehind, sha256_of

BLOCKS = [bytes([number]) * 70_000 for number in range(5 * LONGEST_QUEUE)]


def write(path: Path, blocks: list[bytes], digest: DigestBehind, *, mode: str = "wb") -> None:
    with path.open(mode) as file:
        digest.begin(path, byte_count=path.stat().st_size)
        for block in blocks:
            file.write(block)
            digest.add(block)


def test_the_digest_is_the_files(tmp_path: Path) -> None:
    with DigestBehind() as digest:
        write(tmp_path / "a", BLOCKS, digest)
        assert digest.of(tmp_path / "a") == sha256(b"".join(BLOCKS)).hexdigest()


def test_a_part_that_is_taken_up_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(3_000_000))
    with DigestBehind() as digest:
        write(tmp_path / "a", BLOCKS, digest, mode="ab")
        assert digest.of(tmp_path / "a") == sha256(bytes(3_000_000) + b"".join(BLOCKS)).hexdigest()


@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_a_file_that_is_opened_again_is_digested_anew(tmp_path: Path, mode: str) -> None:
    with DigestBehind() as digest:
        write(tmp_path / "a", BLOCKS[:7], digest)
        write(tmp_path / "a", BLOCKS[7:], digest, mode=mode)
        assert digest.of(tmp_path / "a") == sha256_of(tmp_path / "a")


def test_a_part_that_gets_its_last_name_before_it_was_read_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    is_free = Event()
    with DigestBehind() as digest:
        digest._thread.submit(is_free.wait, 20)
        write(tmp_path / "a", BLOCKS[:1], digest, mode="ab")
        path = (tmp_path / "a").rename(tmp_path / "b")
        is_free.set()
        assert digest.of(path) == sha256(bytes(1000) + BLOCKS[0]).hexdigest()


def test_nothing_seen_is_no_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with DigestBehind() as digest:
        assert digest.of(tmp_path / "a") is None


def test_bytes_that_were_not_seen_leave_no_digest(tmp_path: Path) -> None:
    with DigestBehind() as digest:
        write(tmp_path / "a", BLOCKS, digest)
        with (tmp_path / "a").open("ab") as file:
            file.write(b"more")
        assert digest.of(tmp_path / "a") is None


def test_a_part_that_shrank_under_the_download_leaves_no_digest(tmp_path: Path) -> None:
    """The file has its old length again when the download ends, with other bytes."""
    (tmp_path / "a").write_bytes(bytes(400))
    with DigestBehind() as digest:
        digest.begin(tmp_path / "a", byte_count=1000)
        digest.add(b"more")
        assert digest.of(tmp_path / "a") is None
        (tmp_path / "a").write_bytes(bytes(1004))
        assert digest.of(tmp_path / "a") is None
