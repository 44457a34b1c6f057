"""Who is the player, through a whole study: others get no keypoints, the undecided wait, and an answer goes through."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import _perception
from flows._cli import app
from flows._collection import collect_source, to_collect
from flows._inventory import take_inventory
from flows._plan import current_candidates, held_back, study_videos, to_perceive, to_push
from flows._scores import tell_scores
from flows._stages import video_parts
from flows._study import Study, open_study
from flows._videos import perceive_video, propose_video, read_video_part
from media.clips import write_clip
from schema.arrow import KEYPOINTS, PLAYERS, QUALITY, SOURCES, TRACKS, VISIBILITY
from schema.errors import DropReason
from schema.people import PersonAnchor, PlayerAnswer, Role
from schema.people_rows import quality_from_rows, roles_from_rows
from schema.rows import keypoints_from_rows, table_of, tracks_from_rows
from tests.studies import digests, make_study, run_to_candidates, set_keys
from tests.synthetic_people import PaintedPerson, hand_way, paint

LARGE, SMALL = (200, 20, 320, 236), (20, 120, 70, 210)
LEFT, RIGHT = (20, 40, 130, 236), (190, 40, 300, 236)
TOUCHES = ((1.5, 3.0),)


def paint_two(path: Path, boxes: tuple[tuple[int, int, int, int], ...], *, seconds: float = 5.0) -> None:
    """Write a film of two painted people who both touch their necks."""
    path.parent.mkdir(parents=True)
    ways = [hand_way(k / 10, TOUCHES) for k in range(round(seconds * 10))]
    pictures = (
        paint([PaintedPerson(color=c, box_xyxy=box, hand_at_neck=way) for c, box in enumerate(boxes)]) for way in ways
    )
    write_clip(pictures, path, frame_rate=10)


def two_people(root: Path, boxes: tuple[tuple[int, int, int, int], ...]) -> Study:
    """Run a study of one film of two people to its candidates."""
    paint_two(root / "recordings" / "two.mp4", boxes)
    run_to_candidates(make_study(root))
    return open_study(root)


def roles_in(study: Study) -> dict[int, Role]:
    (video,) = study_videos(study)
    return {role.track_number: role.role for role in roles_from_rows(read_video_part(study, video, PLAYERS))}


def estimated_in(study: Study) -> set[int]:
    (video,) = study_videos(study)
    return {s.track_number for s in keypoints_from_rows(read_video_part(study, video, KEYPOINTS))}


@pytest.fixture(scope="module")
def two_alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people alike."""
    root = tmp_path_factory.mktemp("alike") / "study"
    two_people(root, (LEFT, RIGHT))
    return root


@pytest.fixture
def alike(two_alike: Path, tmp_path: Path) -> Study:
    """A copy of that study to change."""
    return open_study(shutil.copytree(two_alike, tmp_path / "study"))


def answer_for(study: Study, *, player: int) -> PlayerAnswer:
    """Answer that one track is the player's and the others are not."""
    (video,) = study_videos(study)
    tracks = tracks_from_rows(read_video_part(study, video, TRACKS))
    anchors = {t.track_number: PersonAnchor(time_ns=2_000_000_000, box_xyxy=t.box_at(2_000_000_000)) for t in tracks}
    return PlayerAnswer(
        answer_id="a1",
        video_id=video.video_id,
        sha256=video.sha256,
        players=(anchors[player],),
        others=tuple(anchor for number, anchor in anchors.items() if number != player),
        annotator_id="r1",
        scripted=False,
        answered_ns=1,
    )


def answered(monkeypatch: pytest.MonkeyPatch, study: Study, given: PlayerAnswer) -> None:
    """Let the study know an answer, and perceive in this process."""
    for module in ("flows._stages", "flows._perception"):
        monkeypatch.setattr(f"{module}.player_answers", lambda *_: (given,))
    study.parts.clear()
    monkeypatch.setattr(_perception, "open_study", lambda _: study)
    (video,) = study_videos(study)
    _perception.perceive(lambda *_: None, str(study.layout.root), video.video_id, "proxies")


def test_who_is_not_the_player_gets_no_keypoints_and_no_candidates(tmp_path: Path) -> None:
    study = two_people(tmp_path / "study", (LARGE, SMALL))
    roles = roles_in(study)
    (player,) = (number for number, role in roles.items() if role is Role.PLAYER)
    assert set(roles.values()) == {Role.PLAYER, Role.OTHER}
    assert estimated_in(study) == {player}
    (video,) = study_videos(study)
    assert {c.track_number for _, c in current_candidates(study, [video])} == {player}
    part = video_parts(study, video)[PLAYERS.name]
    (lost,) = study.store.summary(PLAYERS, part.key, part.digest).dropped
    assert (lost.stage, lost.reason) == ("players", DropReason.NOT_THE_PLAYER)
    assert "size" in lost.detail


def test_candidates_of_the_undecided_wait_and_are_counted(alike: Study) -> None:
    videos = study_videos(alike)
    candidates = current_candidates(alike, videos)
    assert len(candidates) >= 2
    assert to_push(alike) == []
    assert held_back(alike) == len(candidates)
    inventory = take_inventory(alike, videos)
    assert (inventory.candidates_to_push, inventory.candidates_on_hold) == (0, len(candidates))
    assert inventory.roles == {"undecided": 2}
    set_keys(alike.layout.root, players={"ask": False})
    unasked = open_study(alike.layout.root)
    assert to_perceive(unasked, videos) == []
    assert len(to_push(unasked)) == len(candidates)


def test_an_answer_drops_the_other_and_lets_the_player_go_on(alike: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, alike, answer_for(alike, player=1))
    assert roles_in(alike) == {0: Role.OTHER, 1: Role.PLAYER}
    assert estimated_in(alike) == {1}
    (video,) = study_videos(alike)
    propose_video(alike, video)
    assert {candidate.track_number for _, candidate in to_push(alike)} == {1}
    assert held_back(alike) == 0


def test_everyone_is_kept_where_the_study_says_so(alike: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(alike.layout.root, players={"keep": "everyone"})
    keeping = open_study(alike.layout.root)
    answered(monkeypatch, keeping, answer_for(alike, player=1))
    assert roles_in(keeping) == {0: Role.OTHER, 1: Role.PLAYER}
    assert estimated_in(keeping) == {0, 1}


def test_keypoints_that_are_there_are_not_estimated_again_after_an_answer(
    alike: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    (video,) = study_videos(alike)
    before = read_video_part(alike, video, KEYPOINTS)
    looked_at: list[object] = []
    monkeypatch.setattr(_perception, "estimate_keypoints", lambda tracks, **_: looked_at.extend(tracks) or iter(()))
    answered(monkeypatch, alike, answer_for(alike, player=1))
    assert looked_at == []
    after = read_video_part(alike, video, KEYPOINTS)
    assert after.equals(before.filter([n == 1 for n in before["track_number"].to_pylist()]))


def test_keypoints_after_an_answer_are_the_bytes_of_a_fresh_run(alike: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    given = answer_for(alike, player=1)
    answered(monkeypatch, alike, given)
    reused = digests(alike.layout.root, ("players", "keypoints", "visibility"))
    for table in ("keypoints", "visibility"):
        for path in (alike.layout.root / table).glob("*"):
            path.unlink()
    answered(monkeypatch, alike, given)
    assert digests(alike.layout.root, ("players", "keypoints", "visibility")) == reused


def test_a_video_declared_with_two_people_keeps_both(alike: Study) -> None:
    (row, *_) = alike.store.read(SOURCES).to_pylist()
    assert row["person_id"] == "p1"
    alike.store.append(SOURCES, table_of(SOURCES, [row | {"source_id": "l" + "0" * 16, "person_id": "p2"}]))
    (video,) = study_videos(alike)
    assert to_perceive(alike, [video]) == [video]
    perceive_video(alike, video, lambda *_: None)
    assert set(roles_in(alike).values()) == {Role.PLAYER}


def test_too_few_hands_propose_nothing_and_say_so(alike: Study) -> None:
    (video,) = study_videos(alike)
    assert read_video_part(alike, video, VISIBILITY)["hands_share"].to_pylist() == [1.0, 1.0]
    set_keys(alike.layout.root, quality={"max_frozen_share": 0.0})
    strict = open_study(alike.layout.root)
    perceive_video(strict, video, lambda *_: None)
    assert estimated_in(strict) == set()
    part = video_parts(strict, video)[PLAYERS.name]
    reasons = {lost.reason for lost in strict.store.summary(PLAYERS, part.key, part.digest).dropped}
    assert reasons == {DropReason.POOR_QUALITY}


def test_score_only_measures_and_tells_and_estimates_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "study"
    paint_two(root / "recordings" / "two.mp4", (LARGE, SMALL), seconds=2.0)
    study = make_study(root)
    for entry in to_collect(study):
        collect_source(study, entry)
    (video,) = study_videos(study)
    assert perceive_video(study, video, lambda *_: None, score_only=True).done == 1
    assert not (root / "keypoints").exists()
    assert not (root / "proxies").exists()
    assert to_perceive(study, [video], score_only=True) == []
    assert to_perceive(study, [video]) == [video]
    whole, *tracks = quality_from_rows(read_video_part(study, video, QUALITY))
    assert whole.track_number is None
    assert sorted(quality.height_px for quality in tracks) == pytest.approx([90, 216], abs=4)
    tell_scores(study, as_json=True)
    told = json.loads(capsys.readouterr().out)[video.video_id]
    assert [(person["role"], person["kept"]) for person in told] == [("player", True), ("other", False)]
    tell_scores(study, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{video.video_id}: 2 people"
    assert [line.split()[1] for line in lines if line.split()[0] in ("0", "1")] == ["player", "other"]


def test_the_command_measures_alone_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch, alike: Study) -> None:
    called: list[tuple[tuple[str, ...], dict[str, bool]]] = []
    monkeypatch.setattr(
        "flows._runner.run_stages", lambda _, names, **options: called.append((names, options)) or iter(())
    )
    told = CliRunner().invoke(app, ["perceive", "--score-only", str(alike.layout.root)])
    assert told.exit_code == 0, told.output
    assert called == [(("perceive",), {"score_only": True})]
    assert "undecided" in told.output
