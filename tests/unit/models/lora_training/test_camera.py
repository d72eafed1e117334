"""A camera that pans and zooms in front of a picture: what it sees, where, and what its captions say."""

from pathlib import Path
from typing import get_args

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest

from models.catalog.training import CameraMove
from models.lora_training.camera import BOB_FRAMES, WINDOW, ZOOM, Take, filmed, takes, told, view
from models.lora_training.request import Reference
from tests.unit.models.lora_training.cases import request

MOVES = get_args(CameraMove)
FRAMES = 5


def seen(
    move: CameraMove, size: tuple[int, int] = (64, 64), frames: int = FRAMES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a white disc in the middle of a black picture is in each frame (x, y), and its area, in pixels."""
    picture = PIL.Image.new("RGB", (300, 200))
    PIL.ImageDraw.Draw(picture).ellipse((135, 85, 165, 115), fill="white")
    pixels = filmed(picture, size, move, frames=frames, rng=np.random.default_rng(0))
    assert pixels.shape == (1, 3, frames, size[1], size[0])
    light = (pixels[0, 0].numpy() + 1) / 2
    area = light.sum((1, 2))
    x = (light.sum(1) * np.arange(size[0])).sum(1) / area
    y = (light.sum(2) * np.arange(size[1])).sum(1) / area
    return x, y, area


@pytest.mark.parametrize(
    ("move", "moved"), [("pan_left", (1, 0)), ("pan_right", (-1, 0)), ("tilt_up", (0, 1)), ("tilt_down", (0, -1))]
)
@pytest.mark.parametrize("size", [(64, 64), (96, 48)])
def test_given_a_picture_when_panned_over_then_what_it_shows_goes_the_other_way_at_one_speed_and_size(
    move: CameraMove, moved: tuple[int, int], size: tuple[int, int]
) -> None:
    x, y, area = seen(move, size)

    for steps, direction, side in ((np.diff(x), moved[0], size[0]), (np.diff(y), moved[1], size[1])):
        assert steps == pytest.approx(steps[0], abs=0.2)
        way = (1 / np.array(WINDOW[::-1]) - 1) * side  # of what is seen: the rest of the picture over the window
        low, high = sorted(direction * way)
        assert low - 0.3 <= steps.sum() <= high + 0.3
    assert area == pytest.approx(area[0], rel=0.02)


@pytest.mark.parametrize(("move", "first", "last"), [("zoom_in", 1, 0), ("zoom_out", 0, 1)])
def test_given_a_picture_when_zoomed_then_what_it_shows_grows_or_shrinks_in_its_place(
    move: CameraMove, first: int, last: int
) -> None:
    x, y, area = seen(move)

    assert area[-1] / area[0] == pytest.approx((ZOOM[first] / ZOOM[last]) ** 2, rel=0.05)
    assert np.ptp(x) < 0.3
    assert np.ptp(y) < 0.3


def test_given_a_bobbing_camera_then_what_it_shows_goes_up_and_comes_down_again_in_its_place() -> None:
    x, y, area = seen("bob", frames=BOB_FRAMES + 1)

    assert np.ptp(x) < 0.3
    assert np.ptp(y) > 0.9 * (1 / max(WINDOW) - 1) * 64
    assert y[-1] == pytest.approx(y[0], abs=0.3)
    assert area == pytest.approx(area[0], rel=0.02)


def test_given_a_still_camera_then_every_frame_is_the_same() -> None:
    assert all(np.ptp(values) == 0 for values in seen("still"))


@pytest.mark.parametrize("move", MOVES)
def test_given_any_move_then_the_camera_never_looks_past_the_picture(move: CameraMove) -> None:
    for window in WINDOW:
        for progress in np.linspace(0, 1, 7):
            left, top, share = view(move, float(progress), window, bob=float(progress))
            assert min(left, top) >= 0
            assert max(left, top) + share <= 1 + 1e-9


def test_given_a_caption_then_the_moves_words_stand_where_it_says_or_at_its_end() -> None:
    assert told("a zxmaria [camera] on a beach", "moving left") == "a zxmaria moving left on a beach"
    assert told("zxmaria woman", "the camera pans left") == "zxmaria woman, the camera pans left"
    assert told("a zxmaria [camera] on a beach", "") == "a zxmaria on a beach"
    assert told("zxmaria woman", "") == "zxmaria woman"


def test_given_moves_when_taken_then_every_picture_is_filmed_with_each_and_without_any_it_is_held_once() -> None:
    pictures = (Reference(path=Path("a.png"), caption="a [camera]"), Reference(path=Path("b.png"), caption="b"))
    filmed_ones = takes(request("wan-mini", pictures, camera_moves={"pan_left": "going right", "still": "resting"}))
    held = takes(request("wan-mini", pictures))

    assert [(take.path.name, take.caption, take.move) for take in filmed_ones] == [
        ("a.png", "a resting", "still"),
        ("a.png", "a going right", "pan_left"),
        ("b.png", "b, resting", "still"),
        ("b.png", "b, going right", "pan_left"),
    ]
    assert held == [Take(Path("a.png"), "a", None), Take(Path("b.png"), "b", None)]
