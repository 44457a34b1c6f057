"""Line-ups: everybody with a letter that can be read, whatever the picture's shape."""

import numpy as np
import pytest

from drawing.colours import Colour, person_colour
from drawing.lineups import WIDTH_PX, LineupMoment, draw_lineup
from drawing.texts import Picture
from media.frames import VideoFrame
from schema.matching import Box

GREY = 90
SKIN = (250, 0, 250)


def moment(people: dict[str, Box], *, second: int = 0, size: tuple[int, int] = (640, 360)) -> LineupMoment:
    """A grey picture in which each person's box is filled."""
    image = np.full((size[1], size[0], 3), GREY, dtype=np.uint8)
    for x1, y1, x2, y2 in people.values():
        image[max(int(y1), 0) : int(y2), max(int(x1), 0) : int(x2)] = SKIN
    frame = VideoFrame(frame_index=second * 25, time_ns=second * 10**9, image_rgb=image)
    return LineupMoment(frame=frame, people=tuple(people.items()))


def count_of(picture: Picture, colour: Colour) -> int:
    return int(np.count_nonzero((np.abs(picture.astype(int) - colour) < 12).all(axis=2)))


def colour_of(letter: str) -> Colour:
    return person_colour("ABCDEFGH".index(letter))


@pytest.mark.parametrize("count", [1, 3, 4, 6])
@pytest.mark.parametrize("size", [(640, 360), (360, 640), (176, 144)])
def test_a_sheet_fits_a_screen_and_shows_every_moment(count: int, size: tuple[int, int]) -> None:
    width, height = size
    box = (0.3 * width, 0.3 * height, 0.7 * width, 0.95 * height)
    sheet = draw_lineup([moment({"A": box}, second=k, size=size) for k in range(count)])
    assert sheet.shape[1] == WIDTH_PX
    assert sheet.shape[0] < 0.6 * WIDTH_PX
    one = draw_lineup([moment({"A": box}, size=size)])
    assert count_of(sheet, SKIN) > 0.5 * count_of(one, SKIN), "moments take the room there is"


def test_each_person_has_a_letter_in_the_colour_of_the_previews_and_a_portrait() -> None:
    people = {"A": (20.0, 100.0, 150.0, 340.0), "D": (400.0, 100.0, 560.0, 350.0)}
    with_both = draw_lineup([moment(people)])
    for letter in people:
        assert count_of(with_both, colour_of(letter)) > 500
    assert count_of(with_both, colour_of("B")) == 0
    portraits = with_both[-190:]
    assert count_of(portraits, SKIN) > 2 * 100 * 100


def test_two_people_at_one_place_have_letters_at_different_places() -> None:
    box, close = (200.0, 60.0, 330.0, 300.0), (203.0, 60.0, 333.0, 300.0)
    plates = count_of(draw_lineup([moment({"A": box})])[:-200], colour_of("A"))
    both = draw_lineup([moment({"A": box, "B": close})])[:-200]
    assert count_of(both, colour_of("A")) > 0.25 * plates
    assert count_of(both, colour_of("B")) > 0.5 * plates


@pytest.mark.parametrize("box", [(-40.0, -30.0, 90.0, 380.0), (0.0, 0.0, 640.0, 360.0), (600.0, 300.0, 700.0, 400.0)])
def test_boxes_beyond_the_edge_keep_their_letter_in_the_picture(box: Box) -> None:
    lettered = count_of(draw_lineup([moment({"C": box})])[:-200], colour_of("C"))
    plain = count_of(draw_lineup([moment({})])[:-200], colour_of("C"))
    assert lettered - plain > 400


def test_no_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="one moment at least"):
        draw_lineup([])
