"""What the imports share: a recording in neutral terms, what is left out of a data set and why, and the options."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from releases.imports.subjects import DeclaredSubject
from schema.errors import DropReason, ItemError, UsageError
from schema.layouts import Layout, from_xyc
from schema.records import FrameTimes
from schema.taxonomy import Taxonomy
from schema.timespan import ticks_to_ns

Floats = npt.NDArray[np.float32]
MOST_FRAMES = 500_000
"""Frames that one recording may have, 5 hours at 25 frames/s: its 133 points take 0.8 GB while they are read."""
FARTHEST_PX = 100_000.0
"""A position farther out than this is not in any picture: the point counts as not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSegment:
    """One label of a data set, with the edges that it gives."""

    class_id: str
    label: str
    """The label as the data set writes it."""
    start_ns: int | None
    """None, as ``end_ns``: the label is of the whole recording."""
    end_ns: int | None
    track_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackPoints:
    """The keypoints of one person, a row for every frame of the recording."""

    track_number: int
    keypoints_xy: Floats
    """Pixel positions, shape ``(n, 133, 2)``; NaN where a point is not seen or the layout has none."""
    scores: Floats
    """Confidence, shape ``(n, 133)``, 0..1; 0 where a point is not seen."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedRecording:
    """One recording of a data set, in pressroom's terms; what the data set does not tell is None."""

    native_id: str
    native_subject: str | None
    location: str
    """The file that it was read from."""
    content: str
    """Digest of its keypoints' source; empty where there are none."""
    tracks: tuple[TrackPoints, ...]
    frame_count: int
    """0 where labels came without keypoints."""
    rate: Fraction
    """Frames per second."""
    width: int | None
    height: int | None
    layout: str
    """``schema.layouts.LAYOUTS`` name of the points as the data set had them; empty: no keypoints."""
    segments: tuple[ImportedSegment, ...]
    match_outcome: str | None = None
    split: str | None = None
    study_video_id: str | None = None
    """Set where the labels are of a video that the study holds itself: then there are no keypoints here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file, or rows of one, that could not be taken."""

    where: str
    """The file's name, and the line where it has one."""
    reason: DropReason
    detail: str
    """What is wrong, and what to do about it."""
    count: int = 1
    """Recordings or labels that are lost by it."""

    def __str__(self) -> str:
        """Say it in one line."""
        more = f" ({self.count} labels of this file are left out)" if self.count > 1 else ""
        return f"{self.where}: {self.detail}{more}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyVideo:
    """A video that the study holds, as far as labels from elsewhere need it."""

    video_id: str
    frame_times: FrameTimes
    player_at: Callable[[int], int]
    """Gives the track number of the player on screen at an instant in ns; raises ``ItemError`` where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportOptions:
    """What the caller says about a data set."""

    taxonomy: Taxonomy
    """The study's."""
    rate: Fraction | None = None
    """Frames per second; None: what the files tell, or else the format's usual rate."""
    size: tuple[int, int] | None = None
    """Picture width and height; None: what the files tell."""
    layout: str = ""
    """Layout of the points; empty: by their number."""
    class_of_label: Mapping[int, str | None] | None = None
    """Class id of each label number; None as value: the label is left out. None: by the taxonomy's numbers."""
    subjects: Mapping[str, DeclaredSubject] = field(default_factory=dict)
    """Who is in each recording, by its native id."""
    find_video: Callable[[str], StudyVideo] | None = None
    """Finds a video of the study by a file's name; raises ``ItemError`` where there is none, or several."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedImport:
    """A data set whose recordings were listed; their numbers were not read yet."""

    files: tuple[Path, ...]
    """All files that decide what is imported, sorted."""
    recording_count: int | None
    """Recordings that were listed, for the progress bar; None: not known."""
    records: Callable[[], Iterator[ImportedRecording | LeftOut]]
    """Reads the recordings one by one, in the order of their names."""
    notes: tuple[str, ...] = ()
    """What the user should know of the format."""


def bad_file(detail: str) -> ItemError:
    """Make the error of a file that does not hold what its format says."""
    return ItemError(DropReason.BAD_IMPORT, detail)


def require_taxonomy(options: ImportOptions, *names: str, data_set: str) -> None:
    """Raise ``UsageError`` where the study uses other classes than the data set."""
    if options.taxonomy.name not in names:
        raise UsageError(
            f"{data_set} has the classes of {' or '.join(names)}, and the study those of {options.taxonomy.name}: "
            f"import it into a study with study.taxonomy = {names[0]!r}"
        )


def frame_time_ns(frame: int, rate: Fraction) -> int:
    """Return when a frame begins at a constant rate, ns, rounded down."""
    return ticks_to_ns(frame, 1 / rate)


def frame_times_ns(frame_count: int, rate: Fraction) -> npt.NDArray[np.int64]:
    """Return when each frame begins at a constant rate, ns, shape ``(n,)``; the same numbers as ``frame_time_ns``."""
    return np.array([frame_time_ns(frame, rate) for frame in range(frame_count)], np.int64)


def track_of(values: Floats, layout: Layout, *, track_number: int = 0) -> TrackPoints | None:
    """Put rows of x, y and confidence ``(n, k, 3)`` into the 133 points; None where no point is ever seen."""
    with np.errstate(invalid="ignore"):
        outside = np.abs(values[..., :2]).max(axis=-1, initial=0.0) > FARTHEST_PX
    keypoints_xy, scores = from_xyc(np.where(outside[..., None], np.float32(0), values), layout)
    if not scores.any():
        return None
    return TrackPoints(track_number=track_number, keypoints_xy=keypoints_xy, scores=scores)


def check_frame_count(frame_count: int) -> None:
    """Raise ``ItemError`` for a recording that is too long to be held whole."""
    if frame_count > MOST_FRAMES:
        raise bad_file(f"{frame_count} frames, and {MOST_FRAMES} are the most; cut the recording into shorter ones")


def digest_of_files(paths: Sequence[Path]) -> str:
    """Digest the contents of some files, sha256, without holding one whole."""
    digest = sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        digest.update(b"\0")
    return digest.hexdigest()


def split_named(words: Sequence[str]) -> str | None:
    """Return the split that the names of folders, files or lists tell; None where they tell none, or two."""
    found = {split for word in words for split, names in _SPLIT_WORDS.items() if names & set(_tokens(word))}
    return found.pop() if len(found) == 1 else None


def split_of_folders(file: Path, root: Path) -> str | None:
    """Return the split that the folders between ``root`` and a file tell, or else the last word of the root's name.

    Of the root only the last word counts: what is imported from a folder ``test-downloads`` is no test split.
    """
    folders = file.parent.relative_to(root).parts if root.is_dir() else ()
    return split_named(folders) or split_named(_tokens(root.resolve().name)[-1:])


def _tokens(word: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in word.casefold()).split()


_SPLIT_WORDS: dict[str, frozenset[str]] = {
    "train": frozenset({"train", "training"}),
    "val": frozenset({"val", "valid", "validate", "validation", "dev"}),
    "test": frozenset({"test", "testing"}),
}


class Listed(Protocol):
    """One recording of a listing."""

    @property
    def native_id(self) -> str:
        """Its name in the data set."""

    @property
    def file(self) -> Path:
        """The file that messages name."""


Item = TypeVar("Item", bound=Listed)


def read_each(
    items: Sequence[Item], read: Callable[[Item], tuple[ImportedRecording, Sequence[LeftOut]]]
) -> Iterator[ImportedRecording | LeftOut]:
    """Read recordings one by one; one that can't be read, or comes again, is left out and the others go on."""
    seen: dict[str, Path] = {}
    for item in items:
        try:
            if item.native_id in seen:
                first = seen[item.native_id]
                place = f"{first.parent.name}/{first.name}"
                raise ItemError(DropReason.DUPLICATE, f"{item.native_id} was found in {place} before; keep one of them")
            recording, lost = read(item)
        except ItemError as error:
            yield LeftOut(where=item.file.name, reason=error.reason, detail=error.detail)
            continue
        except OSError as error:
            detail = f"can't be read ({error.strerror or type(error).__name__}); copy it again"
            yield LeftOut(where=item.file.name, reason=DropReason.UNREADABLE, detail=detail)
            continue
        seen[item.native_id] = item.file
        yield from lost
        yield recording
