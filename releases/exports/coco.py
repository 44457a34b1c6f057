"""COCO-WholeBody's JSON: people in single frames, as xtcocotools and mmpose read it.

The format: https://github.com/jin-s13/COCO-WholeBody/blob/master/data_format.md.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from releases.exports.base import Exported, ExportOptions, ReleaseSource, Row, counted
from releases.exports.targets import new_file
from schema.errors import UsageError
from schema.records import PART_SLICES, Part
from schema.skeleton import BODY_LIMBS, BODY_NAMES

FRAMES_A_SEGMENT = 5
"""Frames that are taken of a segment, evenly, where ``every`` says nothing: neighbours differ little."""
VISIBLE = 2
_FIELDS = {
    Part.BODY: "keypoints",
    Part.FEET: "foot_kpts",
    Part.FACE: "face_kpts",
    Part.LEFT_HAND: "lefthand_kpts",
    Part.RIGHT_HAND: "righthand_kpts",
}
_NAMES = {Part.FEET: "foot", Part.FACE: "face", Part.LEFT_HAND: "lefthand", Part.RIGHT_HAND: "righthand"}
_BOXED = (Part.FACE, Part.LEFT_HAND, Part.RIGHT_HAND)
_WITHOUT_FACE = "the release is identity-free: face_valid is false, and all face points have v = 0"
_DESCRIPTION = (
    "Keypoints that a model estimated in frames of the release's segments; no pictures. v is 2 where a point was seen."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """A row of *keypoints* that is taken, and the segments that it lies in."""

    row: int
    segments: list[str]


class _Writer:
    """Writes images and annotations one by one; the annotations wait in a file of their own."""

    def __init__(self, source: ReleaseSource, images: IO[bytes], annotations: IO[bytes]) -> None:
        self.image_count = self.annotation_count = self.empty_count = 0
        self._source, self._images, self._annotations = source, images, annotations
        self._has_face = _has_face(source)

    def write_video(self, video: Row, split: str, people: list[_Person]) -> None:
        image_of: dict[int, int] = {}
        for person in people:
            keypoints = self._source.keypoint_rows(split, person.row, 1)
            xy, scores = self._source.canonical(keypoints)
            if not self._has_face:
                scores[:, PART_SLICES[Part.FACE]] = 0
            if not scores.any():
                self.empty_count += 1
                continue
            frame = int(keypoints.frame_indices[0])
            if frame not in image_of:
                self.image_count += 1
                image_of[frame] = self.image_count
                image = {"id": self.image_count, **_image(video, frame, split), "time_ns": int(keypoints.times_ns[0])}
                _append(self._images, image, first=self.image_count == 1)
            self.annotation_count += 1
            annotation = {"id": self.annotation_count, "image_id": image_of[frame], **_annotation(xy[0], scores[0])}
            annotation["segment_ids"] = person.segments
            _append(self._annotations, annotation, first=self.annotation_count == 1)


def export_coco(source: ReleaseSource, target: Path, options: ExportOptions) -> Exported:
    """Write ``target``: an image for each frame that is taken, an annotation for each person in it.

    Of a segment ``FRAMES_A_SEGMENT`` frames are taken, or every ``options.every``-th one. ``file_name`` is
    ``<video id>/<frame>.jpg``: no such file comes with a release. Boxes are those of the points. Scores have no place
    in this format. The points of the face are written where all 68 are in the release (profile ``research``); a few
    neutralised ones are no face. Videos without a known picture size are left out, and frames without a seen point.

    Raises ``UsageError`` where ``every`` is negative.
    """
    if options.every < 0:
        raise UsageError(f"--every {options.every}: every how many frames one is taken must be 1 or more")
    counts: Counter[str] = Counter()
    segments = 0
    with new_file(target) as beside, beside.with_suffix(".annotations").open("w+b") as annotations:
        Path(annotations.name).unlink()  # a file without a name: it goes when it is closed, or when this is killed
        with beside.open("wb") as file:
            writer = _Writer(source, file, annotations)
            file.write(_head(source) + b'"images": [')
            for split in source.splits:
                videos = source.videos(split)
                for video_id, found in source.segments_by_video(split).items():
                    video = videos[video_id]
                    if video["width"] is None:
                        counts["no picture size"] += len(found)
                        continue
                    writer.write_video(video, split, _people(found, options.every))
                    segments += len(found)
            file.write(b'\n],\n"annotations": [')
            annotations.seek(0)
            shutil.copyfileobj(annotations, file)
            file.write(b"\n]\n}\n")
    counts["frames without a point"] = writer.empty_count
    note = f"{writer.annotation_count} people in {writer.image_count} frames"
    notes = (note,) if _has_face(source) else (note, _WITHOUT_FACE)
    return Exported(segments=segments, files=1, left_out=counted(counts), notes=notes)


def _head(source: ReleaseSource) -> bytes:
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(BODY_NAMES),
        "skeleton": [[a + 1, b + 1] for a, b in BODY_LIMBS],
    }
    info = {"description": _DESCRIPTION, "version": source.name}
    licences = [{"id": 1, "name": source.licence}]
    parts = {"info": info, "licenses": licences, "categories": [category]}
    return ("{\n" + "".join(f'"{name}": {json.dumps(part)},\n' for name, part in parts.items())).encode()


def _has_face(source: ReleaseSource) -> bool:
    points = set(source.release.point_numbers.tolist())
    return points.issuperset(range(*PART_SLICES[Part.FACE].indices(133)))


def _people(segments: list[Row], every: int) -> list[_Person]:
    rows: dict[int, list[str]] = {}
    for segment in segments:
        for row in _taken(segment["keypoints_first_row"], segment["keypoints_row_count"], every):
            rows.setdefault(row, []).append(segment["segment_id"])
    return [_Person(row=row, segments=sorted(rows[row])) for row in sorted(rows)]


def _taken(first: int, count: int, every: int) -> Iterator[int]:
    if every:
        yield from range(first, first + count, every)
    else:
        taken = min(FRAMES_A_SEGMENT, count)
        yield from (first + (2 * k + 1) * count // (2 * taken) for k in range(taken))


def _append(file: IO[bytes], document: dict[str, Any], *, first: bool) -> None:
    file.write(b"\n" if first else b",\n")
    file.write(json.dumps(document).encode())


def _image(video: Row, frame: int, split: str) -> dict[str, Any]:
    return {
        "file_name": f"{video['video_id']}/{frame:06d}.jpg",
        "width": video["width"],
        "height": video["height"],
        "license": 1,
        "video_id": video["video_id"],
        "frame_index": frame,
        "split": split,
    }


def _annotation(xy: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> dict[str, Any]:
    seen = scores > 0
    box = _box(xy, seen)
    document: dict[str, Any] = {
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": box[2] * box[3],
        "num_keypoints": int(seen[PART_SLICES[Part.BODY]].sum()),
    }
    for part, name in _FIELDS.items():
        points = PART_SLICES[part]
        visible = np.where(seen[points], VISIBLE, 0)
        values = np.where(seen[points, None], xy[points], 0)
        document[name] = [n for (x, y), v in zip(values.tolist(), visible.tolist(), strict=True) for n in (x, y, v)]
        if part in _NAMES:
            document[f"{_NAMES[part]}_valid"] = bool(seen[points].any())
        if part in _BOXED:
            document[f"{_NAMES[part]}_box"] = _box(xy[points], seen[points])
    return document


def _box(xy: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_]) -> list[float]:
    """Return x, y, width and height of the seen points, all 0 where there is none."""
    if not seen.any():
        return [0.0, 0.0, 0.0, 0.0]
    low, high = xy[seen].min(axis=0), xy[seen].max(axis=0)
    return [float(v) for v in (*low, *(high - low))]
