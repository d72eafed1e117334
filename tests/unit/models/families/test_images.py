"""Input images of another shape than the video: cut around the middle, never stretched."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from models.common.fingerprint import fields_of, file_sha256
from models.common.frames import fitted, open_image
from models.common.shots import plan_shots
from models.interface import GenerationRequest
from tests.unit.models.families import cases

VIDEO = (832, 480)


def photo(size: tuple[int, int], into: Path) -> Path:
    """A grey image with a white square of 60 pixels in its middle."""
    image, (x, y) = PIL.Image.new("RGB", size, (90, 90, 90)), (size[0] // 2, size[1] // 2)
    image.paste((255, 255, 255), (x - 30, y - 30, x + 30, y + 30))
    image.save(into)
    return into


def asked(image: Path, size: tuple[int, int] = VIDEO) -> GenerationRequest:
    case = cases.CASES["wan-i2v-two-experts"]
    return cases.request(case, image.parent, image=image, width=size[0], height=size[1])


def planned(image: Path) -> PIL.Image.Image:
    shown = plan_shots(asked(image), takes_text_alone=False, takes_image=True)[0].image
    assert shown is not None
    return shown


@pytest.mark.parametrize("size", [(480, 640), (1200, 400), (500, 500)])
def test_given_an_image_of_another_shape_then_it_is_cut_around_its_middle_and_squares_stay_squares(
    size: tuple[int, int], tmp_path: Path
) -> None:
    shown = planned(photo(size, tmp_path / "photo.png"))

    assert shown.size == VIDEO
    ys, xs = np.nonzero(np.asarray(shown)[:, :, 0] > 170)
    assert np.ptp(xs) == pytest.approx(np.ptp(ys), abs=2)
    assert (xs.mean(), ys.mean()) == pytest.approx((VIDEO[0] / 2, VIDEO[1] / 2), abs=2)


# The second: 832x480 scaled to a width of 1000 is 576.9 pixels high.
@pytest.mark.parametrize("size", [(832, 480), (1000, 577), (416, 240), (1664, 960)])
def test_given_an_image_of_the_videos_shape_then_the_stock_pipeline_gets_it_as_it_is(
    size: tuple[int, int], tmp_path: Path
) -> None:
    path = photo(size, tmp_path / "photo.png")

    assert planned(path).size == size
    assert planned(path).tobytes() == open_image(path).tobytes()


def test_given_a_portrait_then_the_video_is_the_one_of_the_image_cut_beforehand(
    weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    case = cases.CASES["ltx-i2v"]
    folder = weights_of(case.name)
    model, path = cases.load(case, folder), photo((96, 128), tmp_path / "photo.png")
    PIL.ImageOps.fit(open_image(path), (64, 64), method=PIL.Image.Resampling.LANCZOS).save(tmp_path / "cut.png")

    frames, expected = (
        cases.frames_of(model, cases.request(case, folder, image=image, num_inference_steps=2))
        for image in (path, tmp_path / "cut.png")
    )

    np.testing.assert_array_equal(frames, expected)


def test_given_an_image_of_the_videos_shape_then_checkpoints_from_before_go_on(tmp_path: Path) -> None:
    path = photo((416, 240), tmp_path / "photo.png")

    before = hashlib.sha256(json.dumps(file_sha256(path)).encode()).hexdigest()
    assert fields_of(asked(path))["image"] == before


def test_given_an_image_that_is_cut_then_a_checkpoint_of_it_stretched_is_another_images(tmp_path: Path) -> None:
    path = photo((480, 640), tmp_path / "photo.png")

    stretched = hashlib.sha256(json.dumps(file_sha256(path)).encode()).hexdigest()
    assert fields_of(asked(path))["image"] != stretched


def test_given_an_image_of_one_line_then_it_fits_any_video(tmp_path: Path) -> None:
    assert fitted(open_image(photo((4000, 1), tmp_path / "photo.png")), VIDEO).size == VIDEO
