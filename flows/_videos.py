"""Work on one video under its lease: perception in a child process, and proposals."""

import time
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from flows._asked_before import asked_before
from flows._isolation import Died, Failed, Finished, Limits, run_isolated
from flows._leases import lease
from flows._outcome import Failure, Outcome, record_run
from flows._perception import split_dropped, write_part
from flows._plan import is_current
from flows._rounds import chosen_model, current_round
from flows._stages import Part, is_smoothed, perception_stages, video_parts
from flows._study import Study
from kinematics.stretches import Stretch, stretches_of
from perception.visibility import too_few_hands
from proposals.merge import answered_elsewhere, inherit_ids
from proposals.propose import STAGE, propose_candidates
from schema.arrow import CANDIDATES, KEYPOINTS, PLAYERS, SMOOTHED, TRACKS, VISIBILITY, TableSpec
from schema.errors import DropReason
from schema.people_rows import roles_from_rows, visibilities_from_rows
from schema.records import CandidateId, Dropped, KeypointSequence, Track, VideoRecord
from schema.rows import (
    candidates_to_rows,
    concatenated,
    keypoint_rows_by_track,
    keypoints_from_rows,
    tracks_from_rows,
)

Progress = Callable[[str, str, int, int], None]
"""Called with (stage, video id, frames done, frames in all)."""
ENTRY = "flows._perception:perceive"
ATTEMPTS = 2
"""A child that dies is tried once more: a lost race for memory need not cost a video."""


def perceive_video(study: Study, video: VideoRecord, progress: Progress, *, score_only: bool = False) -> Outcome:
    """Make the parts of perception that the video lacks, unless another runner has it in hand.

    With ``score_only`` those are made alone that say who is there, how well they are shown, and who is the player.
    """
    stages = perception_stages(study.config, score_only=score_only)
    outcome = Outcome(stage="perceive")
    started_ns = time.time_ns()
    with lease(study.layout, "perceive", video.video_id) as held:
        if not held:
            outcome.busy.append(video.video_id)
            return outcome
        missing = _missing(study, video, stages)
        if not missing:  # another runner finished it between the plan and now
            return outcome
        while missing and not outcome.failures:
            _attempt(study, video, progress, outcome, stages)
            missing = _missing(study, video, stages)
        outcome.done = int(not outcome.failures)
        outcome.dropped += _dropped(study, video, stages)
        record_run(study, outcome, key=video.video_id, started_ns=started_ns)
    return outcome


def _missing(study: Study, video: VideoRecord, stages: Sequence[TableSpec]) -> list[Part]:
    parts = video_parts(study, video)
    return [parts[spec.name] for spec in stages if not is_current(study, parts[spec.name])]


def _dropped(study: Study, video: VideoRecord, stages: Sequence[TableSpec]) -> list[Dropped]:
    parts = video_parts(study, video)
    return (
        [lost for spec in stages for lost in study.store.summary(spec, video.video_id, parts[spec.name].digest).dropped]
        if not _missing(study, video, stages)
        else []
    )


def _attempt(
    study: Study, video: VideoRecord, progress: Progress, outcome: Outcome, stages: Sequence[TableSpec]
) -> None:
    run = study.config.run
    limits = Limits(memory_bytes=int(run.memory_limit_gib * 2**30), seconds=run.time_limit_minutes * 60)
    study.layout.work.mkdir(parents=True, exist_ok=True)
    log = study.layout.work / f"{video.video_id}.log"

    def report(stage: str, done: int, total: int) -> None:
        progress(stage, video.video_id, done, total)

    for attempt in range(1, ATTEMPTS + 1):
        arguments = (str(study.layout.root), video.video_id, stages[-1].name)
        match run_isolated(ENTRY, arguments, limits=limits, log=log, report=report):
            case Finished():
                log.unlink(missing_ok=True)
                return
            case Failed(stage=stage, traceback=text):
                outcome.failures.append(Failure(stage=stage, key=video.video_id, traceback=text))
                return
            case Died() as died if attempt == ATTEMPTS or died.reason is not DropReason.CRASHED:
                _write_off(study, video, died, stages)
                return


def _write_off(study: Study, video: VideoRecord, died: Died, stages: Sequence[TableSpec]) -> None:
    """Write an empty part for the stage that killed its process twice: the next stages find nothing to do."""
    parts = {part.spec.name: part for part in _missing(study, video, stages)}
    part = parts.get(died.stage) or next(iter(parts.values()))
    lost = Dropped(stage=part.spec.name, item_id=video.video_id, reason=died.reason, detail=died.detail)
    write_part(study, part, concatenated(part.spec, ()), [lost])


def propose_video(study: Study, video: VideoRecord) -> Outcome:
    """Propose the candidates of one video; a candidate that was asked before keeps its id."""
    outcome = Outcome(stage="propose")
    started_ns = time.time_ns()
    part = video_parts(study, video)[CANDIDATES.name]
    with lease(study.layout, "propose", video.video_id) as held:
        if not held:
            outcome.busy.append(video.video_id)
            return outcome
        if is_current(study, part):
            return outcome
        rows, dropped = _candidates(study, video)
        write_part(study, part, rows, dropped)
        outcome.done, outcome.rows, outcome.dropped = 1, rows.num_rows, dropped
        record_run(study, outcome, key=video.video_id, started_ns=started_ns)
    return outcome


def read_video_part(study: Study, video: VideoRecord, spec: TableSpec) -> pa.Table:
    """Read the current part of one video."""
    return study.store.read_part(spec, video.video_id, video_parts(study, video)[spec.name].digest)


def kept_tracks_of(study: Study, video: VideoRecord) -> list[Track]:
    """Read the tracks of a video's players, and of whom else the study keeps."""
    kept = {role.track_number for role in roles_from_rows(read_video_part(study, video, PLAYERS)) if role.kept}
    return [track for track in tracks_from_rows(read_video_part(study, video, TRACKS)) if track.track_number in kept]


def _candidates(study: Study, video: VideoRecord) -> tuple[pa.Table, list[Dropped]]:
    tracks = {track.track_number: track for track in tracks_from_rows(read_video_part(study, video, TRACKS))}
    least = study.config.quality.min_hands_share
    seen = visibilities_from_rows(read_video_part(study, video, VISIBILITY))
    unseen = {one.track_number: lost for one in seen if (lost := too_few_hands(one, min_hands_share=least))}
    spec = SMOOTHED if is_smoothed(study.config) else KEYPOINTS
    rows_of = keypoint_rows_by_track(read_video_part(study, video, spec))
    people = ((tracks[number], _stretches(rows)) for number, rows in rows_of.items() if number not in unseen)
    proposed = propose_candidates(
        people,
        sha256=video.sha256,
        taxonomy=study.taxonomy,
        config=study.config.proposals,
        model=chosen_model(study),
    )
    kept, dropped = split_dropped(proposed)
    dropped += unseen.values()
    before = asked_before(study, video)
    rewordable = before.unanswered if current_round(study).round_number else frozenset[str]()
    named = inherit_ids(kept, before.tasks, said=before.said, unanswered=rewordable)
    answered = answered_elsewhere(named, before.tasks, said=before.said)
    dropped += [_answered(candidate_id, question_id) for candidate_id, question_id in answered.items()]
    return candidates_to_rows(one for one in named if one.candidate_id not in answered), dropped


def _answered(candidate_id: CandidateId, question_id: CandidateId) -> Dropped:
    detail = f"people were asked about its class there in the question {question_id}"
    return Dropped(stage=STAGE, item_id=candidate_id, reason=DropReason.ANSWERED, detail=detail)


def _stretches(rows: pa.Table) -> Iterator[Stretch]:
    """Read the keypoints of one track stretch by stretch."""

    def read(first: int, end: int) -> KeypointSequence:
        (sequence,) = keypoints_from_rows(rows.slice(first, end - first))
        return sequence

    return stretches_of(rows["time_ns"].to_numpy(), read)
