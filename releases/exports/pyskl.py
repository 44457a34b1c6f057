"""MMAction2's and pyskl's pickle: one dictionary of the splits and of a skeleton sequence for each segment.

The format: https://github.com/kennymckormick/pyskl/blob/main/tools/data/README.md and MMAction2's ``PoseDataset``.
"""

import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from releases.exports.base import Exported, ExportOptions, ReleaseSource, Row, counted, video_rate
from releases.exports.targets import check_free, new_file
from schema.errors import UsageError
from schema.files import written_beside
from schema.layouts import LAYOUTS, WHOLEBODY133, Layout, to_xyc

PROTOCOL = 3
"""The newest protocol without frames and without a memo of its own for each object: pieces of it can be joined."""
_ANNOTATIONS_AT_ONCE = 1000
_NUMPY_2, _NUMPY_1 = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"


def export_pyskl(source: ReleaseSource, target: Path, options: ExportOptions) -> Exported:
    """Write ``target``, and the class names in the order of their labels beside it (``<name>.labels.txt``).

    A sequence is a segment: ``frame_dir`` is its id, ``keypoint`` float32 ``(1, frames, points, 2)`` in pixels and
    ``keypoint_score`` float32 ``(1, frames, points)``. A point that is not seen is (0, 0) with score 0, which is how
    these loaders know it. ``label`` counts the taxonomy's classes from 0. ``img_shape`` and ``original_shape`` are
    (height, width), and absent where the release has no picture size. Float32, because float16, which the published
    pickles have, is coarser than a pixel from 1024 px on. ``fps``, frames per second, is a field that these loaders
    don't know and pass over. Segments without a class have no label and are left out.

    The file is written piece by piece; who loads it needs room for all of it.

    Raises ``UsageError`` for an unknown layout.
    """
    layout = _layout(options.layout)
    labels = {gesture.class_id: number for number, gesture in enumerate(source.taxonomy)}
    names = target.with_suffix(".labels.txt")
    text = "".join(f"{gesture.name}\n" for gesture in source.taxonomy)
    if not (names.is_file() and names.read_text(encoding="utf-8") == text):
        check_free(names)
    counts: Counter[str] = Counter()
    ids = {
        split: [s["segment_id"] for s in source.segments(split) if s["class_id"] in labels] for split in source.splits
    }
    with new_file(target) as beside, beside.open("wb") as file:
        split_names = {split: f"xsub_{split}" if options.xsub else split for split in source.splits}
        _write_pickle(
            file,
            {split_names[split]: found for split, found in ids.items()},
            _annotations(source, layout, labels, counts),
        )
        with written_beside(names) as names_beside:
            names_beside.write_text(text, encoding="utf-8")
    unsized = counts.pop("no picture size", 0)
    notes = (f"{unsized} segments have no img_shape: the release has no picture size",) if unsized else ()
    return Exported(segments=sum(map(len, ids.values())), files=2, left_out=counted(counts), notes=notes)


def _layout(name: str) -> Layout:
    if name and name not in LAYOUTS:
        raise UsageError(f"no layout {name!r}; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name] if name else WHOLEBODY133


def _annotations(
    source: ReleaseSource, layout: Layout, labels: dict[str, int], counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    for split in source.splits:
        videos = source.videos(split)
        for segment in source.segments(split):
            if segment["class_id"] not in labels:
                counts["unclassified"] += 1
                continue
            video = videos[segment["video_id"]]
            counts["no picture size"] += video["width"] is None
            yield _annotation(source, segment, video, layout, labels[segment["class_id"]])


def _annotation(source: ReleaseSource, segment: Row, video: Row, layout: Layout, label: int) -> dict[str, Any]:
    values = to_xyc(*source.canonical(source.keypoints(segment)), layout)[None]
    annotation = {
        "frame_dir": segment["segment_id"],
        "label": label,
        "total_frames": values.shape[1],
        "fps": float(video_rate(video)),
        "keypoint": np.ascontiguousarray(values[..., :2], dtype=np.float32),
        "keypoint_score": np.ascontiguousarray(values[..., 2], dtype=np.float32),
    }
    if video["width"] is not None:
        annotation |= dict.fromkeys(("img_shape", "original_shape"), (video["height"], video["width"]))
    return annotation


def _write_pickle(file: IO[bytes], splits: dict[str, list[str]], annotations: Iterator[dict[str, Any]]) -> None:
    """Write ``{"split": splits, "annotations": [...]}`` with one annotation in memory at a time.

    Each annotation is pickled alone and joined by the operations that a pickle of the whole would have: its memo begins
    anew, which protocol 3 allows because an object is stored before it is fetched.
    """
    file.write(pickle.PROTO + bytes((PROTOCOL,)) + pickle.EMPTY_DICT + pickle.MARK)
    file.write(_piece("split") + _piece(splits) + _piece("annotations") + pickle.EMPTY_LIST)
    waiting = 0
    for annotation in annotations:
        if not waiting:
            file.write(pickle.MARK)
        file.write(_piece(annotation))
        waiting += 1
        if waiting == _ANNOTATIONS_AT_ONCE:
            file.write(pickle.APPENDS)
            waiting = 0
    file.write((pickle.APPENDS if waiting else b"") + pickle.SETITEMS + pickle.STOP)


def _piece(value: object) -> bytes:
    """Pickle one object without the first and the last operation.

    numpy 2 calls its module ``numpy._core``, which numpy 1, with which many of these loaders run, does not have; the
    old name is read by both.
    """
    pickled = pickle.dumps(value, protocol=PROTOCOL)
    return pickled[2:-1].replace(_NUMPY_2, _NUMPY_1, 1)
