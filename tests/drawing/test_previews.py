"""What a user would miss in a preview: who is who, what hands touch, cuts, candidates in time; and nothing leaks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing.colours import FAINT_INK, INK, LEFT_HAND, RIGHT_HAND, person_colour
from drawing.lanes import (
    MOST_LANES,
    MOST_PEOPLE,
    Contents,
    Lane,
    Presence,
    class_or_movement,
    lanes_of,
    people_lanes,
    timeline_lanes,
)
from drawing.marks import Plates, draw_box
from drawing.overlays import FilmStyle, film_size_px, overlay_frames
from drawing.people import Background, DrawnPerson, HandFlag, PersonLabel, people_by_frame, person_letter
from drawing.sheets import Moment, contact_sheet
from drawing.strips import PAGE_NS, Strip
from drawing.texts import tag_size_px, type_size_px
from drawing.timelines import Timeline
from media.frames import VideoFrame
from schema.contacts import NOWHERE, HandContacts, Touch
from schema.people import Role
from schema.records import Candidate, Shot
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.factories import make_candidate, make_frame_times, make_keypoints, make_shot, make_span, make_track

Picture = npt.NDArray[np.uint8]
FRAME_NS = 40_000_000
PLAYER = PersonLabel.of_person(0, role=Role.PLAYER, confidence=0.9)


def contents(
    *,
    frame_count: int = 250,
    candidates: Sequence[Candidate] = (),
    shots: Sequence[Shot] = (),
    hands: HandContacts | None = None,
) -> Contents:
    times = make_frame_times(frame_count=frame_count)
    return Contents(
        times=times,
        shots=list(shots) or [make_shot(end_frame=frame_count, span=TimeSpan(start_ns=0, end_ns=times.end_ns))],
        presences=[Presence(label=PLAYER, span=TimeSpan(start_ns=0, end_ns=times.end_ns))],
        hands=[] if hands is None else [(PLAYER, hands)],
        candidates=candidates,
        name_of=class_or_movement,
    )


def frames(count: int, width: int, height: int, *, seed: int = 0, first: int = 0) -> list[VideoFrame]:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return [
        VideoFrame(frame_index=first + k, time_ns=(first + k) * FRAME_NS, image_rgb=pixels[k]) for k in range(count)
    ]


def film(pictures: Sequence[VideoFrame], shown: Contents, *, black: bool = True, **style: object) -> list[Picture]:
    background = Background.BLACK if black else Background.PICTURE
    people = people_by_frame([make_track()], [make_keypoints()], labels={0: PLAYER})
    wanted = FilmStyle(background=background, **style)
    return list(overlay_frames(pictures, people_of=lambda k: people.get(k, ()), contents=shown, style=wanted))


def touching(first: int, end: int, *, frame_count: int = 250, side: int = 0) -> HandContacts:
    touches = np.full((frame_count, 2), Touch.AWAY, dtype=np.int8)
    places = np.full((frame_count, 2), NOWHERE, dtype=np.int8)
    touches[first:end, side], places[first:end, side] = Touch.TOUCHING, 0
    return HandContacts(
        track_number=0,
        frame_indices=np.arange(frame_count, dtype=np.int32),
        touches=touches,
        places=places,
        tips_xy=np.full((frame_count, 2, 2), 50, dtype=np.float32),
        names=("hand_on_neck",),
    )


@settings(max_examples=10, deadline=None)
@given(width=st.integers(20, 90), height=st.integers(20, 90), seeds=st.tuples(st.integers(0, 9), st.integers(10, 19)))
def test_on_black_no_pixel_of_the_picture_is_in_film_or_sheet(width: int, height: int, seeds: tuple[int, int]) -> None:
    shown = contents(candidates=[make_candidate()], hands=touching(0, 2))
    both = []
    for seed in seeds:
        pictures = frames(2, width, height, seed=seed)
        sheet = contact_sheet(
            [Moment(frame=frame, people=(), label="nod", note="A") for frame in pictures],
            background=Background.BLACK,
            title="title",
            lines=("first", "second"),
            contents=shown,
            width_px=300,
        )
        both.append([*film(pictures, shown, size_px=(80, 60)), sheet])
    for first, second in zip(*both, strict=True):
        assert np.array_equal(first, second)
    for picture in both[0][:-1]:
        assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0


def test_the_picture_shows_where_it_is_asked_for_and_is_not_written_to() -> None:
    (frame,) = frames(1, 64, 64)
    before = frame.image_rgb.copy()
    style = FilmStyle(background=Background.PICTURE, size_px=(64, 64))
    (bare,) = overlay_frames([frame], people_of=lambda _: (), contents=contents(), style=style)
    assert np.array_equal(bare[:64], before)
    film([frame], contents(), black=False, size_px=(64, 64))
    assert np.array_equal(frame.image_rgb, before)


@pytest.mark.parametrize(
    ("width", "height"), [(600, 338), (1280, 720), (176, 144), (1920, 1080), (1080, 1920), (362, 640), (4096, 500)]
)
def test_a_film_is_as_large_as_can_be_read_and_no_larger_than_a_browser_shows(width: int, height: int) -> None:
    wide, tall = film_size_px(width, height)
    assert wide % 2 == tall % 2 == 0
    assert wide / tall == pytest.approx(width / height, rel=0.02)
    assert min(wide, tall) >= 480 or wide == 1280
    assert (wide <= 1280 and tall <= 720) if width >= height else (wide <= 720 and tall <= 960)


def test_type_grows_with_the_picture_and_is_never_too_small_to_read() -> None:
    sizes = [type_size_px(*film_size_px(*source)) for source in ((176, 144), (600, 338), (1280, 720))]
    assert sizes == sorted(sizes)
    assert sizes[0] >= 12
    assert sizes[-1] >= 20
    assert type_size_px(600, 338) >= 12


def cursor_columns(shown: Contents, times_ns: Sequence[int], width: int = 640) -> list[int]:
    strip = Strip(shown, width_px=width, size_px=13)
    columns = []
    for time_ns in times_ns:
        picture = strip.at(time_ns // FRAME_NS, time_ns)
        scale_px = round(1.5 * 12) + 6
        row = picture[-scale_px - 14]  # the last lane: nothing else in it is so bright
        columns.append(int(np.flatnonzero((row == INK).all(axis=1)).mean()))
    return columns


def test_the_cursor_moves_and_the_running_candidate_is_named() -> None:
    shown = contents(candidates=[make_candidate(span=make_span(3, 6))])
    columns = cursor_columns(shown, [k * NS_PER_SECOND for k in range(10)])
    assert columns == sorted(columns)
    assert len(set(columns)) == len(columns)
    strip = Strip(contents(candidates=[make_candidate(span=make_span(3, 6), class_id=None)]), width_px=640, size_px=13)
    colour = next(iter(strip.colours.values()))
    heads = [strip.at(25 * k, k * NS_PER_SECOND)[: round(3.5 * 13)] for k in range(10)]
    assert [bool((head == colour).all(axis=2).any()) for head in heads] == [3 <= k < 6 for k in range(10)]


def test_a_long_film_is_shown_page_by_page_at_one_height() -> None:
    frame_count = 3 * PAGE_NS // FRAME_NS
    shown = contents(frame_count=frame_count, candidates=[make_candidate(span=make_span(25, 26))])
    strip = Strip(shown, width_px=640, size_px=13)
    assert strip.page_count == 3
    page_s = PAGE_NS // NS_PER_SECOND
    columns = cursor_columns(shown, [k * NS_PER_SECOND for k in (1, page_s + 1, 2 * page_s + 1)])
    assert max(columns) - min(columns) <= 1
    pictures = [strip.at(k // FRAME_NS, k) for k in (0, PAGE_NS, 3 * PAGE_NS - 1)]
    assert {picture.shape for picture in pictures} == {(strip.height_px, 640, 3)}
    colour = next(iter(strip.colours.values()))
    lanes = [picture[round(3.5 * 13) + 20 :] for picture in pictures]
    assert [bool((lane == colour).all(axis=2).any()) for lane in lanes] == [False, True, False]


def test_pictures_are_drawn_one_at_a_time_however_long_the_film() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        for frame in frames(1, 32, 32) * 1000:
            taken += 1
            yield frame

    style = FilmStyle(background=Background.BLACK, size_px=(64, 64))
    pictures = overlay_frames(endless(), people_of=lambda _: (), contents=contents(), style=style)
    next(pictures)
    next(pictures)
    assert taken == 2


def test_a_cut_is_marked_in_the_film_for_a_moment_and_in_the_strip_for_good() -> None:
    halves = [
        make_shot(end_frame=100, span=make_span(0, 4)),
        make_shot(shot_number=1, first_frame=100, span=make_span(4, 10)),
    ]
    uncut, cut = contents(), contents(shots=halves)
    style = FilmStyle(background=Background.BLACK, size_px=(320, 240))
    shown = list(overlay_frames(frames(25, 32, 24, first=90), people_of=lambda _: (), contents=cut, style=style))
    marked = [bool(picture[:240].any()) for picture in shown]
    assert marked == [100 <= k < 113 for k in range(90, 115)]
    assert next(lane.name for lane in timeline_lanes(cut)) == "shots"
    assert "shots" not in [lane.name for lane in timeline_lanes(uncut)]
    span = TimeSpan(start_ns=0, end_ns=10 * NS_PER_SECOND)
    timeline = Timeline(timeline_lanes(cut), span, width_px=640, size_px=13, pad_px=6, cuts_ns=[4 * NS_PER_SECOND])
    column = timeline.picture[: timeline.lanes_px, timeline.x_of(4 * NS_PER_SECOND)]
    assert (column == FAINT_INK).all()


def drawn_box(role: Role | None) -> npt.NDArray[np.bool_]:
    """Tell which pixels of a box's left edge, below the tag, are painted in the person's colour."""
    label = PersonLabel.of_track(0) if role is None else PersonLabel.of_person(0, role=role, confidence=0.5)
    canvas = np.zeros((240, 320, 3), dtype=np.uint8)
    draw_box(canvas, (100, 60, 220, 220), label, size_px=13)
    return np.asarray((canvas[60:221, 98:103] == label.colour).all(axis=2).any(axis=1))


def test_roles_look_different() -> None:
    player, undecided, other = (drawn_box(role) for role in (Role.PLAYER, Role.UNDECIDED, Role.OTHER))
    assert other.all()
    assert player[:10].all()
    assert not player[60:100].any(), "corners alone"
    assert 0.3 < undecided.mean() < 0.8, "dashes"
    assert drawn_box(None).all()
    labels = [PersonLabel.of_person(n, role=role, confidence=0.5) for n, role in enumerate(Role)]
    assert [label.words for label in labels] == ["A player", "B other", "C undecided"]
    assert PersonLabel.of_person(2, role=Role.PLAYER, confidence=0.915).words_with_confidence == "C player 92%"
    assert labels[0].colour == person_colour(0)


def test_no_tag_hides_another_and_none_leaves_the_picture() -> None:
    canvas, plates = np.zeros((200, 300, 3), dtype=np.uint8), Plates()
    places = [(290, -5), (10, 10), (10, 60)]
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        plates.put(canvas, "A player", places, size_px=13, fill=colour)
    width, height = tag_size_px("A player", 13)
    areas = [int((canvas == colour).all(axis=2).sum()) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    assert all(area > 0.4 * width * height for area in areas)
    assert (canvas[0, 299] == (255, 0, 0)).all(), "moved in from the rim"


def test_a_person_of_whom_a_crop_shows_a_sliver_is_not_drawn_in_it() -> None:
    box = (0.0, 0.0, 100.0, 100.0)
    someone = DrawnPerson(track_number=0, box_xyxy=box, keypoints_xy=None, scores=None, label=PLAYER)
    (frame,) = frames(1, 200, 100)
    sheets = [
        contact_sheet(
            [Moment(frame=frame, people=(someone,), crop_xyxy=crop)], background=Background.BLACK, width_px=300
        )
        for crop in ((90, 0, 200, 100), (50, 0, 200, 100))
    ]
    assert [bool((sheet == PLAYER.colour).all(axis=2).any()) for sheet in sheets] == [False, True]


def test_letters_go_on_after_z() -> None:
    letters = [person_letter(k) for k in range(80)]
    assert (letters[0], letters[25], letters[26], letters[27], letters[52]) == ("A", "Z", "AA", "AB", "BA")
    assert len(set(letters)) == 80


def test_a_box_at_the_rim_is_drawn_with_its_name() -> None:
    for box in ((-20.0, -5.0, 99.0, 300.0), (90.0, 50.0, 110.0, 70.0), (0.0, 0.0, 1.0, 1.0)):
        for role in Role:
            label = PersonLabel.of_person(0, role=role, confidence=1.0)
            someone = DrawnPerson(track_number=0, box_xyxy=box, keypoints_xy=None, scores=None, label=label)
            style = FilmStyle(background=Background.BLACK, size_px=(100, 60))
            (shown,) = overlay_frames(
                frames(1, 100, 60), people_of=lambda _, who=someone: [who], contents=contents(), style=style
            )
            assert (shown[:60] == label.colour).all(axis=2).any()


@pytest.mark.parametrize(("is_touching", "side"), [(True, 0), (False, 0), (True, 1)])
def test_a_hand_in_contact_is_marked_at_its_finger_tips_and_named(is_touching: bool, side: int) -> None:
    flag = HandFlag(side=side, touching=is_touching, evidence="hand_on_neck", tip_xy=(160.0, 120.0))
    someone = DrawnPerson(track_number=0, box_xyxy=None, keypoints_xy=None, scores=None, flags=(flag,))
    nowhere = replace(someone, flags=(replace(flag, tip_xy=(float("nan"), float("nan"))),))
    style = FilmStyle(background=Background.BLACK, size_px=(320, 240))
    shown, unplaced = (
        next(overlay_frames(frames(1, 320, 240), people_of=lambda _, w=who: [w], contents=contents(), style=style))
        for who in (someone, nowhere)
    )
    colour = (LEFT_HAND, RIGHT_HAND)[side]
    assert ((shown[118:123, 158:163] == colour).all(axis=2)).any() == is_touching, "a disc, or a ring"
    assert (shown[110:131, 150:171] == colour).all(axis=2).any()
    assert not unplaced[60:240].any()
    tag = unplaced[:30, 160:]
    assert (tag == colour).all(axis=2).mean() > 0.2 if is_touching else tag.any()


def test_flags_are_joined_to_their_person_and_frame() -> None:
    hands = replace(touching(10, 20, side=1), track_number=1)
    people = people_by_frame([make_track(), make_track(track_number=1)], [], labels={1: PLAYER}, contacts=[hands])
    words = {k: [tuple(f.words for f in p.flags) for p in people[k]] for k in (9, 10, 19, 20)}
    assert words == {9: [(), ()], 10: [(), ("right hand: neck",)], 19: [(), ("right hand: neck",)], 20: [(), ()]}
    assert [p.label for p in people[9]] == [None, PLAYER]


def test_a_hands_lane_tells_unseen_seen_and_touching_apart() -> None:
    hands = touching(100, 150)
    hands.touches[200:, 0] = Touch.UNSEEN
    lanes = {lane.name: lane for lane in timeline_lanes(contents(hands=hands))}
    spans = [(b.span.start_ns // FRAME_NS, b.span.end_ns // FRAME_NS, b.text) for b in lanes["left hand"].blocks]
    assert spans == [(0, 100, ""), (150, 200, ""), (100, 150, "neck")]
    assert lanes["left hand"].blocks[-1].colour == LEFT_HAND
    assert lanes["left hand"].blocks[0].colour != LEFT_HAND
    assert [b.text for b in lanes["right hand"].blocks] == [""]


@given(spans=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12))
def test_candidates_of_one_lane_do_not_overlap_while_lanes_suffice(spans: list[tuple[int, int]]) -> None:
    times = [TimeSpan(start_ns=start, end_ns=start + length) for start, length in spans]
    lanes = lanes_of(times)
    assert all(0 <= lane < MOST_LANES for lane in lanes)
    for i, first in enumerate(times):
        for j in range(i):
            if lanes[i] == lanes[j] < MOST_LANES - 1:
                assert first.overlap_ns(times[j]) == 0


@given(count=st.integers(0, 14), roles=st.lists(st.sampled_from(list(Role)), min_size=14, max_size=14))
def test_every_person_is_in_some_lane_and_players_come_first(count: int, roles: list[Role]) -> None:
    labels = [PersonLabel.of_person(n, role=roles[n], confidence=0.5) for n in range(count)]
    presences = [Presence(label=label, span=make_span(n, n + 1)) for n, label in enumerate(labels)]
    lanes = people_lanes(presences, [], make_frame_times())
    shown = [lane.name for lane in lanes] + [block.text for lane in lanes for block in lane.blocks]
    assert all(any(name in (label.words, label.name) for name in shown) for label in labels)
    assert len(lanes) <= MOST_PEOPLE + 1
    if any(role is Role.PLAYER for role in roles[:count]):
        assert lanes[0].name.endswith("player")


def test_one_persons_tracks_share_a_lane() -> None:
    presences = [Presence(label=PLAYER, span=make_span(n, n + 0.5)) for n in range(4)]
    (lane,) = people_lanes(presences, [], make_frame_times())
    assert [block.span for block in lane.blocks] == [presence.span for presence in presences]


@given(
    start=st.integers(0, 3_600), seconds=st.integers(1, 7_200), width=st.integers(200, 1600), size=st.integers(11, 22)
)
@settings(max_examples=30, deadline=None)
def test_any_time_has_its_place_on_the_rail(start: int, seconds: int, width: int, size: int) -> None:
    span = make_span(start, start + seconds)
    timeline = Timeline([Lane(name="candidates", blocks=())], span, width_px=width, size_px=size, pad_px=6)
    steps = [span.start_ns + k * span.duration_ns // 20 for k in range(21)]
    columns = [timeline.x_of(time_ns) for time_ns in steps]
    assert columns == sorted(columns)
    assert timeline.left_px <= columns[0]
    assert columns[-1] < width
    assert (timeline.x_of(0), timeline.x_of(10**15)) == (columns[0], columns[-1])


def test_a_sheet_with_a_timeline_keeps_its_width_and_its_classes_colours() -> None:
    shown = contents(candidates=[make_candidate()])
    moments = [Moment(frame=frame, people=(), label=class_or_movement(make_candidate())) for frame in frames(4, 64, 36)]
    bare = contact_sheet(moments, background=Background.BLACK)
    sheet = contact_sheet(moments, background=Background.BLACK, contents=shown, lines=("a line",))
    assert sheet.shape[1] == bare.shape[1] == 1600
    assert sheet.shape[0] > bare.shape[0]
    (colour,) = Strip(shown, width_px=300, size_px=12).colours.values()
    rows = np.flatnonzero((sheet == colour).all(axis=2).any(axis=1))
    assert rows.min() < sheet.shape[0] / 2 < rows.max(), "in the timeline and below the tiles"


def test_contacts_that_do_not_fit_together_are_refused() -> None:
    good = touching(1, 2)
    with pytest.raises(ValueError, match="250 frames"):
        replace(good, touches=good.touches[:5])
    with pytest.raises(ValueError, match="a place exactly where"):
        replace(good, places=np.full((250, 2), NOWHERE, dtype=np.int8))
