"""The gated part: public links by video id, apart from the release, closed to others, the same bytes each time."""

from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from releases.privacy.links import LinksPart, build_links_part, withdraw_links
from schema.errors import InvalidReleaseError

LINKS = {
    "v2": "https://video.example/watch?v=abc",
    "v1": "http://other.example/a.mp4",
    "v9": "https://video.example/watch?v=of-a-video-that-is-not-released",
    "v4": "",
}
VIDEOS = ["v1", "v2", "v3", "v4"]


def build(folder: Path, links: dict[str, str] = LINKS) -> LinksPart:
    return build_links_part(links, videos=VIDEOS, folder=folder, release_name="demo", version="0.1.0")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_part_joins_released_videos_to_their_links_and_counts_those_without(tmp_path: Path) -> None:
    part = build(tmp_path)
    assert part == LinksPart(folder=tmp_path / "demo-0.1.0-links", linked=2, without_link=2)
    assert pq.read_table(part.folder / "links.parquet").to_pylist() == [
        {"video_id": "v1", "url": "http://other.example/a.mp4"},
        {"video_id": "v2", "url": "https://video.example/watch?v=abc"},
    ]
    readme = (part.folder / "README.md").read_text()
    assert "identifies people" in readme
    assert "2 of 4 videos" in readme
    assert "demo-0.1.0" in (part.folder / "AGREEMENT.md").read_text()
    hashed = {name: sha256(data).hexdigest() for name, data in contents(part.folder).items() if name != "SHA256SUMS"}
    listed = (part.folder / "SHA256SUMS").read_text().splitlines()
    assert listed == [f"{digest}  {name}" for name, digest in sorted(hashed.items())]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    folder = build(tmp_path).folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_same_links_give_the_same_bytes_and_leftovers_go(tmp_path: Path) -> None:
    first = contents(build(tmp_path).folder)
    (tmp_path / ".building-demo-0.1.0-links.1.killed").mkdir()
    again = build(tmp_path, dict(reversed(LINKS.items()))).folder
    assert contents(again) == first
    assert contents(build(tmp_path / "elsewhere").folder) == first
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_part_of_other_content_is_never_overwritten(tmp_path: Path) -> None:
    folder = build(tmp_path).folder
    before = contents(folder)
    with pytest.raises(InvalidReleaseError, match=r"raise release\.version"):
        build(tmp_path, LINKS | {"v3": "https://video.example/new"})
    assert contents(folder) == before
    (folder / "README.md").write_text("altered")
    with pytest.raises(InvalidReleaseError, match="differs"):
        build(tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        "/films/final.mp4",
        "file:///films/final.mp4",
        "javascript:alert(1)",
        "https://",
        "https://a.example/x y",
        "ftp://a/b",
    ],
)
def test_what_is_no_public_link_is_refused_and_not_told(value: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidReleaseError, match="video v1") as caught:
        build(tmp_path, {"v1": value})
    assert value not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_password_in_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidReleaseError, match="password") as caught:
        build(tmp_path, {"v1": "https://me:secret@a.example/x"})
    assert "secret" not in str(caught.value)


def test_a_withdrawn_video_leaves_every_links_part(tmp_path: Path) -> None:
    links = {"v1": "https://example.org/1", "v2": "https://example.org/2"}
    for version in ("0.1.0", "0.2.0"):
        build_links_part(links, videos=["v1", "v2", "v3"], folder=tmp_path, release_name="gestures", version=version)
    assert withdraw_links(tmp_path, {"v1"}) == ["gestures-0.1.0-links", "gestures-0.2.0-links"]
    part = tmp_path / "gestures-0.1.0-links"
    assert pq.read_table(part / "links.parquet")["video_id"].to_pylist() == ["v2"]
    assert "1 of 3 videos have one" in (part / "README.md").read_text()
    assert not any(b"example.org/1" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    sums = dict(reversed(line.split("  ")) for line in (part / "SHA256SUMS").read_text().splitlines())
    assert all(sha256((part / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    assert {path.stat().st_mode & 0o777 for path in part.iterdir()} == {0o600}
    (part / "SHA256SUMS").write_text("killed half-way\n")
    assert withdraw_links(tmp_path, {"v1"}) == []
    assert "links.parquet" in (part / "SHA256SUMS").read_text()
