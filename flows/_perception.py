"""Perception of one video, stage after stage: runs in a child process and writes one part a stage."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from flows._backends import build_back_end
from flows._isolation import Report
from flows._plan import is_current, study_video
from flows._player_answers import player_answers
from flows._reuse import estimated_before, track_of
from flows._roster import expected_players
from flows._stages import Part, perception_stages, video_parts
from flows._study import Study, open_study
from media.ahead import read_ahead
from media.frames import VideoFrame, decode_frames, read_frame_times
from media.proxies import write_proxy
from media.store import MediaStore
from perception.keypoints import estimate_keypoints
from perception.live import detect_shots_and_track_people
from perception.players import choose_players, keep_tracks
from perception.quality import frames_to_sample, measure_quality
from perception.shots import LiveShotDetector, detect_shots
from perception.smoothing import smooth_sequences
from perception.tracks import track_people
from perception.visibility import measure_visibility
from schema.arrow import FRAMES, KEYPOINTS, PLAYERS, PROXIES, QUALITY, SHOTS, SMOOTHED, TRACKS, VISIBILITY, TableSpec
from schema.errors import DropReason, ItemError
from schema.people_rows import quality_from_rows, quality_to_rows, roles_from_rows, roles_to_rows, visibilities_to_rows
from schema.records import Dropped, FrameTimes, Shot, Track, VideoId, VideoRecord
from schema.rows import (
    concatenated,
    frame_times_from_rows,
    frame_times_to_rows,
    keypoints_from_rows,
    keypoints_to_rows,
    shots_from_rows,
    shots_to_rows,
    table_of,
    track_to_rows,
    tracks_from_rows,
)

Out = TypeVar("Out")
Made = tuple[pa.Table, list[Dropped]]


def perceive(report: Report, root: str, video_id: str, last_stage: str) -> None:
    """Make the parts of the video up to a stage that are not current; the entry point of the child process."""
    study = open_study(root)
    video = study_video(study, video_id)
    work = _VideoWork(study, video, report)
    for spec in perception_stages(study.config):
        part = work.parts[spec.name]
        if not is_current(study, part):
            report(spec.name, 0, video.frame_count)
            rows, dropped = work.make(spec)
            write_part(study, part, rows, dropped)
        if spec.name == last_stage:
            return


def write_part(study: Study, part: Part, rows: pa.Table, dropped: Iterable[Dropped]) -> None:
    """Write a part with the document that explains it."""
    facts = {"document": json.dumps(part.document, sort_keys=True)}
    study.store.write_part(part.spec, part.key, part.digest, rows, dropped=list(dropped), facts=facts)


def split_dropped(items: Iterable[Out | Dropped]) -> tuple[list[Out], list[Dropped]]:
    """Part what a stage yields into what it kept and what it dropped."""
    kept: list[Out] = []
    dropped: list[Dropped] = []
    for item in items:
        if isinstance(item, Dropped):
            dropped.append(item)
        else:
            kept.append(item)
    return kept, dropped


class _VideoWork:
    """The stages of one video, each reading what the one before wrote."""

    def __init__(self, study: Study, video: VideoRecord, report: Report) -> None:
        self.study, self.video, self.report = study, video, report
        self.parts = video_parts(study, video)
        self.path: Path = MediaStore(study.layout).path_of(video.sha256)
        self._followed: tuple[list[Track], list[Dropped]] | None = None

    def make(self, spec: TableSpec) -> Made:
        """Make the rows of one table; a video without frames has none in any later table."""
        makers: dict[str, Callable[[], Made]] = {
            FRAMES.name: self._frames,
            SHOTS.name: self._shots,
            TRACKS.name: self._tracks,
            QUALITY.name: self._quality,
            PLAYERS.name: self._players,
            KEYPOINTS.name: self._keypoints,
            VISIBILITY.name: self._visibility,
            SMOOTHED.name: self._smoothed,
            PROXIES.name: self._proxies,
        }
        if spec is not FRAMES and self._read(FRAMES).num_rows == 0:
            return concatenated(spec, ()), []
        return makers[spec.name]()

    def _read(self, spec: TableSpec) -> pa.Table:
        part = self.parts[spec.name]
        return self.study.store.read_part(spec, part.key, part.digest)

    def _times(self) -> FrameTimes:
        return frame_times_from_rows(self._read(FRAMES), video_id=self.video.video_id)

    def _decoded(
        self, stage: str, first_frame: int, end_frame: int, *, only: frozenset[int] | None = None
    ) -> Iterator[VideoFrame]:
        times = self._times()
        decoded = decode_frames(self.path, times, first_frame=first_frame, end_frame=end_frame, only=only)
        for frame in read_ahead(decoded):
            yield frame
            self.report(stage, frame.frame_index + 1, times.times_ns.shape[0])

    def _frames(self) -> Made:
        try:
            times, _ = read_frame_times(self.path, video_id=self.video.video_id, sha256=self.video.sha256)
        except ItemError as error:
            lost = Dropped(stage=FRAMES.name, item_id=self.video.video_id, reason=error.reason, detail=error.detail)
            return concatenated(FRAMES, ()), [lost]
        return frame_times_to_rows(times), []

    def _shots(self) -> Made:
        config = self.study.config.shots
        times = self._times()

        def frames_of(_: VideoId) -> Iterable[VideoFrame]:
            return self._decoded(SHOTS.name, 0, times.times_ns.shape[0])

        detector = build_back_end(self.study.config.back_ends, "shots")
        if isinstance(detector, LiveShotDetector) and not is_current(self.study, self.parts[TRACKS.name]):
            return self._shots_with_tracks(detector, times)
        kept, dropped = split_dropped(detect_shots([times], frames_of=frames_of, detector=detector, config=config))
        return shots_to_rows(kept), dropped

    def _shots_with_tracks(self, detector: LiveShotDetector, times: FrameTimes) -> Made:
        """Decode once for both stages; a run that is killed between them makes the tracks on their own."""
        # Told as the tracks' work, most of which it is: a process that dies of it has died of the tracker.
        self.report(TRACKS.name, 0, times.times_ns.shape[0])
        frames = self._decoded(TRACKS.name, 0, times.times_ns.shape[0])
        made = detect_shots_and_track_people(
            times,
            frames=frames,
            detector=detector,
            tracker=build_back_end(self.study.config.back_ends, "tracks"),
            shots_config=self.study.config.shots,
            tracks_config=self.study.config.tracks,
        )
        kept, dropped = split_dropped(made)
        lost_shots = [lost for lost in dropped if lost.stage == SHOTS.name]
        if not lost_shots:
            self._followed = [item for item in kept if isinstance(item, Track)], dropped
        return shots_to_rows(item for item in kept if isinstance(item, Shot)), lost_shots

    def _tracks(self) -> Made:
        kept, dropped = self._followed or self._tracked()
        if not kept:
            dropped.append(self._nobody(dropped))
        return concatenated(TRACKS, map(track_to_rows, kept)), dropped

    def _tracked(self) -> tuple[list[Track], list[Dropped]]:
        config = self.study.config.tracks

        def frames_of(shot: Shot) -> Iterable[VideoFrame]:
            return self._decoded(TRACKS.name, shot.first_frame, shot.end_frame)

        shots = shots_from_rows(self._read(SHOTS))
        tracker = build_back_end(self.study.config.back_ends, "tracks")
        return split_dropped(track_people(shots, frames_of=frames_of, tracker=tracker, config=config))

    def _nobody(self, dropped: list[Dropped]) -> Dropped:
        """Say of the whole video what its shots came to."""
        glimpses = sum(lost.reason is DropReason.TOO_SHORT for lost in dropped)
        reason = DropReason.TOO_SHORT if glimpses else DropReason.NO_PERSON
        detail = "nobody was followed for long enough" if glimpses else "nobody was found in any shot"
        return Dropped(stage=TRACKS.name, item_id=self.video.video_id, reason=reason, detail=detail)

    def _quality(self) -> Made:
        config = self.study.config.quality.sampling
        tracks, shots = tracks_from_rows(self._read(TRACKS)), shots_from_rows(self._read(SHOTS))
        wanted = frames_to_sample(tracks, shots, config)
        frames = self._decoded(QUALITY.name, min(wanted, default=0), max(wanted, default=-1) + 1, only=wanted)
        faces = build_back_end(self.study.config.back_ends, "faces")
        return quality_to_rows(measure_quality(tracks, shots, frames=frames, faces=faces, config=config)), []

    def _players(self) -> Made:
        config = self.study.config
        qualities = quality_from_rows(self._read(QUALITY))
        roles = choose_players(
            tracks_from_rows(self._read(TRACKS)),
            qualities=qualities,
            size=(self.video.width, self.video.height),
            answers=player_answers(self.study, self.video),
            expected=expected_players(self.study, self.video.video_id),
            config=config.players,
        )
        decided, dropped = keep_tracks(roles, qualities, players=config.players, quality=config.quality)
        return roles_to_rows(decided), dropped

    def _kept_tracks(self) -> list[Track]:
        kept = {role.track_number for role in roles_from_rows(self._read(PLAYERS)) if role.kept}
        return [track for track in tracks_from_rows(self._read(TRACKS)) if track.track_number in kept]

    def _visibility(self) -> Made:
        rows = self._read(KEYPOINTS)
        return visibilities_to_rows(measure_visibility(s) for s in keypoints_from_rows(rows)), []

    def _smoothed(self) -> Made:
        sequences = smooth_sequences(keypoints_from_rows(self._read(KEYPOINTS)), config=self.study.config.smoothing)
        return concatenated(SMOOTHED, map(keypoints_to_rows, sequences)), []

    def _keypoints(self) -> Made:
        config = self.study.config.keypoints

        def frames_of(first_frame: int, end_frame: int, only: frozenset[int]) -> Iterable[VideoFrame]:
            return self._decoded(KEYPOINTS.name, first_frame, end_frame, only=only)

        known = estimated_before(self.study, self.parts[KEYPOINTS.name])
        kept = self._kept_tracks()
        rows = {t.track_number: known.rows[t.track_number] for t in kept if t.track_number in known.rows}
        lost = {t.track_number: known.dropped[t.track_number] for t in kept if t.track_number in known.dropped}
        tracks = [t for t in kept if t.track_number not in rows and t.track_number not in lost]
        estimator = build_back_end(self.study.config.back_ends, "keypoints")
        for item in estimate_keypoints(tracks, frames_of=frames_of, estimator=estimator, config=config):
            if isinstance(item, Dropped):
                lost[track_of(item)] = item
            else:
                rows[item.track_number] = keypoints_to_rows(item)
        made = concatenated(KEYPOINTS, (rows[number] for number in sorted(rows)))
        return made, [lost[number] for number in sorted(lost)]

    def _proxies(self) -> Made:
        part = self.parts[PROXIES.name]
        name = f"{self.video.video_id}.{part.digest}.mp4"
        target = self.study.layout.table(PROXIES) / name
        for older in target.parent.glob(f"{self.video.video_id}.*.mp4"):
            older.unlink()
        made = write_proxy(self.path, target, self._times(), config=self.study.config.proxies)
        row = {
            "video_id": self.video.video_id,
            "sha256": self.video.sha256,
            "file": f"{PROXIES.name}/{name}",
            "frame_count": made.frame_count,
            "frame_rate": made.frame_rate,
            "width": made.width,
            "height": made.height,
        }
        return table_of(PROXIES, [row]), []
