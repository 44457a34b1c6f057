"""Videos of the study for labels that were made elsewhere: found by a file's name, with their frames and players."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from flows._plan import is_current, study_videos
from flows._stages import video_parts
from flows._study import Study
from flows._videos import read_video_part
from releases.imports.base import StudyVideo
from schema.arrow import FRAMES, PLAYERS, SOURCES, TRACKS
from schema.errors import DropReason, ItemError
from schema.people import Role
from schema.people_rows import roles_from_rows
from schema.records import Track, VideoRecord
from schema.rows import frame_times_from_rows, tracks_from_rows
from schema.timespan import NS_PER_SECOND


class StudyVideos:
    """The study's videos; what was read of one is kept."""

    def __init__(self, study: Study) -> None:
        """Take the videos of today; nothing of them is read yet."""
        self._study = study
        self._videos: dict[str, VideoRecord] = {video.video_id: video for video in study_videos(study)}
        self._read: dict[str, StudyVideo] = {}
        self._names: dict[str, set[str]] | None = None

    def __contains__(self, video_id: str) -> bool:
        """Tell whether the study holds the video."""
        return video_id in self._videos

    def named(self, name: str) -> StudyVideo:
        """Find the video of a file's name, without its ending; raises ``ItemError`` for none, and for several."""
        found = self._known_names().get(name.casefold(), set())
        if not found:
            raise ItemError(
                DropReason.MISSING, "the study holds no video of this file's name; collect it first, or rename the file"
            )
        if len(found) > 1:
            raise ItemError(
                DropReason.UNDECIDED, f"{len(found)} videos of the study have this file's name; rename the file"
            )
        return self.by_id(next(iter(found)))

    def by_id(self, video_id: str) -> StudyVideo:
        """Return a video of the study; raises ``ItemError`` where it is not perceived yet."""
        if video_id not in self._read:
            self._read[video_id] = self._opened(self._videos[video_id])
        return self._read[video_id]

    def _known_names(self) -> dict[str, set[str]]:
        if self._names is None:
            self._names = defaultdict(set)
            for row in self._study.store.read(SOURCES).to_pylist():
                if row["video_id"] not in self._videos:
                    continue
                for name in (row["title"], Path(row["location"]).stem, row["native_id"], row["video_id"]):
                    if name:
                        stem = Path(name).stem if row["platform"] == "file" else name
                        self._names[stem.casefold()].add(row["video_id"])
        return self._names

    def _opened(self, video: VideoRecord) -> StudyVideo:
        parts = video_parts(self._study, video)
        if not all(is_current(self._study, parts[spec.name]) for spec in (FRAMES, TRACKS, PLAYERS)):
            raise ItemError(
                DropReason.MISSING, "the video's people are not known yet; `pressroom perceive` comes before the import"
            )
        times = frame_times_from_rows(read_video_part(self._study, video, FRAMES), video_id=video.video_id)
        roles = roles_from_rows(read_video_part(self._study, video, PLAYERS))
        players = {role.track_number for role in roles if role.role is Role.PLAYER and role.kept}
        tracks = [t for t in tracks_from_rows(read_video_part(self._study, video, TRACKS)) if t.track_number in players]
        return StudyVideo(
            video_id=video.video_id, frame_times=times, player_at=lambda instant_ns: _player_at(tracks, instant_ns)
        )


def _player_at(tracks: list[Track], instant_ns: int) -> int:
    on_screen = [track for track in tracks if _covers(track, instant_ns)]
    if len(on_screen) == 1:
        return on_screen[0].track_number
    second = f"{instant_ns / NS_PER_SECOND:.2f} s"
    if not on_screen:
        raise ItemError(DropReason.ORPHANED, f"no player is followed at {second}; draw the region where one is seen")
    raise ItemError(DropReason.UNDECIDED, f"{len(on_screen)} players are on screen at {second}: whose region is it?")


def _covers(track: Track, instant_ns: int) -> bool:
    """Tell whether a track is on screen; its last frame is shown for as long as the one before it."""
    last_ns = int(np.diff(track.times_ns[-2:]).sum())
    return int(track.times_ns[0]) <= instant_ns <= int(track.times_ns[-1]) + last_ns
