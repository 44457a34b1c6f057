"""One video's part of a release: its segments and windows, described and linked to the keypoints that are published."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from releases.config import ReleaseConfig
from releases.descriptions.fields import TrackMeasures
from releases.descriptions.sentences import template_description
from releases.inputs import Rewritten
from releases.privacy.faces import neutral_faces
from releases.tables.linking import (
    LinkedVideo,
    OrderedKeypoints,
    frames_and_rows,
    link_segments,
    nominal_interval_ns,
    places_of,
)
from releases.tables.selection import Row, Selection
from releases.tables.unlabelled import Window, draw, windows_of
from schema.layouts import LAYOUTS, points_held
from schema.records import KeypointSequence
from schema.rows import keypoints_from_rows
from schema.taxonomy import Taxonomy

BY_PERSON, BY_TEMPLATE, BY_MODEL = "person", "template", "model"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoContents:
    """What a release holds of one video."""

    segments: list[Row]
    """Rows of ``releases.tables.columns.SEGMENTS``."""
    windows: list[Row]
    """Rows of ``UNLABELLED``."""
    estimated: pa.Table
    """Rows of ``schema.arrow.KEYPOINTS`` of the published tracks, as they were estimated."""
    published: pa.Table
    """The same with the profile applied to the positions; columns are chosen when they are written."""
    without_keypoints: int
    shortened: int
    refused: int
    """Rewritten descriptions that said more than the fields."""
    unanswered: int
    """Descriptions that nobody rewrote, though the study asks for it."""


@dataclass(slots=True, kw_only=True, eq=False)
class VideoReader:
    """Makes the contents of one video after another."""

    selection: Selection
    config: ReleaseConfig
    taxonomy: Taxonomy
    quota_of: Mapping[str, int]
    """Windows of each video at most."""
    person_descriptions: Mapping[str, str] = field(default_factory=dict)
    rewrite: Callable[[Mapping[str, Any]], Rewritten] | None = None

    def contents(self, video: Row, keypoints: pa.Table, *, first_row: int) -> VideoContents:
        """Put together what the release holds of a video.

        Args:
            video: Its row of *videos*, with ``split``.
            keypoints: Rows of ``schema.arrow.KEYPOINTS`` of it, in any order.
            first_row: Row of the release's table at which its keypoints begin.
        """
        ordered = OrderedKeypoints.of(keypoints, video_id=video["video_id"])
        rows = self.selection.segments.get(video["video_id"], [])
        linked = link_segments(rows, ordered, nominal_ns=nominal_interval_ns(video))
        sequences = self._sequences(video, ordered, linked)
        drawn = self._drawn(video, sequences, linked)
        kept = {row["track_number"] for row, _ in linked.found} | {window.track_number for window in drawn}
        begins = places_of(ordered, kept, first_row=first_row)
        measures = {row["track_number"]: TrackMeasures.of(sequences[row["track_number"]]) for row, _ in linked.found}
        others = [row for row, _ in linked.found]
        described = [
            self._described(row, _within(ordered, row, rows), measures[row["track_number"]], others)
            for row, rows in linked.found
        ]
        estimated = ordered.table.filter(pc.is_in(ordered.table["track_number"], pa.array(sorted(kept), pa.int32())))
        return VideoContents(
            segments=[
                row | frames_and_rows(ordered, rows, begins_at=begins[row["track_number"]])
                for (row, _), (_, rows) in zip(described, linked.found, strict=True)
            ],
            windows=[self._window_row(video, window, ordered, begins) for window in drawn],
            estimated=estimated,
            published=neutral_faces(estimated) if self.config.profile == "identity-free" else estimated,
            without_keypoints=linked.without_keypoints,
            shortened=linked.shortened,
            refused=sum(said is not None and said.refused for _, said in described),
            unanswered=sum(said is not None and not said.text and not said.refused for _, said in described),
        )

    def _sequences(self, video: Row, ordered: OrderedKeypoints, linked: LinkedVideo) -> dict[int, KeypointSequence]:
        """Read the tracks that have segments or may have windows."""
        wanted = {row["track_number"] for row, _ in linked.found}
        if self.quota_of.get(video["video_id"]):
            wanted |= {track for track in ordered.tracks if self.selection.subject_on(video["video_id"], track)}
        pieces = {track: ordered.table.slice(s.start, s.stop - s.start) for track, s in ordered.tracks.items()}
        return {track: keypoints_from_rows(pieces[track])[0] for track in sorted(wanted & pieces.keys())}

    def _drawn(self, video: Row, sequences: dict[int, KeypointSequence], linked: LinkedVideo) -> list[Window]:
        quota = self.quota_of.get(video["video_id"], 0)
        if not quota:
            return []
        held = points_held(LAYOUTS[video["layout"]])
        found: list[Window] = []
        for track, sequence in sequences.items():
            of_track = [row for row, _ in linked.found if row["track_number"] == track]
            if any(row["start_ns"] is None for row in of_track):
                continue  # the label may stand for any of its frames
            labelled = [(row["start_ns"], row["end_ns"]) for row in of_track]
            found += windows_of(sequence, labelled_ns=labelled, config=self.config.unlabelled, held=held)
        return draw(found, quota=quota)

    def _described(
        self, row: Row, rows: slice, measures: TrackMeasures, others: list[Row]
    ) -> tuple[Row, Rewritten | None]:
        gesture = None if row["class_id"] is None else self.taxonomy.by_id(row["class_id"])
        fields = measures.fields(
            rows,
            gesture=gesture,
            evidence=row["evidence"],
            start_ns=row["start_ns"],
            end_ns=row["end_ns"],
            co_occurring=_co_occurring(row, others),
        )
        template = template_description(gesture, fields, variety_key=row["segment_id"])
        told = with_class(row, self.taxonomy) | asdict(fields) | {"template_description": template}
        written = self.person_descriptions.get(row["segment_id"], "")
        if written:
            return told | {"description": written, "description_by": BY_PERSON}, None
        said = self.rewrite(told) if self.rewrite else None
        if said is not None and said.text:
            return told | {"description": said.text, "description_by": BY_MODEL}, said
        return told | {"description": template, "description_by": BY_TEMPLATE}, said

    def _window_row(self, video: Row, window: Window, ordered: OrderedKeypoints, begins: dict[int, int]) -> Row:
        start = ordered.tracks[window.track_number].start
        rows = slice(window.rows.start + start, window.rows.stop + start)
        return {
            "window_id": window.window_id,
            "video_id": video["video_id"],
            "subject_id": self.selection.subject_on(video["video_id"], window.track_number),
            "track_number": window.track_number,
            "start_ns": window.start_ns,
            "end_ns": window.end_ns,
            "quality": window.quality,
            "movement": window.movement,
            "split": video["split"],
        } | frames_and_rows(ordered, rows, begins_at=begins[window.track_number])


def _within(ordered: OrderedKeypoints, row: Row, rows: slice) -> slice:
    """Count a segment's rows from the beginning of its track."""
    start = ordered.tracks[row["track_number"]].start
    return slice(rows.start - start, rows.stop - start)


def with_class(row: Row, taxonomy: Taxonomy) -> Row:
    """Add number, name and group of the class; all null for an unclassified movement."""
    if row["class_id"] is None:
        return row | {"class_number": None, "class_name": None, "group": None}
    gesture = taxonomy.by_id(row["class_id"])
    return row | {"class_number": gesture.number, "class_name": gesture.name, "group": gesture.group}


def _co_occurring(row: Row, others: list[Row]) -> list[str]:
    """Return the classes of the other segments of the track that overlap this one, by name."""
    if row["start_ns"] is None:
        return []
    return sorted(
        {
            other["class_id"]
            for other in others
            if other["segment_id"] != row["segment_id"]
            and other["track_number"] == row["track_number"]
            and other["class_id"] not in (None, row["class_id"])
            and other["start_ns"] is not None
            and other["start_ns"] < row["end_ns"]
            and row["start_ns"] < other["end_ns"]
        }
    )
