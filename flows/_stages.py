"""What each derived part depends on: the documents whose digests name the parts.

A part's document holds its stage, the stage's version, the digests of its inputs, its settings, and its back end with
the digest of its weights. Nothing is computed to know a digest, so a listing tells what is current.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flows._player_answers import player_answers
from flows._roster import expected_players
from flows._rounds import current_round
from flows._study import Study
from schema.answer_rows import annotators_from_rows
from schema.arrow import (
    ANNOTATIONS,
    ANNOTATORS,
    CANDIDATES,
    DUPLICATES,
    FINGERPRINTS,
    FRAMES,
    IDENTITIES,
    KEYPOINTS,
    KNOWN_ANSWERS,
    PLAYER_ANSWERS,
    PLAYERS,
    PROXIES,
    QUALITY,
    ROUNDS,
    SEGMENTS,
    SHOTS,
    SMOOTHED,
    TASKS,
    TRACKS,
    VISIBILITY,
    TableSpec,
)
from schema.questions import expert_ids
from schema.records import VideoRecord
from schema.tables import STUDY_KEY, digest_of
from schema.taxonomy import Taxonomy

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from flows._config import StudyConfig

STAGE_VERSIONS = {
    "frames": 1,
    "shots": 1,
    "tracks": 2,
    "quality": 1,
    "players": 1,
    "keypoints": 3,
    "visibility": 1,
    "smoothed": 1,
    "proxies": 2,
    "candidates": 4,
    "identities": 1,
    "fingerprints": 1,
    "duplicates": 1,
    "segments": 2,
    "release": 5,
}
"""Raise a stage's version when its code changes what it makes; a test compares the code's digest."""

SCORE_STAGES: tuple[TableSpec, ...] = (FRAMES, SHOTS, TRACKS, QUALITY, PLAYERS)
"""What `pressroom perceive --score-only` makes: who is there, how well they are shown, and who is the player."""


def perception_stages(config: "StudyConfig", *, score_only: bool = False) -> tuple[TableSpec, ...]:
    """Return what a study makes of each video, in order; *smoothed* where its settings ask for it."""
    if score_only:
        return SCORE_STAGES
    return (*SCORE_STAGES, KEYPOINTS, VISIBILITY, *((SMOOTHED,) if is_smoothed(config) else ()), PROXIES)


def is_smoothed(config: "StudyConfig") -> bool:
    """Tell whether candidates are proposed from smoothed keypoints."""
    return config.smoothing.method != "none"


Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A derived part that the study should have."""

    spec: TableSpec
    key: str
    document: Document
    digest: str = field(init=False)
    """The digest in the part's file name."""

    def __post_init__(self) -> None:
        """Digest the document, once."""
        object.__setattr__(self, "digest", digest_of(self.document))


def _document(stage: str, *, inputs: Document, settings: Document, back_end: Document | None = None) -> Document:
    return {
        "stage": stage,
        "version": STAGE_VERSIONS[stage],
        "inputs": inputs,
        "settings": settings,
        "back_end": back_end or {},
    }


@lru_cache(maxsize=64)
def _settings(section: "DataclassInstance") -> Document:
    """Write a section of the study file as a table, once: a study has thousands of videos. Nobody may change it."""
    return asdict(section)


def video_parts(study: Study, video: VideoRecord) -> dict[str, Part]:
    """Return the parts of one video by table name, in the order of the stages."""
    answered = study.store.recorded_size(PLAYER_ANSWERS)
    rounds = study.store.recorded_size(ROUNDS)
    name = f"{video.sha256} {video.video_id} {answered} {rounds} {expected_players(study, video.video_id)}"
    if name not in study.parts:
        study.parts[name] = _video_parts(study, video)
    return study.parts[name]


def _video_parts(study: Study, video: VideoRecord) -> dict[str, Part]:
    config, key = study.config, video.video_id
    back_ends = study.back_ends
    taxonomy = taxonomy_digest(study.taxonomy)
    frames = _video_part(FRAMES, key, inputs={"video": video.sha256}, settings={})
    after_frames = {"frames": frames.digest}
    shots = _video_part(SHOTS, key, inputs=after_frames, settings=_settings(config.shots), back_end=back_ends["shots"])
    tracks = _video_part(
        TRACKS, key, inputs={"shots": shots.digest}, settings=_settings(config.tracks), back_end=back_ends["tracks"]
    )
    quality = _video_part(
        QUALITY,
        key,
        inputs={"tracks": tracks.digest},
        settings={"sampling": _settings(config.quality.sampling)},
        back_end=back_ends["faces"],
    )
    players = _players_part(study, video, inputs={"tracks": tracks.digest, "quality": quality.digest})
    keypoints = _video_part(
        KEYPOINTS,
        key,
        inputs={"tracks": tracks.digest, "players": players.digest},
        settings=_settings(config.keypoints),
        back_end=back_ends["keypoints"],
    )
    visibility = _video_part(VISIBILITY, key, inputs={"keypoints": keypoints.digest}, settings={})
    proxies = _video_part(PROXIES, key, inputs=after_frames, settings=_settings(config.proxies))
    smoothed = _video_part(SMOOTHED, key, inputs={"keypoints": keypoints.digest}, settings=_settings(config.smoothing))
    optional = (smoothed,) if is_smoothed(config) else ()
    proposed_from = {part.spec.name: part.digest for part in (keypoints, *optional)}
    model = current_round(study).model
    made_of = proposed_from | {"taxonomy": taxonomy} | ({"model": model} if model else {})
    limits = {"min_hands_share": config.quality.min_hands_share}
    candidates = _video_part(CANDIDATES, key, inputs=made_of, settings=_settings(config.proposals) | limits)
    made = (frames, shots, tracks, quality, players, keypoints, visibility, *optional, proxies, candidates)
    return {part.spec.name: part for part in made}


def _players_part(study: Study, video: VideoRecord, *, inputs: Document) -> Part:
    """Return the part of roles: whether a person is asked, and what is measured how, changes nothing in it."""
    config = study.config
    answers = [asdict(answer) for answer in player_answers(study, video)]
    known = {
        "answers": digest_of(answers) if answers else "",
        "expected": expected_players(study, video.video_id),
        "size": [video.width, video.height],
    }
    players = {name: value for name, value in _settings(config.players).items() if name not in ("ask", "expected")}
    later = ("sampling", "min_hands_share")
    limits = {name: value for name, value in _settings(config.quality).items() if name not in later}
    return _video_part(PLAYERS, video.video_id, inputs=inputs | known, settings=players | {"quality": limits})


def _video_part(
    spec: TableSpec, key: str, *, inputs: Document, settings: Document, back_end: Document | None = None
) -> Part:
    document = _document(spec.name, inputs=inputs, settings=settings, back_end=back_end)
    return Part(spec=spec, key=key, document=document)


def segments_part(study: Study, videos: Iterable[VideoRecord]) -> Part:
    """Return the study's part of verified segments."""
    players = {video.video_id: video_parts(study, video)["players"].digest for video in videos}
    document = _document(
        "segments",
        inputs={
            "annotations": study.store.recorded_digest(ANNOTATIONS),
            "tasks": study.store.recorded_digest(TASKS),
            "known_answers": study.store.recorded_digest(KNOWN_ANSWERS),
            "experts": sorted(study_experts(study)),
            "players": players,
            "taxonomy": taxonomy_digest(study.taxonomy),
        },
        settings=asdict(study.config.adjudicate),
    )
    return Part(spec=SEGMENTS, key=STUDY_KEY, document=document)


def study_experts(study: Study) -> frozenset[str]:
    """Return the pseudonyms of those whose answer decides."""
    return expert_ids(annotators_from_rows(study.store.read(ANNOTATORS)))


def fingerprint_part(study: Study, video: VideoRecord) -> Part:
    """Return the part that holds one video's fingerprint."""
    document = _document("fingerprints", inputs={"video": video.sha256}, settings={})
    return Part(spec=FINGERPRINTS, key=video.video_id, document=document)


def duplicates_part(study: Study, *, inputs: dict[str, str]) -> Part:
    """Return the study's part that says which videos are copies; ``inputs`` are digests by name."""
    document = _document("duplicates", inputs=dict(inputs), settings={})
    return Part(spec=DUPLICATES, key=STUDY_KEY, document=document)


def identities_part(study: Study, *, inputs: dict[str, str]) -> Part:
    """Return the study's part that says who is in each video; ``inputs`` are digests by name, for they are private."""
    document = _document("identities", inputs=dict(inputs), settings=asdict(study.config.identify))
    return Part(spec=IDENTITIES, key=STUDY_KEY, document=document)


def release_document(study: Study, videos: Iterable[VideoRecord], *, others: Document) -> Document:
    """Return what a release depends on, beside ``others``; its digests are in the release's manifest."""
    videos = list(videos)
    return _document(
        "release",
        inputs={
            "segments": segments_part(study, videos).digest,
            "keypoints": {video.video_id: video_parts(study, video)["keypoints"].digest for video in videos},
            "players": {video.video_id: video_parts(study, video)["players"].digest for video in videos},
            **others,
        },
        settings=asdict(study.config.release),
    )


@lru_cache(maxsize=8)
def taxonomy_digest(taxonomy: Taxonomy) -> str:
    """Digest a taxonomy's content."""
    return digest_of(asdict(taxonomy))


def differences(before: Document, after: Document, prefix: str = "") -> list[str]:
    """Say in words what differs between two documents of a part."""
    found: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} was {old!r}, is {new!r}")
    return found
