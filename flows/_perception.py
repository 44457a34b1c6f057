"""Perception of one video, stage after stage: runs in a child process and writes one part a stage."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from flows._backends import build_back_end
from flows._isolation import Report
from flows._plan import is_current, study_video
from flows._stages import PERCEPTION_STAGES, Part, video_parts
from flows._study import Study, open_study
from media.frames import VideoFrame, decode_frames, read_frame_times
from media.proxies import write_proxy
from media.store import MediaStore
from perception.keypoints import estimate_keypoints
from perception.shots import detect_shots
from perception.tracks import track_people
from schema.arrow import FRAMES, KEYPOINTS, PROXIES, SHOTS, TRACKS, TableSpec
from schema.errors import DropReason, ItemError
from schema.records import Dropped, FrameTimes, Shot, Track, VideoId, VideoRecord
from schema.rows import (
    concatenated,
    frame_times_from_rows,
    frame_times_to_rows,
    keypoints_to_rows,
    shots_from_rows,
    shots_to_rows,
    table_of,
    track_to_rows,
    tracks_from_rows,
)

Out = TypeVar("Out")
Made = tuple[pa.Table, list[Dropped]]


def perceive(report: Report, root: str, video_id: str) -> None:
    """Make every part of the video that is not current; the entry point of the child process."""
    study = open_study(root)
    video = study_video(study, video_id)
    work = _VideoWork(study, video, report)
    for spec in PERCEPTION_STAGES:
        part = work.parts[spec.name]
        if not is_current(study, part):
            report(spec.name, 0, video.frame_count)
            rows, dropped = work.make(spec)
            write_part(study, part, rows, dropped)


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

    def make(self, spec: TableSpec) -> Made:
        """Make the rows of one table; a video without frames has none in any later table."""
        makers: dict[str, Callable[[], Made]] = {
            FRAMES.name: self._frames,
            SHOTS.name: self._shots,
            TRACKS.name: self._tracks,
            KEYPOINTS.name: self._keypoints,
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

    def _decoded(self, stage: str, first_frame: int, end_frame: int) -> Iterator[VideoFrame]:
        times = self._times()
        for frame in decode_frames(self.path, times, first_frame=first_frame, end_frame=end_frame):
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
        kept, dropped = split_dropped(detect_shots([times], frames_of=frames_of, detector=detector, config=config))
        return shots_to_rows(kept), dropped

    def _tracks(self) -> Made:
        config = self.study.config.tracks

        def frames_of(shot: Shot) -> Iterable[VideoFrame]:
            return self._decoded(TRACKS.name, shot.first_frame, shot.end_frame)

        shots = shots_from_rows(self._read(SHOTS))
        tracker = build_back_end(self.study.config.back_ends, "tracks")
        kept, dropped = split_dropped(track_people(shots, frames_of=frames_of, tracker=tracker, config=config))
        if not kept:
            dropped.append(self._nobody(dropped))
        return concatenated(TRACKS, map(track_to_rows, kept)), dropped

    def _nobody(self, dropped: list[Dropped]) -> Dropped:
        """Say of the whole video what its shots came to."""
        glimpses = sum(lost.reason is DropReason.TOO_SHORT for lost in dropped)
        reason = DropReason.TOO_SHORT if glimpses else DropReason.NO_PERSON
        detail = "nobody was followed for long enough" if glimpses else "nobody was found in any shot"
        return Dropped(stage=TRACKS.name, item_id=self.video.video_id, reason=reason, detail=detail)

    def _keypoints(self) -> Made:
        config = self.study.config.keypoints

        def frames_of(first_frame: int, end_frame: int) -> Iterable[VideoFrame]:
            return self._decoded(KEYPOINTS.name, first_frame, end_frame)

        tracks: list[Track] = tracks_from_rows(self._read(TRACKS))
        estimator = build_back_end(self.study.config.back_ends, "keypoints")
        rows: dict[int, pa.Table] = {}
        dropped: list[Dropped] = []
        for item in estimate_keypoints(tracks, frames_of=frames_of, estimator=estimator, config=config):
            if isinstance(item, Dropped):
                dropped.append(item)
            else:
                rows[item.track_number] = keypoints_to_rows(item)
        return concatenated(KEYPOINTS, (rows[number] for number in sorted(rows))), dropped

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
