"""WebDataset: tar files of a split, each segment a few members that share a key."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from releases.exports.base import Exported, ExportOptions, ReleaseSource, Row
from releases.exports.targets import new_folder
from schema.skeleton import KEYPOINT_NAMES

SEGMENTS_A_SHARD = 1000
"""About 100 MB at 2.5 s a segment, 25 frames/s and 133 points."""
_PLACES = ("keypoints_first_row", "keypoints_row_count")


def export_webdataset(source: ReleaseSource, target: Path, options: ExportOptions) -> Exported:
    """Write the folder ``target``: ``<split>-00000.tar`` and on, and ``points.json``.

    A sample's key is the segment's id. ``npy`` are its keypoints as the release's reader gives them, float32
    ``(frames, points, 3)``: x and y in pixels (NaN where not seen) and the score; ``parts_seen.npy`` is bool
    ``(frames, parts)``; ``json`` is the row of *segments*, with ``times_ns`` and ``frame_indices`` of the frames.
    ``points.json`` names the points and the parts. Nothing is left out.
    """
    written = files = 0
    with new_folder(target) as folder:
        for split in source.splits:
            segments = source.segments(split)
            for number, first in enumerate(range(0, len(segments), SEGMENTS_A_SHARD)):
                _write_shard(source, segments[first : first + SEGMENTS_A_SHARD], folder / f"{split}-{number:05d}.tar")
                files += 1
            written += len(segments)
        _write_points(source, folder / "points.json")
    return Exported(segments=written, files=files + 1)


def _write_points(source: ReleaseSource, path: Path) -> None:
    numbers = [int(k) for k in source.release.point_numbers]
    names = [KEYPOINT_NAMES[k] for k in numbers]
    document = {"release": source.name, "points": numbers, "names": names, "parts": list(source.release.part_names)}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _write_shard(source: ReleaseSource, segments: list[Row], path: Path) -> None:
    # USTAR with nothing of this machine in the headers: the same segments give the same bytes
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as shard:
        for segment in segments:
            keypoints = source.keypoints(segment)
            row = {name: value for name, value in segment.items() if name not in _PLACES}
            row |= {"times_ns": keypoints.times_ns.tolist(), "frame_indices": keypoints.frame_indices.tolist()}
            key = segment["segment_id"]
            _add(shard, f"{key}.json", json.dumps(row, ensure_ascii=False).encode())
            _add(shard, f"{key}.npy", _as_npy(keypoints.values))
            _add(shard, f"{key}.parts_seen.npy", _as_npy(keypoints.parts_seen))


def _as_npy(values: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _add(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644
    shard.addfile(entry, io.BytesIO(content))
