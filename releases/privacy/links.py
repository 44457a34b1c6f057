"""The gated part of a release: which video is which public link. It identifies people and is shared under agreement."""

import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from schema.columns import VIDEO_ID, column
from schema.errors import InvalidReleaseError
from schema.files import write_parquet, written_beside

LINKS = pa.schema([VIDEO_ID, column("url", pa.string(), "Public page or file of the video")])
SUFFIX = "-links"
"""What follows a release's name in the name of its part."""
FILES = ("AGREEMENT.md", "README.md", "links.parquet")
"""What the part holds, beside SHA256SUMS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksPart:
    """Where the part was put and what it holds."""

    folder: Path
    linked: int
    """Videos with a public link."""
    without_link: int
    """Videos of the release without one: local files, imported recordings."""


def build_links_part(
    links: Mapping[str, str], *, videos: Collection[str], folder: Path, release_name: str, version: str
) -> LinksPart:
    """Write ``<release_name>-<version>-links`` beside the release, or find that just this one is there already.

    The same links give the same bytes. Only the owner may read the folder (mode 0700, files 0600). It is written
    beside its place and renamed when it is whole; leftovers of killed builds are removed.

    Args:
        links: Public link by video id; an absent or empty one means that there is none.
        videos: Ids of the videos in the release; links of others are not written.
        folder: Where the releases are.
        release_name: Name of the release.
        version: Its version.

    Raises:
        InvalidReleaseError: A link is not http(s), holds a password, or the part is there with other content.
    """
    released = sorted(set(videos))
    rows = [{"video_id": video_id, "url": links[video_id].strip()} for video_id in released if links.get(video_id)]
    for row in rows:
        _check_link(row["url"], row["video_id"])
    target = links_folder(folder / f"{release_name}-{version}")
    with _folder_beside(target) as part:
        write_parquet(pa.Table.from_pylist(rows, schema=LINKS), part / "links.parquet")
        _write_texts(part, release=f"{release_name}-{version}", linked=len(rows), videos=len(released))
        _put_in_place(part, target)
    return LinksPart(folder=target, linked=len(rows), without_link=len(released) - len(rows))


def withdraw_links(releases_folder: Path, video_ids: Collection[str]) -> list[str]:
    """Take withdrawn videos out of every links part below a folder; returns the names of the parts that held one.

    Safe to repeat after a kill: a part whose files do not fit each other is brought up to date as well.
    """
    changed = []
    for part in sorted(releases_folder.glob(f"*{SUFFIX}")):
        if not (part / "links.parquet").is_file():
            continue
        rows = pq.read_table(part / "links.parquet").to_pylist()
        kept = [row for row in rows if row["video_id"] not in video_ids]
        if len(kept) < len(rows):
            write_parquet(pa.Table.from_pylist(kept, schema=LINKS), part / "links.parquet")
            changed.append(part.name)
        _write_texts(part, release=part.name.removesuffix(SUFFIX), linked=len(kept), videos=_videos_told(part))
    return changed


def _videos_told(part: Path) -> int:
    """Read from a part's README how many videos its release has."""
    told = re.search(r"(\d+) of (\d+) videos have one", (part / "README.md").read_text(encoding="utf-8"))
    return int(told[2]) if told else 0


def _write_texts(part: Path, *, release: str, linked: int, videos: int) -> None:
    for name, template in (("README.md", _README), ("AGREEMENT.md", _AGREEMENT)):
        _replace(part / name, template.format(release=release, linked=linked, videos=videos))
    _replace(part / "SHA256SUMS", _checksums(part))
    for path in part.iterdir():
        path.chmod(0o600)


def _replace(path: Path, text: str) -> None:
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


def links_folder(release: Path) -> Path:
    """Return where the part of a release lies: beside it."""
    return release.with_name(f"{release.name}{SUFFIX}")


def is_links_part(folder: Path) -> bool:
    """Tell whether a folder is such a part, by what it holds."""
    return all((folder / name).is_file() for name in FILES) and not (folder / "manifest.json").exists()


def _check_link(url: str, video_id: str) -> None:
    try:
        parts = urlsplit(url)
        public = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        public = False
    if not public or any(character.isspace() for character in url):
        raise InvalidReleaseError(f"gated links: what is kept for video {video_id} is no http or https link")
    if "@" in parts.netloc:
        raise InvalidReleaseError(f"gated links: the link of video {video_id} holds a user name or password; remove it")


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    prefix = f".building-{target.name}."
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(leftover)
    folder = target.with_name(f"{prefix}{os.getpid()}.{secrets.token_hex(4)}")
    try:
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(part: Path, target: Path) -> None:
    if not target.exists():
        part.rename(target)
        return
    if any(_bytes_of(target / name) != (part / name).read_bytes() for name in (*FILES, "SHA256SUMS")):
        raise InvalidReleaseError(f"{target} is there already and differs: move it away, or raise release.version")
    target.chmod(0o700)


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _checksums(folder: Path) -> str:
    return "".join(f"{sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES)


_README = """\
# Links of {release}

**This folder identifies people.** It is no part of the public release and must never be put beside it on a public
server: whoever has it can open the videos and see who is in them.

`links.parquet` joins the pseudonymous `video_id` of the release {release} to the public link of the video:
{linked} of {videos} videos have one. The others come from local files or from imported data sets; no link of theirs
is known.

| column | meaning |
|---|---|
| video_id | the video's id in every table of the release |
| url | where the video was public when it was collected; it may be gone by now |

- Share it with one recipient at a time, after both sides have signed an agreement; AGREEMENT.md is a template for one.
- Send it encrypted, keep a list of who has it, and ask for its deletion when the agreement ends.
- A video that was withdrawn from the study is in no later version of this folder; tell every recipient to delete the
  earlier ones.
- `sha256sum -c SHA256SUMS` tells whether the files are whole.
"""

_AGREEMENT = """\
# Agreement on the use of the links of {release}

A template: have it checked by whoever is responsible for data protection in your institution before you use it.

**Provider** (name, institution, contact): ______________________________

**Recipient** (name, institution, contact): ______________________________

**Purpose** (research question, people who will work with the links): ______________________________

The provider gives the recipient the file `links.parquet`, which joins the video ids of the data set {release} to
public links. The links identify people; they are personal data. The recipient agrees:

1. To use the links for the purpose above alone, and not for any commercial purpose.
2. Not to identify, profile, contact or judge any person shown, nor to join the links or the data set with other data
   in order to do so; in particular not to draw conclusions about a named person's feelings, health or honesty.
3. To pass neither the links nor videos fetched by them on to anybody who is not named above.
4. To keep them encrypted, readable only by the people named above, and to tell the provider of any loss within 72
   hours.
5. To observe the law and the terms of the sites where the videos are public. The agreement gives no right to the
   videos themselves.
6. To delete, within 14 days of the provider's notice, the links of videos that were withdrawn, and everything that
   was fetched by them.
7. To publish no picture, sound, name or link of a person shown; results are reported for groups.
8. To delete links and videos when the purpose is reached, at the latest on ______________, and to confirm it in
   writing.

The provider may end the agreement at any time when it is not kept; point 8 then holds at once.

Place, date, signatures: ______________________________
"""
