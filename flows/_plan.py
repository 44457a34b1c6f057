"""What is to do, worked out from the study file and a listing, without Prefect and without opening a video."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from flows._stages import Part, differences, perception_stages, segments_part, video_parts
from flows._study import Study
from flows._withdrawals import COPY, withdrawn_videos
from media.store import MediaStore
from schema.arrow import CANDIDATES, DISPOSALS, DUPLICATES, PLAYERS, PROXIES, TASKS, VIDEOS
from schema.errors import UsageError
from schema.people import Role
from schema.records import Candidate, VideoRecord
from schema.rows import candidates_from_rows, videos_from_rows
from schema.tables import STUDY_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a part will or will not be made."""

    table: str
    key: str
    digest: str
    current: bool
    why: str


def study_videos(study: Study) -> list[VideoRecord]:
    """List the study's videos that were not withdrawn, the newest record of each, by id."""
    newest = {video.video_id: video for video in videos_from_rows(study.store.read(VIDEOS))}
    return [newest[video_id] for video_id in sorted(newest.keys() - withdrawn_videos(study))]


def disposed_videos(study: Study) -> set[str]:
    """Return the videos whose file the study's retention rule has deleted: what was made of them stays.

    One whose file somebody put back is none of them: its parts can be made anew, until the rule deletes it again.
    """
    rows = study.store.read(DISPOSALS).select(["video_id", "sha256"]).to_pylist()
    held = MediaStore(study.layout).digests() if rows else set()
    return {row["video_id"] for row in rows if row["sha256"] not in held}


def poorer_videos(study: Study) -> set[str]:
    """Return the videos of which the study holds a better copy that was not withdrawn, as they were last compared."""
    parts = [name for name in study.store.parts(DUPLICATES) if name.key == STUDY_KEY]
    rows = [row for name in parts for row in study.store.read_part(DUPLICATES, name.key, name.digest).to_pylist()]
    withdrawn = withdrawn_videos(study)
    return {row["video_id"] for row in rows if row["link"] == COPY and row["kept_video_id"] not in withdrawn}


def study_video(study: Study, video_id: str) -> VideoRecord:
    """Return one video of the study; raises ``UsageError`` where there is none of that id."""
    found = [video for video in study_videos(study) if video.video_id == video_id]
    if not found:
        raise UsageError(f"the study has no video {video_id!r}; `pressroom status` lists them")
    return found[0]


def is_current(study: Study, part: Part) -> bool:
    """Tell whether the part is on disk, and a proxy's film with it."""
    path = study.store.part_path(part.spec, part.key, part.digest)
    if not path.exists():
        return False
    # a video without frames has a part without rows, and no film
    return (
        part.spec is not PROXIES
        or path.with_suffix(".mp4").exists()
        or _is_empty(study, part)
        or part.key in disposed_videos(study)
    )


def _is_empty(study: Study, part: Part) -> bool:
    return study.store.summary(part.spec, part.key, part.digest).row_count == 0


def to_perceive(study: Study, videos: Iterable[VideoRecord], *, score_only: bool = False) -> list[VideoRecord]:
    """List the videos that lack a current part of perception, but for poorer copies and those whose file is gone."""
    tables = [spec.name for spec in perception_stages(study.config, score_only=score_only)]
    poorer = poorer_videos(study) if study.config.duplicates.skip_poorer else set()
    left_out = poorer | disposed_videos(study)
    return [v for v in videos if v.video_id not in left_out and not _all_current(study, video_parts(study, v), tables)]


def _all_current(study: Study, parts: dict[str, Part], tables: list[str]) -> bool:
    return all(is_current(study, parts[table]) for table in tables)


def to_propose(study: Study, videos: Iterable[VideoRecord]) -> list[VideoRecord]:
    """List the videos whose candidates are not current though their keypoints are."""
    return [
        v
        for v in videos
        if _all_current(study, parts := video_parts(study, v), ["tracks", "keypoints", "visibility"])
        and not is_current(study, parts[CANDIDATES.name])
    ]


def current_candidates(
    study: Study, videos: Iterable[VideoRecord], *, features: bool = False
) -> list[tuple[VideoRecord, Candidate]]:
    """List today's candidates with their videos; a model's features of them, which are long, only on demand."""
    found: list[tuple[VideoRecord, Candidate]] = []
    columns = [name for name in CANDIDATES.schema.names if features or name != "embedding"]
    for video in videos:
        part = video_parts(study, video)[CANDIDATES.name]
        if is_current(study, part):
            rows = study.store.read_part(part.spec, part.key, part.digest, columns=columns)
            found += [(video, candidate) for candidate in candidates_from_rows(rows)]
    return found


def to_push(study: Study) -> list[tuple[VideoRecord, Candidate]]:
    """List the candidates that were never put on the page; a clip can't be cut from a file that is gone.

    Those of people of whom nobody knows yet whether they are the player wait for the answer (``held_back``).
    """
    undecided = _Undecided(study)
    return [(video, candidate) for video, candidate in _never_asked(study) if not undecided.holds(video, candidate)]


def held_back(study: Study) -> int:
    """Count the candidates that wait for an answer to "which one is the player?"."""
    undecided = _Undecided(study)
    return sum(undecided.holds(video, candidate) for video, candidate in _never_asked(study))


def asks_for_players(study: Study) -> bool:
    """Tell whether a person is asked about undecided people, and their candidates wait meanwhile."""
    return study.config.players.ask and study.config.players.keep == "players"


def undecided_tracks(study: Study, video: VideoRecord) -> frozenset[int]:
    """Return the tracks of a video whose candidates wait for an answer: none where the study does not ask."""
    part = video_parts(study, video)[PLAYERS.name]
    if not asks_for_players(study) or not is_current(study, part):
        return frozenset()
    rows = study.store.read_part(PLAYERS, part.key, part.digest, columns=["track_number", "role", "kept"]).to_pylist()
    return frozenset(row["track_number"] for row in rows if row["role"] == Role.UNDECIDED and row["kept"])


class _Undecided:
    """Reads the undecided tracks of a video once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._tracks: dict[str, frozenset[int]] = {}

    def holds(self, video: VideoRecord, candidate: Candidate) -> bool:
        """Tell whether a candidate waits for an answer."""
        if video.video_id not in self._tracks:
            self._tracks[video.video_id] = undecided_tracks(self._study, video)
        return candidate.track_number in self._tracks[video.video_id]


def asked_candidates(study: Study) -> set[str]:
    """Return the candidates that were put to people, or to an expert at once."""
    tasks = study.store.read(TASKS)
    return {*tasks["candidate_id"].to_pylist(), *filter(None, tasks["about"].to_pylist())}


def _never_asked(study: Study) -> list[tuple[VideoRecord, Candidate]]:
    asked = asked_candidates(study)
    gone = disposed_videos(study)
    return [
        (video, candidate)
        for video, candidate in current_candidates(study, [v for v in study_videos(study) if v.video_id not in gone])
        if candidate.candidate_id not in asked
    ]


def explain(study: Study, key: str) -> list[Explanation]:
    """Say for each part of a video (or of the study) whether it is current, and what changed if not."""
    videos = study_videos(study)
    parts: Iterable[Part] = [
        part for video in videos if video.video_id == key for part in video_parts(study, video).values()
    ]
    if key == "study":
        parts = [segments_part(study, videos)]
    return [_explain(study, part) for part in parts]


def _explain(study: Study, part: Part) -> Explanation:
    current = is_current(study, part)
    why = "made from the same inputs and settings" if current else _why_not(study, part)
    if not current and part.spec is not CANDIDATES and part.key in disposed_videos(study):
        why += "; it can't be made anew: the video file was deleted (collect.retain)"
    return Explanation(table=part.spec.name, key=part.key, digest=part.digest, current=current, why=why)


def _why_not(study: Study, part: Part) -> str:
    for name in study.store.parts(part.spec):
        if name.key == part.key:
            facts = study.store.summary(part.spec, name.key, name.digest).facts
            return "; ".join(differences(json.loads(facts["document"]), part.document)) or "its digest changed"
    return "never made"
