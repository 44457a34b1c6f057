"""``pressroom preview``: films that browsers play, frame for frame; nothing of the picture on black; clear refusals."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from drawing.people import Background
from flows import _preview_data
from flows._cli import app
from flows._plan import study_video, study_videos
from flows._preview import _Preview, preview_video
from flows._preview_data import PreviewData
from flows._stages import video_parts
from flows._study import Study, open_study
from media.clips import write_clip
from schema.arrow import CANDIDATES, KEYPOINTS, TRACKS
from schema.contacts import Touch
from schema.errors import UsageError
from schema.people import DecidedBy, Role, TrackRole
from schema.records import VideoRecord
from tests.studies import make_study, paint_video, run_to_candidates
from tests.synthetic_people import PaintedPerson, paint

LEFT, RIGHT = (20, 40, 120, 236), (190, 40, 290, 236)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One interview of a person who touches the neck, and one picture with two people after a cut."""
    root = tmp_path_factory.mktemp("preview") / "study"
    study = make_study(root)
    paint_video(root / "recordings" / "one.mp4")
    two = [
        paint([PaintedPerson(color=0, box_xyxy=LEFT), PaintedPerson(color=1, box_xyxy=RIGHT)], background=1)
        for _ in range(25)
    ]
    alone = [paint([PaintedPerson(color=2)]) for _ in range(25)]
    write_clip([*alone, *two], root / "recordings" / "two.mp4", frame_rate=10)
    run_to_candidates(study)
    return study


@pytest.fixture
def one(study: Study) -> VideoRecord:
    return max(study_videos(study), key=lambda video: video.frame_count)


@pytest.fixture
def two(study: Study) -> VideoRecord:
    return min(study_videos(study), key=lambda video: video.frame_count)


def pictures(film: Path) -> Iterator[np.ndarray]:
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def test_a_film_plays_in_a_browser_and_has_the_videos_frames(study: Study, one: VideoRecord) -> None:
    film, sheet = preview_video(study, one.video_id, background="picture")
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.frames) == ("h264", "yuv420p", one.frame_count)
        assert float(stream.average_rate) == float(one.average_rate)
    start = film.read_bytes()[:4096]
    assert start.find(b"moov") > 0, "the index comes first: the film plays while it loads"
    with Image.open(sheet) as picture:
        assert picture.width == 1600
    assert sheet.parent.stat().st_mode & 0o077 == 0, "people are recognisable on the picture"


def test_on_black_the_video_is_not_even_opened(study: Study, one: VideoRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows._preview.decode_frames", lambda *_, **__: pytest.fail("the video was opened"))
    film, _ = preview_video(study, one.video_id, background="black")
    data = PreviewData(study, one)
    height = 480
    shown = next(pictures(film))[:height]
    drawn = data.people_of(0)
    assert len(drawn) == 1
    assert (shown.max(axis=2) < 40).mean() > 0.8, "black but for a skeleton and a box"
    assert (shown.max(axis=2) > 150).any()


def test_the_strip_follows_the_contact_and_its_candidate(study: Study, one: VideoRecord) -> None:
    data = PreviewData(study, one)
    (hands,) = data.hands
    right = hands.touches[:, 1]
    seconds = hands.frame_indices / 10
    assert (right[(seconds > 2.4) & (seconds < 3.2)] == Touch.TOUCHING).all()
    assert (right[(seconds < 1.5) | (seconds > 4.2)] < Touch.NEAR).all()
    flags = [flag.words for person in data.people_of(28) for flag in person.flags]
    assert len(flags) == 1
    assert flags[0].startswith("right hand: ")
    assert any(c.span.contains(2_800_000_000) for c in data.candidates)


def test_a_cut_and_everybody_are_in_the_lanes(study: Study, two: VideoRecord) -> None:
    data = PreviewData(study, two)
    assert len(data.shots) == 2
    assert [len(data.people_of(k)) for k in (0, 24, 25, 49)] == [1, 1, 2, 2]
    assert len(data.contents.presences) == len(data.tracks) == 3


def test_roles_and_letters_come_from_what_was_decided(
    study: Study, two: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = [
        _role(two, track_number=n, person_number=person, role=role)
        for n, (person, role) in enumerate(((0, Role.PLAYER), (0, Role.PLAYER), (1, Role.OTHER)))
    ]
    monkeypatch.setattr(PreviewData, "roles", roles)
    data = PreviewData(study, two)
    words = [[person.label.words for person in data.people_of(k) if person.label] for k in (0, 30)]
    assert words == [["A player"], ["A player", "B other"]]
    told = " ".join(_Preview(data, Background.BLACK)._people())
    assert "A player 80%: left hand seen in" in told
    assert "seated in the middle" in told


def _role(video: VideoRecord, *, track_number: int, person_number: int, role: Role) -> TrackRole:
    return TrackRole(
        video_id=video.video_id,
        track_number=track_number,
        shot_number=min(track_number, 1),
        person_number=person_number,
        role=role,
        kept=role is not Role.OTHER,
        confidence=0.8,
        decided_by=DecidedBy.EVIDENCE,
        score=0.8,
        seconds=2.5,
        time_share=1.0,
        size=0.5,
        center_distance=0.1,
        travel=0.0,
        facing_share=None,
        frozen_share=0.0,
        reason="seated in the middle",
    )


def test_a_long_video_is_drawn_window_by_window_with_the_same_result(
    study: Study, one: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PreviewData(study, one)
    expected = [whole.people_of(k) for k in range(one.frame_count)]
    monkeypatch.setattr(_preview_data, "WINDOW_FRAMES", 7)
    monkeypatch.setattr(_preview_data, "FLAG_FRAMES", 25)
    monkeypatch.setattr(_preview_data, "FLAG_MARGIN", 20)
    cut = PreviewData(study, one)
    for k, people in enumerate(expected):
        shown = cut.people_of(k)
        assert len(cut._people) <= 7
        assert [p.box_xyxy for p in shown] == [p.box_xyxy for p in people]
        assert [[f.evidence for f in p.flags] for p in shown] == [[f.evidence for f in p.flags] for p in people]
        for got, wanted in zip(shown, people, strict=True):
            np.testing.assert_array_equal(got.keypoints_xy, wanted.keypoints_xy)


def test_what_was_not_made_yet_is_said_and_the_rest_is_drawn(
    study: Study, one: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = PreviewData.has
    for missing, words in ((CANDIDATES, "no candidates yet"), (KEYPOINTS, "no keypoints yet")):
        monkeypatch.setattr(PreviewData, "has", lambda self, spec, gone=missing: spec is not gone and has(self, spec))
        film, _ = preview_video(study, one.video_id, background="black")
        assert sum(1 for _ in pictures(film)) == one.frame_count
        assert words in " ".join(_Preview(PreviewData(study, one), Background.BLACK)._missing())


def test_the_command_names_both_files(study: Study, one: VideoRecord) -> None:
    result = CliRunner().invoke(app, ["preview", str(study.layout.root), one.video_id])
    assert result.exit_code == 0
    files = [str(study.layout.previews / f"{one.video_id}-black.{suffix}") for suffix in ("mp4", "png")]
    assert result.stdout.splitlines() == files


def test_progress_is_told_frame_by_frame(study: Study, one: VideoRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str, int, int]] = []
    monkeypatch.setattr("flows._preview.current_progress", lambda: lambda *facts: told.append(facts))
    preview_video(study, one.video_id, background="black")
    count = one.frame_count
    assert told == [("preview", one.video_id, done, count) for done in range(1, count + 1)]


def test_what_cannot_be_drawn_is_said_in_one_line(
    study: Study, one: VideoRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no background 'white'; there are picture, black"):
        preview_video(study, one.video_id, background="white")
    with pytest.raises(UsageError, match="no video 'v123'; `pressroom status` lists them"):
        preview_video(study, "v123", background="black")
    monkeypatch.setattr("flows._preview.disposed_videos", lambda _: {one.video_id})
    with pytest.raises(UsageError, match=r"was deleted .* or draw it on black"):
        preview_video(study, one.video_id, background="picture")
    part = video_parts(study, one)[TRACKS.name]
    path = study.store.part_path(part.spec, part.key, part.digest)
    path.rename(tmp_path / "kept")
    try:
        with pytest.raises(UsageError, match="nobody was followed in it yet; `pressroom perceive` does it"):
            preview_video(study, one.video_id, background="black")
    finally:
        (tmp_path / "kept").rename(path)


def test_a_video_without_a_frame_or_without_people_is_no_crash(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study")
    empty = tmp_path / "study" / "recordings" / "empty_room.mp4"
    empty.parent.mkdir(parents=True)
    write_clip([paint([]) for _ in range(12)], empty, frame_rate=10)
    run_to_candidates(study)
    (video,) = study_videos(open_study(study.layout.root))
    film, sheet = preview_video(study, video.video_id, background="picture")
    assert sum(1 for _ in pictures(film)) == study_video(study, video.video_id).frame_count == 12
    assert sheet.exists()
