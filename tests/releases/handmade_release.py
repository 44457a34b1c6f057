"""A release made by hand, row by row: puppets who touch their neck, their mouth or their hair, and fold their arms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from releases.config import Profile, ReleaseConfig
from releases.facts import AnnotationFacts, DescriptionFacts, ReleaseFacts, count_classes, count_split
from releases.tables.columns import schema_of
from schema.records import KeypointSequence
from schema.rows import keypoints_to_rows
from schema.taxonomy import Taxonomy, load_taxonomy
from schema.timespan import NS_PER_SECOND
from tests.puppets import MOUTH, NECK_SIDE, Puppet, make_puppet, visiting

FRAME_RATE = 25
SECONDS = 6.0
FRAMES = round(SECONDS * FRAME_RATE)
CONFIG = ReleaseConfig(name="handmade", version="0.2.0", title="Handmade gestures")
CLASSES = ("touching_or_scratching_neck", "folding_arms", "touching_jaw", "playing_or_adjusting_hair")
_GESTURES: tuple[dict[str, Any], ...] = (
    {"right_tips": visiting(NECK_SIDE, 1.0, 3.0)},
    {
        "right_tips": visiting((400.0, 380.0), 1.0, 3.0),
        "left_tips": visiting((240.0, 380.0), 1.0, 3.0, side="left"),
    },
    {"right_tips": visiting(MOUTH, 1.0, 3.0)},
    {"left_tips": visiting((340.0, 85.0), 1.0, 3.0, side="left")},
)


def taxonomy() -> Taxonomy:
    return load_taxonomy("imigue32")


@dataclass(frozen=True, kw_only=True)
class Person:
    """One subject, or nobody known: a split and the classes of the segments of each video."""

    split: str
    videos: Sequence[Sequence[str | None]]
    subject: str | None = "s"
    sex: str | None = None


PEOPLE = (
    Person(split="train", videos=((CLASSES[0], CLASSES[1], None), (CLASSES[0],)), sex="f"),
    Person(split="train", videos=((CLASSES[0], CLASSES[2]),)),
    Person(split="train", videos=((CLASSES[3],),), subject=None),
    Person(split="val", videos=((CLASSES[0], CLASSES[2]),), sex="m"),
    Person(split="test", videos=((CLASSES[1], CLASSES[0]),)),
)


@cache
def _puppet(kind: int, seed: int) -> KeypointSequence:
    sway = 4.0 * (seed % 5)
    puppet = Puppet(
        seconds=SECONDS,
        body_shift=lambda second: (sway * second / SECONDS, 0.0),
        left_wrist=None,
        seed=seed,
        **_GESTURES[kind],
    )
    return make_puppet(puppet)[1]


def _segment(
    number: int, person: Person, video_id: str, subject_id: str | None, class_id: str | None
) -> dict[str, Any]:
    known = {g.class_id: g for g in taxonomy()}.get(class_id or "")
    start_ns = NS_PER_SECOND + (number % 7) * 120_000_000
    end_ns = 3 * NS_PER_SECOND + (number % 3) * 400_000_000
    first, end = -(-start_ns * FRAME_RATE // NS_PER_SECOND), end_ns * FRAME_RATE // NS_PER_SECOND
    return {
        "segment_id": f"g{number:020x}",
        "video_id": video_id,
        "subject_id": subject_id,
        "track_number": 0,
        "start_ns": start_ns,
        "end_ns": end_ns,
        "first_frame": first,
        "end_frame": end,
        "class_id": class_id,
        "class_number": known and known.number,
        "class_name": known and known.name,
        "group": known and known.group,
        "description": "The person touches the neck once.",
        "description_by": "template",
        "template_description": "The person touches the neck once.",
        "body_part": "hand",
        "side": "right" if number % 2 else None,
        "contact_target": "neck" if number % 3 else None,
        "movement": "once",
        "repetitions": None if number % 2 else 1,
        "speed": 1.25 + number / 8,
        "extent": None if number % 4 == 0 else 0.5,
        "duration_seconds": (end_ns - start_ns) / NS_PER_SECOND,
        "co_occurring": "",
        "match_outcome": ("win", "loss", None)[number % 3],
        "answer_count": 2 + number % 2,
        "agreement": (1.0, 2 / 3)[number % 2],
        "posterior": 0.99 - 0.03 * (number % 5),
        "scripted": False,
        "evidence": "a hand at the side or back of the neck",
        "proposer": "contact" if number % 2 else "motion",
        "proposer_score": 0.75,
        "origin": "study",
        "keypoints_row_count": end - first,
        "split": person.split,
    }


def _video(video_id: str, person: Person, number: int) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "recording_id": video_id,
        "width": 640,
        "height": 480,
        "frame_count": FRAMES,
        "average_rate_numerator": FRAME_RATE,
        "average_rate_denominator": 1,
        "duration_ns": round(SECONDS * NS_PER_SECOND),
        "layout": "wholebody133",
        "match_outcome": ("win", "loss", None)[number % 3],
        "origin": "study",
        "split": person.split,
    }


def _vote(number: int, segment: dict[str, Any]) -> dict[str, Any]:
    return {
        "vote_id": f"n{number:020x}",
        "candidate_id": f"c{number:020x}",
        "kind": "verdict",
        "segment_id": segment["segment_id"],
        "video_id": segment["video_id"],
        "start_ns": segment["start_ns"],
        "end_ns": segment["end_ns"],
        "annotator_id": f"r{number % 3:020x}",
        "revision": 1,
        "scripted": False,
        "verdict": "accept",
        "proposed_class_id": segment["class_id"],
        "class_id": segment["class_id"],
        "answered_start_ns": segment["start_ns"],
        "answered_end_ns": segment["end_ns"],
        "marks": "[]",
        "suggestion_shown": True,
        "question": "Does the person touch the neck?",
        "lead_seconds": 4 + number % 5,
        "study_week": number % 2,
        "split": segment["split"],
    }


def _window(number: int, video_id: str, subject_id: str | None, person: Person, first_row: int) -> dict[str, Any]:
    return {
        "window_id": f"w{number:020x}",
        "video_id": video_id,
        "subject_id": subject_id,
        "track_number": 0,
        "start_ns": 4 * NS_PER_SECOND,
        "end_ns": 5 * NS_PER_SECOND + 600_000_000,
        "first_frame": 100,
        "end_frame": 140,
        "quality": 0.7 + 0.02 * (number % 5),
        "movement": 0.05 * (1 + number % 4),
        "keypoints_first_row": first_row + 100,
        "keypoints_row_count": 40,
        "split": person.split,
    }


def handmade_release(
    folder: Path, people: Sequence[Person] = PEOPLE, *, profile: Profile = "identity-free"
) -> tuple[Path, ReleaseFacts, ReleaseConfig]:
    """Write the tables of a release and return its folder, its numbers and its settings."""
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    keypoints: dict[str, list[pa.Table]] = {}
    number = window = 0
    for place, person in enumerate(people):
        tables = rows.setdefault(
            person.split, {t: [] for t in ("segments", "videos", "subjects", "votes", "unlabelled")}
        )
        subject_id = None if person.subject is None else f"s{place:020x}"
        of_person = []
        for v, class_ids in enumerate(person.videos):
            video_id = f"v{place * 1000 + v:020x}"
            kind = CLASSES.index(class_ids[0]) if class_ids and class_ids[0] in CLASSES else 0
            block = keypoints_to_rows(replace(_puppet(kind, place + v), video_id=video_id))  # type: ignore[arg-type]
            first_row = sum(t.num_rows for t in keypoints.setdefault(person.split, []))
            keypoints[person.split].append(block)
            tables["videos"].append(_video(video_id, person, place))
            for class_id in class_ids:
                segment = _segment(number, person, video_id, subject_id, class_id)
                segment["keypoints_first_row"] = first_row + segment["first_frame"]
                of_person.append(segment)
                tables["votes"] += [_vote(3 * number + k, segment) for k in range(segment["answer_count"])]
                number += 1
            tables["unlabelled"].append(_window(window, video_id, subject_id, person, first_row))
            window += 1
        tables["segments"] += of_person
        if subject_id:
            tables["subjects"].append(
                {
                    "subject_id": subject_id,
                    "video_count": len(person.videos),
                    "segment_count": len(of_person),
                    "frame_count": FRAMES * len(person.videos),
                    "sex": person.sex,
                    "birth_years": None,
                    "split": person.split,
                }
            )
    (folder / "data").mkdir(parents=True)
    for split, tables in rows.items():
        for name, found in tables.items():
            _write(
                folder, name, split, pa.Table.from_pylist(found, schema=schema_of(name, profile=profile, wide=False))
            )
        schema = schema_of("keypoints", profile=profile, wide=False)
        _write(folder, "keypoints", split, pa.concat_tables(keypoints[split]).select(schema.names).cast(schema))
    return folder, _facts(rows, keypoints), replace(CONFIG, profile=profile)


def _write(folder: Path, table: str, split: str, rows: pa.Table) -> None:
    pq.write_table(rows, folder / "data" / f"{table}-{split}-00000-of-00001.parquet", row_group_size=256)


def _facts(rows: dict[str, dict[str, list[dict[str, Any]]]], keypoints: dict[str, list[pa.Table]]) -> ReleaseFacts:
    return ReleaseFacts(
        splits={
            split: count_split(
                tables["segments"],
                tables["votes"],
                tables["videos"],
                tables["unlabelled"],
                keypoint_rows=sum(table.num_rows for table in keypoints[split]),
            )
            for split, tables in rows.items()
        },
        class_counts=count_classes({split: tables["segments"] for split, tables in rows.items()}),
        scripted_votes=0,
        left_out_segments={"unknown_subject": 2},
        left_out_votes={},
        shortened_segments=0,
        dropped_counts={"rejected": 3},
        annotation=AnnotationFacts(annotators=3, mean_answers=2.5, mean_agreement=0.83, median_seconds=6.0),
        descriptions=DescriptionFacts(by_template=12),
    )
