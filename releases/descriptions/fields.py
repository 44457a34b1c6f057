"""The structured fields of a segment's description, measured from all of the person's keypoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from kinematics.scale import origin_and_unit_px
from kinematics.windows import Floats
from releases.descriptions.movement import Movement
from releases.descriptions.parts import PLURALS, Wanted, wanted_of
from releases.descriptions.segment import Measured, Surroundings, measure_segment
from schema.records import KeypointSequence
from schema.taxonomy import GestureClass
from schema.timespan import NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionFields:
    """What happens in a segment, in numbers and single words; the columns ``DESCRIPTION_FIELDS`` of *segments*."""

    body_part: str
    """head, mouth, shoulders, torso, arm, arms, hand, hands, leg, legs, or body where nothing tells which."""
    side: str | None
    """The person's own left, right or both."""
    contact_target: str | None
    """One of ``releases.descriptions.contact.PLACES``."""
    movement: str
    """still, once, back_and_forth, repeated, irregular, or unknown where too little is seen."""
    repetitions: int | None
    speed: float | None
    """Shoulder widths a second."""
    extent: float | None
    """Shoulder widths."""
    duration_seconds: float | None
    co_occurring: str
    """Class ids with spaces between."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Take the fields out of a row of *segments*."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackMeasures:
    """A track, with the origin and the unit that are one for all of its segments."""

    sequence: KeypointSequence
    origin_px: Floats
    """The neck, shape ``(2,)``."""
    unit_px: float
    """The shoulder width; NaN where nothing tells it: then nothing is measured."""

    @classmethod
    def of(cls, track: KeypointSequence) -> Self:
        """Measure the track's origin and unit (``kinematics.scale.origin_and_unit_px``)."""
        origin, unit = origin_and_unit_px(track) or (np.full(2, np.nan), float("nan"))
        return cls(sequence=track, origin_px=origin, unit_px=unit)

    def fields(
        self,
        rows: slice,
        *,
        gesture: GestureClass | None,
        evidence: str,
        start_ns: int | None,
        end_ns: int | None,
        co_occurring: Sequence[str],
    ) -> DescriptionFields:
        """Measure what happens in a segment; what is not seen is None, never 0.

        Where a hand rests or touches, its movement is that between the first and the last frame in which it does: the
        way to a place and back is none of it. Of two sides the one that moves more gives the numbers.

        Args:
            rows: The segment's rows of the track.
            gesture: The class; None is an unclassified movement.
            evidence: What was measured when it was proposed; other words than ``EVIDENCE`` say nothing.
            start_ns: Start of the span; None with ``end_ns``: the label is of the whole clip, and has no length.
            end_ns: End of the span.
            co_occurring: Class ids of segments of the person that overlap.
        """
        measured = self._measured(rows, wanted_of(gesture, evidence))
        lasting_s = None if start_ns is None or end_ns is None else (end_ns - start_ns) / NS_PER_SECOND
        return DescriptionFields(
            body_part=measured.body_part,
            side=measured.side,
            contact_target=measured.contact_target,
            movement=measured.movement.word,
            repetitions=measured.movement.repetitions,
            speed=_float32(measured.movement.speed),
            extent=_float32(measured.movement.extent),
            duration_seconds=_float32(lasting_s),
            co_occurring=" ".join(sorted(set(co_occurring))),
        )

    def _measured(self, rows: slice, wanted: Wanted) -> Measured:
        first, end, _ = rows.indices(self.sequence.times_ns.shape[0])
        if end > first and np.isfinite(self.unit_px):
            around = Surroundings.of(self.sequence, first, end, origin_px=self.origin_px, unit_px=self.unit_px)
            return measure_segment(around, wanted)
        part = PLURALS[wanted.part] if wanted.plural else wanted.part
        return Measured(body_part=part, side=None, contact_target=None, movement=Movement())


def _float32(value: float | None) -> float | None:
    """Return a number as the release's table will hold it, so that both are told by the same words."""
    return None if value is None else float(np.float32(value))
