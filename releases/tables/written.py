"""What is known of a release while it is written, and the numbers that come of it."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from statistics import fmean, median

import numpy as np
import pyarrow as pa

from releases.facts import AnnotationFacts, DescriptionFacts, ReleaseFacts, SplitFacts, count_classes
from releases.inputs import ReleaseInputs
from releases.privacy.reidentification import FaceProbe
from releases.splits.config import SPLITS
from releases.tables.selection import STUDY_ORIGIN, Row, Selection
from releases.tables.video import BY_MODEL, BY_PERSON, BY_TEMPLATE, VideoContents

LOOKED_AT = 500
"""Frames of a person in a video, evenly spread, that the test of faces looks at: its medians need no more."""


@dataclass(slots=True, kw_only=True)
class Written:
    """What is known once the keypoints are written; by split only where there is something."""

    segments: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    windows: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    videos: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    keypoint_rows: Counter[str] = field(default_factory=Counter)
    rows_of_subject: Counter[str] = field(default_factory=Counter)
    without_keypoints: int = 0
    shortened: int = 0
    refused: int = 0
    unanswered: int = 0
    probe: FaceProbe = field(default_factory=FaceProbe)

    @property
    def splits(self) -> list[str]:
        """Return the splits that hold a video."""
        return [split for split in SPLITS if self.videos[split]]

    @property
    def all_segments(self) -> list[Row]:
        """Return the segments of all splits."""
        return [row for split in SPLITS for row in self.segments[split]]

    @property
    def subjects(self) -> set[str]:
        """Return the known people."""
        rows = (row for table in (self.segments, self.windows) for of_split in table.values() for row in of_split)
        return {row["subject_id"] for row in rows} - {None}

    def add(self, split: str, video: Row, contents: VideoContents) -> None:
        """Take in what one video gave."""
        self.without_keypoints += contents.without_keypoints
        self.shortened += contents.shortened
        self.refused += contents.refused
        self.unanswered += contents.unanswered
        if not contents.segments and not contents.windows:
            return
        self.segments[split] += contents.segments
        self.windows[split] += contents.windows
        self.videos[split].append(video)
        self.keypoint_rows[split] += contents.estimated.num_rows

    def examine(self, video: Row, contents: VideoContents, selection: Selection, *, faces: bool) -> None:
        """Count the rows of each person, and look at their faces where the profile publishes coarse ones."""
        tracks = contents.estimated["track_number"].to_numpy()
        tracks_of: defaultdict[str, list[int]] = defaultdict(list)
        for track in np.unique(tracks).tolist():
            subject = selection.subject_on(video["video_id"], track)
            if subject is not None:
                tracks_of[subject].append(track)
        for subject, numbers in sorted(tracks_of.items()):
            rows = np.flatnonzero(np.isin(tracks, numbers))
            self.rows_of_subject[subject] += rows.size
            if faces:
                some = pa.array(rows[:: -(-rows.size // LOOKED_AT)])
                estimated, published = contents.estimated.take(some), contents.published.take(some)
                self.probe.add(
                    subject,
                    video["video_id"],
                    estimated=estimated,
                    published=published,
                    recording_id=video["recording_id"],
                )

    def facts(
        self,
        inputs: ReleaseInputs,
        selection: Selection,
        *,
        splits: dict[str, SplitFacts],
        votes: list[Row],
        left_out_votes: Counter[str],
    ) -> ReleaseFacts:
        """Put the numbers together, but those of attributes and tasks."""
        videos = [row for of_split in self.videos.values() for row in of_split]
        outcomes = Counter(row["match_outcome"] for row in videos if row["match_outcome"])
        told = (inputs.match_outcomes.get(row["video_id"]) for row in videos)
        licences = {" ".join(one.licence.split()) for one in told if one and one.licence.strip()}
        origins = Counter(row["origin"] for row in self.all_segments)
        imported = inputs.imported.licences if inputs.imported else {}
        return ReleaseFacts(
            splits=splits,
            class_counts=count_classes({split: self.segments[split] for split in self.splits}),
            scripted_votes=sum(vote["scripted"] for vote in votes),
            left_out_segments=dict(sorted((reason, n) for reason, n in selection.left_out.items() if n)),
            left_out_votes=dict(sorted(left_out_votes.items())),
            shortened_segments=self.shortened,
            dropped_counts={str(reason): count for reason, count in sorted(inputs.dropped_counts.items())},
            outcome_counts=dict(sorted(outcomes.items())),
            outcome_licences=tuple(sorted(licences)),
            leak_report=selection.report,
            reidentification=self.probe.result(),
            descriptions=self._descriptions(),
            annotation=self._annotation(votes),
            origins=dict(sorted(origins.items())),
            origin_licences={name: text for name, text in sorted(imported.items()) if name in origins},
            withdrawn_segments=inputs.withdrawn_segments,
        )

    def _descriptions(self) -> DescriptionFacts:
        counts = Counter(row["description_by"] for row in self.all_segments)
        return DescriptionFacts(
            by_person=counts[BY_PERSON],
            by_template=counts[BY_TEMPLATE],
            by_model=counts[BY_MODEL],
            refused=self.refused,
            unanswered=self.unanswered,
            words_digest=_words_digest(self.all_segments) if counts[BY_MODEL] else "",
        )

    def _annotation(self, votes: list[Row]) -> AnnotationFacts:
        own = [row for row in self.all_segments if row["origin"] == STUDY_ORIGIN]
        agreements = [row["agreement"] for row in own if row["agreement"] is not None]
        seconds = [vote["lead_seconds"] for vote in votes if not vote["scripted"]]
        return AnnotationFacts(
            annotators=len({vote["annotator_id"] for vote in votes}),
            mean_answers=fmean(row["answer_count"] for row in own) if own else 0.0,
            mean_agreement=fmean(agreements) if agreements else None,
            median_seconds=median(seconds) if seconds else None,
        )


def _words_digest(segments: list[Row]) -> str:
    words = [(row["segment_id"], row["description"]) for row in segments if row["description_by"] == BY_MODEL]
    return sha256(json.dumps(sorted(words)).encode()).hexdigest()
