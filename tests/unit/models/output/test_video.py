"""Decodes what was written: size, frames, rate, tags, colours, stills."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from models.interface import GenerationStopped
from models.output import CODECS, OutputError, write_video

RED, BLUE = (200, 30, 60), (20, 60, 220)
NUM_FRAMES, WIDTH, HEIGHT, FPS = 17, 96, 64, 16
BT709 = 1  # the number of BT.709 for primaries, transfer and matrix (ITU-T H.273)
LIMITED_RANGE = 1


def clip(num_frames: int = NUM_FRAMES) -> Iterator[NDArray[np.uint8]]:
    """A blue field that grows over a red one from the left, 4 pixels a frame."""
    for index in range(num_frames):
        frame = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        frame[:] = RED
        frame[:, : index * 4] = BLUE
        yield frame


@pytest.mark.parametrize("codec", CODECS)
def test_given_frames_then_the_file_plays_with_their_size_count_rate_tags_and_colours(
    codec: str, tmp_path: Path
) -> None:
    path = tmp_path / f"video{CODECS[codec].suffix}"

    written = write_video(clip(), path, fps=FPS, num_frames=NUM_FRAMES, codec=codec)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        frames = list(container.decode(video=0))
        assert (context.width, context.height) == (WIDTH, HEIGHT)
        assert context.pix_fmt == CODECS[codec].pixel_format
        assert stream.average_rate == FPS
        assert float(stream.duration * stream.time_base) == pytest.approx(NUM_FRAMES / FPS)
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tags == (BT709, BT709, BT709, LIMITED_RANGE)
    assert len(frames) == NUM_FRAMES
    last = frames[-1].reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    np.testing.assert_allclose(last[32, 10], BLUE, atol=6)
    np.testing.assert_allclose(last[32, 90], RED, atol=6)
    assert (written.width, written.height, written.num_frames, written.fps) == (WIDTH, HEIGHT, NUM_FRAMES, FPS)
    assert written.bytes == path.stat().st_size
    assert written.seconds == pytest.approx(NUM_FRAMES / FPS)


@pytest.mark.parametrize("codec", CODECS)
def test_given_any_codec_then_the_index_stands_before_the_data_so_that_players_can_start(
    codec: str, tmp_path: Path
) -> None:
    path = tmp_path / f"video{CODECS[codec].suffix}"

    write_video(clip(), path, fps=FPS, num_frames=NUM_FRAMES, codec=codec)

    content = path.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


def test_given_the_same_frames_then_the_file_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    for name in ("first.mp4", "second.mp4"):
        write_video(clip(), tmp_path / name, fps=FPS, num_frames=NUM_FRAMES)

    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


def test_given_stills_are_asked_for_then_the_middle_frame_and_a_sheet_of_16_are_taken_on_the_way(
    tmp_path: Path,
) -> None:
    thumbnail, sheet = tmp_path / "thumbnail.jpg", tmp_path / "spritesheet.jpg"

    write_video(clip(), tmp_path / "video.mp4", fps=FPS, num_frames=NUM_FRAMES, thumbnail=thumbnail, spritesheet=sheet)

    middle = np.asarray(PIL.Image.open(thumbnail))
    assert middle.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(middle[32, 16], BLUE, atol=12)  # frame 8: 32 pixels of blue
    np.testing.assert_allclose(middle[32, 60], RED, atol=12)
    tiles = np.asarray(PIL.Image.open(sheet))
    assert tiles.shape == (4 * HEIGHT, 4 * WIDTH, 3)
    np.testing.assert_allclose(tiles[32, 48], RED, atol=12)  # first frame
    np.testing.assert_allclose(tiles[3 * HEIGHT + 32, 3 * WIDTH + 48], BLUE, atol=12)  # last frame


def test_given_frames_then_no_more_than_one_is_asked_for_ahead(tmp_path: Path) -> None:
    alive: set[int] = set()
    most = 0

    class Tracked(np.ndarray):
        def __del__(self) -> None:
            alive.discard(id(self))

    def frames() -> Iterator[NDArray[np.uint8]]:
        nonlocal most
        for frame in clip():
            tracked = frame.view(Tracked)
            alive.add(id(tracked))
            most = max(most, len(alive))
            yield tracked
            del tracked

    write_video(frames(), tmp_path / "video.mp4", fps=FPS, num_frames=NUM_FRAMES)

    assert most <= 2


@pytest.mark.parametrize("error", [GenerationStopped, RuntimeError, KeyboardInterrupt])
def test_given_frames_that_end_in_an_error_then_it_passes_through_and_no_file_is_left(
    error: type[BaseException], tmp_path: Path
) -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        yield from clip(3)
        raise error

    with pytest.raises(error):
        write_video(
            frames(),
            tmp_path / "video.mp4",
            fps=FPS,
            num_frames=NUM_FRAMES,
            thumbnail=tmp_path / "t.jpg",
            spritesheet=tmp_path / "s.jpg",
        )

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("announced", [16, 18])
def test_given_another_number_of_frames_than_announced_then_refused_and_no_file_is_left(
    announced: int, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=f"17 frames came, {announced} were announced"):
        write_video(clip(), tmp_path / "video.mp4", fps=FPS, num_frames=announced)

    assert list(tmp_path.iterdir()) == []


def test_given_a_codec_that_is_not_offered_then_refused_naming_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="h264, h265, prores"):
        write_video(clip(), tmp_path / "video.mp4", fps=FPS, num_frames=NUM_FRAMES, codec="vp9")


def test_given_frames_of_an_odd_size_then_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="even"):
        write_video([np.zeros((33, 32, 3), np.uint8)], tmp_path / "video.mp4", fps=FPS, num_frames=1)


@pytest.mark.parametrize(("upscale", "interpolate"), [(2, 1), (1, 2), (2, 4)])
def test_given_upscale_and_interpolation_then_the_file_has_that_many_times_the_sides_and_the_rate(
    upscale: int, interpolate: int, tmp_path: Path
) -> None:
    path = tmp_path / "video.mp4"

    written = write_video(
        clip(),
        path,
        fps=FPS,
        num_frames=NUM_FRAMES,
        upscale=upscale,
        interpolate=interpolate,
        spritesheet=tmp_path / "sheet.jpg",
    )

    with av.open(str(path)) as container:
        frames = [frame.reformat(format="rgb24", src_colorspace="ITU709") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == FPS * interpolate
    assert len(frames) == written.num_frames == (NUM_FRAMES - 1) * interpolate + 1
    assert written.fps == FPS * interpolate
    for given, expected in list(enumerate(clip()))[:: NUM_FRAMES - 1]:
        made = frames[given * interpolate].to_ndarray()
        assert made.shape == (HEIGHT * upscale, WIDTH * upscale, 3)
        np.testing.assert_allclose(made[::upscale, ::upscale].mean((0, 1)), expected.mean((0, 1)), atol=8)
    assert PIL.Image.open(tmp_path / "sheet.jpg").width == 4 * WIDTH * min(2, upscale)


def test_given_interpolation_then_what_moves_stands_between_its_places_in_the_frames_around(tmp_path: Path) -> None:
    def moving() -> Iterator[NDArray[np.uint8]]:
        texture = np.random.default_rng(5).integers(0, 255, (24, 24, 3), np.uint8)
        for index in range(9):
            frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            frame[20:44, 8 + 4 * index : 32 + 4 * index] = texture
            yield frame

    path = tmp_path / "video.mp4"
    write_video(moving(), path, fps=FPS, num_frames=9, interpolate=2)

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    columns = np.arange(WIDTH)
    centres = [
        float((np.abs(frame - 90).sum((0, 2)) * columns).sum() / np.abs(frame - 90).sum((0, 2)).sum())
        for frame in frames[4:12]
    ]
    np.testing.assert_allclose(np.diff(centres), 2, atol=1)


@pytest.mark.parametrize("factors", [{"upscale": 3}, {"interpolate": 0}])
def test_given_a_factor_that_is_not_offered_then_refused(factors: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="upscale and interpolate"):
        write_video(clip(), tmp_path / "video.mp4", fps=FPS, num_frames=NUM_FRAMES, **factors)  # type: ignore[arg-type]
