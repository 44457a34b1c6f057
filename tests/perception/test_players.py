"""Who is the player: decided over the whole video, with evidence, and a person's answer wins."""

from dataclasses import replace

import numpy as np
import pytest

from perception.players import PlayersConfig, choose_players, keep_tracks
from perception.quality import QualityConfig
from schema.errors import ConfigError, DropReason
from schema.people import COLOR_BINS, DecidedBy, PersonAnchor, PlayerAnswer, Quality, Role
from schema.people_rows import roles_from_rows, roles_to_rows
from schema.records import Track, VideoId

TENTH_NS = 100_000_000
SIZE = (640, 360)
MIDDLE, LEFT, RIGHT = (220, 40, 420, 360), (20, 120, 140, 330), (500, 120, 620, 330)
RED, BLUE, GREY = 0, 32, 60


def track(number, box, *, shot=0, frames=100, first=0, walks_px=0.0):
    indices = np.arange(first, first + frames, dtype=np.int32)
    boxes = np.tile(np.array(box, dtype=np.float32), (frames, 1))
    boxes[:, [0, 2]] += np.arange(frames, dtype=np.float32)[:, None] * walks_px
    return Track(
        video_id=VideoId("v1"),
        track_number=number,
        shot_number=shot,
        frame_indices=indices,
        times_ns=indices.astype(np.int64) * TENTH_NS,
        boxes_xyxy=boxes,
        scores=np.ones(frames, dtype=np.float32),
    )


def quality(number, *, shot=0, clothes=RED, facing=0.9, frozen=0.0, height_px=300.0, samples=10):
    colors = np.zeros(COLOR_BINS, np.uint8)
    colors[clothes] = 255
    return Quality(
        video_id=VideoId("v1"),
        shot_number=shot,
        track_number=number,
        sample_count=samples,
        height_px=height_px,
        height_share=height_px / SIZE[1],
        sharpness=0.7,
        frozen_share=frozen,
        hidden_share=0.0,
        cut_share=0.0,
        inset_share=0.0,
        brightness=0.4,
        clipped_share=0.0,
        facing_share=facing,
        colors=colors,
    )


def decided(tracks, qualities, *, answers=(), expected=1, **settings):
    roles = choose_players(
        tracks,
        qualities=qualities,
        size=SIZE,
        answers=answers,
        expected=expected,
        config=PlayersConfig(**settings),
    )
    return {role.track_number: role for role in roles}


def roles_of(tracks, qualities, **options):
    return {number: role.role.value for number, role in decided(tracks, qualities, **options).items()}


def answer(*, players=(), others=(), annotator="r1", answered_ns=1, scripted=False):
    return PlayerAnswer(
        answer_id=f"a{annotator}{answered_ns}",
        video_id=VideoId("v1"),
        sha256="0" * 64,
        players=tuple(players),
        others=tuple(others),
        annotator_id=annotator,
        scripted=scripted,
        answered_ns=answered_ns,
    )


def at(box, *, time_ns=5_000_000_000):
    return PersonAnchor(time_ns=time_ns, box_xyxy=box)


ALIKE = [track(0, LEFT), track(1, RIGHT)], [quality(0), quality(1, clothes=BLUE)]


def test_nobody_there_is_nobody_chosen():
    assert decided([], []) == {}


def test_a_person_alone_is_the_player_even_small_and_turned_away():
    assert roles_of([track(4, LEFT, frames=8)], [quality(4, facing=0.0)]) == {4: "player"}


def test_a_moderator_at_the_side_and_an_interpreter_are_others():
    tracks = [track(0, MIDDLE), track(1, LEFT), track(2, RIGHT, frames=60)]
    qualities = [quality(0), quality(1, clothes=BLUE, facing=0.3), quality(2, clothes=GREY, facing=0.5)]
    assert roles_of(tracks, qualities) == {0: "player", 1: "other", 2: "other"}


def test_journalists_backs_in_front_are_others_however_large():
    back = (0, 150, 330, 360)
    tracks = [track(0, (320, 30, 460, 260)), track(1, back)]
    assert roles_of(tracks, [quality(0), quality(1, clothes=GREY, facing=0.0)])[1] != "player"
    told = decided(tracks, [quality(0, facing=1.0), quality(1, clothes=GREY, facing=0.0)])
    assert told[0].score > told[1].score


def test_a_poster_is_nobody_though_it_is_large_and_faces_the_camera():
    tracks = [track(0, LEFT), track(1, (200, 0, 460, 360))]
    told = decided(tracks, [quality(0, facing=0.6), quality(1, clothes=BLUE, facing=1.0, frozen=1.0)])
    assert (told[0].role, told[1].role) == (Role.PLAYER, Role.OTHER)
    assert "does not change in 100% of samples" in told[1].reason


def test_a_player_who_sits_still_alone_is_no_poster():
    assert roles_of([track(0, MIDDLE)], [quality(0, frozen=1.0)]) == {0: "player"}


def test_somebody_who_walks_across_is_an_other():
    passing = track(1, (0, 20, 160, 360), frames=30, walks_px=16.0)
    told = decided([track(0, MIDDLE), passing], [quality(0), quality(1, clothes=BLUE)])
    assert (told[0].role, told[1].role) == (Role.PLAYER, Role.OTHER)
    assert told[1].travel > 0.5 > told[0].travel


def test_two_alike_are_undecided_and_with_two_expected_both_players():
    assert roles_of(*ALIKE) == {0: "undecided", 1: "undecided"}
    assert roles_of(*ALIKE, expected=2) == {0: "player", 1: "player"}


def test_with_two_expected_a_third_at_the_side_is_still_an_other():
    third = track(2, (600, 200, 640, 300), frames=40)
    told = roles_of([*ALIKE[0], third], [*ALIKE[1], quality(2, clothes=GREY, facing=0.1)], expected=2)
    assert told == {0: "player", 1: "player", 2: "other"}


def test_one_persons_tracks_share_a_number_across_shots_and_other_clothes_do_not():
    tracks = [
        track(0, MIDDLE, shot=0),
        track(1, MIDDLE, shot=1, first=100, frames=30),
        track(2, (230, 50, 430, 360), shot=2, first=130),
    ]
    qualities = [quality(0), quality(1, shot=1, clothes=BLUE), quality(2, shot=2)]
    told = decided(tracks, qualities)
    assert told[0].person_number == told[2].person_number == 0
    assert told[1].person_number == 1
    assert told[0].role is told[2].role is Role.PLAYER


def test_people_who_are_seen_at_once_are_never_one_person():
    told = decided([track(0, LEFT), track(1, (40, 120, 160, 330))], [quality(0), quality(1)])
    assert told[0].person_number != told[1].person_number


def test_the_choice_is_made_over_the_video_and_not_in_each_shot():
    cutaway = track(1, (100, 0, 560, 360), shot=1, first=100, frames=20)
    tracks = [track(0, MIDDLE), cutaway, track(2, MIDDLE, shot=2, first=120)]
    qualities = [quality(0), quality(1, shot=1, clothes=BLUE, facing=0.4), quality(2, shot=2)]
    assert roles_of(tracks, qualities) == {0: "player", 1: "other", 2: "player"}


def test_a_dropped_person_who_may_be_the_player_in_other_clothes_is_asked_about():
    tracks = [track(0, MIDDLE, frames=170), track(1, MIDDLE, shot=1, first=200, frames=40)]
    told = decided(tracks, [quality(0), quality(1, shot=1, clothes=BLUE)])
    assert told[0].role is Role.PLAYER
    assert told[1].role is Role.UNDECIDED
    assert "may be the player in other clothes" in told[1].reason


def test_people_who_follow_one_another_for_as_long_are_all_asked_about():
    boxes = (MIDDLE, (100, 0, 560, 360), (260, 120, 380, 330))
    tracks = [track(k, box, shot=k, first=100 * k) for k, box in enumerate(boxes)]
    qualities = [quality(k, shot=k, clothes=c, facing=f) for k, c, f in ((0, RED, 1.0), (1, BLUE, 0.1), (2, GREY, 0.5))]
    assert set(roles_of(tracks, qualities).values()) == {"undecided"}


def test_evidence_that_was_not_looked_for_plays_no_part():
    tracks = [track(0, MIDDLE), track(1, LEFT)]
    qualities = [quality(0, facing=None), quality(1, clothes=BLUE, facing=None)]
    assert roles_of(tracks, qualities) == {0: "player", 1: "other"}


def test_the_order_of_the_tracks_does_not_matter():
    tracks, qualities = ALIKE
    assert decided(tracks, qualities) == decided(tracks[::-1], qualities[::-1])


def test_an_answer_wins_over_the_evidence():
    tracks = [track(0, MIDDLE), track(1, LEFT)]
    qualities = [quality(0), quality(1, clothes=BLUE, facing=0.3)]
    told = decided(tracks, qualities, answers=[answer(players=[at((22, 118, 138, 334))], others=[at(MIDDLE)])])
    assert {n: (r.role, r.decided_by, r.confidence) for n, r in told.items()} == {
        0: (Role.OTHER, DecidedBy.ANSWER, 1.0),
        1: (Role.PLAYER, DecidedBy.ANSWER, 1.0),
    }


def test_an_answer_about_one_moment_holds_for_all_of_the_persons_tracks():
    tracks = [*ALIKE[0], track(2, LEFT, shot=1, first=100), track(3, RIGHT, shot=1, first=100)]
    qualities = [*ALIKE[1], quality(2, shot=1), quality(3, shot=1, clothes=BLUE)]
    told = roles_of(tracks, qualities, answers=[answer(players=[at(RIGHT)], others=[at(LEFT)])])
    assert told == {0: "other", 1: "player", 2: "other", 3: "player"}


def test_an_answer_reattaches_to_tracks_that_were_made_anew():
    old = [at(RIGHT, time_ns=2_000_000_000), at(RIGHT, time_ns=8_000_000_000)]
    moved = [
        track(7, LEFT),
        track(8, (490, 110, 628, 340), frames=50),
        track(9, (505, 125, 615, 325), first=60, frames=40),
    ]
    qualities = [quality(7), quality(8, clothes=BLUE), quality(9, clothes=BLUE)]
    told = roles_of(moved, qualities, answers=[answer(players=old, others=[at(LEFT)])])
    assert told == {7: "other", 8: "player", 9: "player"}


def test_an_answer_about_nobody_who_is_followed_changes_nothing():
    elsewhere = answer(players=[at((300, 0, 340, 40))], others=[at(LEFT, time_ns=60_000_000_000)])
    assert decided(*ALIKE, answers=[elsewhere]) == decided(*ALIKE)


def test_nobody_shown_is_the_player_drops_all_of_them():
    told = roles_of(*ALIKE, answers=[answer(others=[at(LEFT), at(RIGHT)])])
    assert told == {0: "other", 1: "other"}


def test_people_whom_the_question_did_not_show_are_others_once_the_player_is_named():
    third = track(2, (250, 100, 370, 330))
    told = roles_of([*ALIKE[0], third], [*ALIKE[1], quality(2, clothes=GREY)], answers=[answer(players=[at(LEFT)])])
    assert told == {0: "player", 1: "other", 2: "other"}


def test_answers_count_once_there_are_enough_and_the_majority_decides():
    left, right = answer(players=[at(LEFT)], others=[at(RIGHT)]), answer(players=[at(RIGHT)], others=[at(LEFT)])
    three = [left, replace(right, annotator_id="r2"), replace(left, annotator_id="r3")]
    assert roles_of(*ALIKE, answers=three[:1], answers_needed=3) == {0: "undecided", 1: "undecided"}
    assert roles_of(*ALIKE, answers=three, answers_needed=3) == {0: "player", 1: "other"}
    assert roles_of(*ALIKE, answers=three[:2], answers_needed=2) == {0: "undecided", 1: "undecided"}


def test_of_a_persons_answers_the_newest_counts():
    first = answer(players=[at(LEFT)], others=[at(RIGHT)], answered_ns=1)
    second = answer(players=[at(RIGHT)], others=[at(LEFT)], answered_ns=2)
    assert roles_of(*ALIKE, answers=[second, first]) == {0: "other", 1: "player"}


def kept(tracks, qualities, *, players=None, limits=None, **options):
    roles = list(decided(tracks, qualities, **options).values())
    return keep_tracks(roles, qualities, players=players or PlayersConfig(), quality=QualityConfig(**(limits or {})))


def test_others_are_dropped_with_the_reason_and_the_undecided_go_on():
    tracks = [track(0, MIDDLE), track(1, LEFT)]
    roles, dropped = kept(tracks, [quality(0), quality(1, clothes=BLUE, facing=0.3)])
    assert [role.kept for role in roles] == [True, False]
    assert [(d.item_id, d.reason) for d in dropped] == [("v1/track1", DropReason.NOT_THE_PLAYER)]
    assert "seen in 100% of the time" in dropped[0].detail
    assert [role.kept for role in kept(*ALIKE)[0]] == [True, True]


def test_everyone_is_kept_where_the_study_says_so_with_the_same_roles():
    tracks = [track(0, MIDDLE), track(1, LEFT)]
    qualities = [quality(0), quality(1, clothes=BLUE, facing=0.3)]
    roles, dropped = kept(tracks, qualities, players=PlayersConfig(keep="everyone"))
    assert [role.role for role in roles] == [Role.PLAYER, Role.OTHER]
    assert [role.kept for role in roles] == [True, True]
    assert dropped == []


def test_a_player_who_can_not_be_judged_is_dropped_with_the_numbers_and_the_video_says_so():
    roles, dropped = kept([track(0, MIDDLE)], [quality(0, height_px=40.0)])
    assert not roles[0].kept
    assert [(d.item_id, d.reason) for d in dropped] == [
        ("v1/track0", DropReason.POOR_QUALITY),
        ("v1", DropReason.POOR_QUALITY),
    ]
    assert "40 px tall, 48 needed" in dropped[0].detail


def test_roles_survive_the_table():
    roles = list(decided(*ALIKE).values())
    back = roles_from_rows(roles_to_rows(roles))
    assert [(r.track_number, r.role, r.person_number, r.reason) for r in back] == [
        (r.track_number, r.role, r.person_number, r.reason) for r in roles
    ]
    assert [r.confidence for r in back] == pytest.approx([r.confidence for r in roles], abs=1e-6)


@pytest.mark.parametrize("settings", [{"expected": 0}, {"min_confidence": 0.4}, {"answers_needed": 0}])
def test_settings_that_can_not_be_meant_are_refused(settings):
    with pytest.raises(ConfigError, match=r"players\."):
        PlayersConfig(**settings)
