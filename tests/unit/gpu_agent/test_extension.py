"""An extension as the worker makes it: the source's frames, then the generated ones, encoded once."""

import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gpu_agent.cadence import Cadence
from gpu_agent.inputs import generation_request, total_frames
from gpu_agent.worker.channel import Channel
from gpu_agent.worker.encode import EncodingJob
from gpu_agent.worker.extension import SourceUnusable, input_frame
from gpu_agent.worker.protocol import JobFailed, RunJob, VideoEncoded
from jobs.request import OutputBody, SourceVideo
from models.common.shots import plan_shots
from models.output import write_video
from tests.unit.jobs.made import queued, request

SIDE = 64


def grey(level: int) -> Any:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def source(folder: Path, levels: list[int]) -> Path:
    path = folder / "source.mp4"
    write_video([grey(level) for level in levels], path, fps=16, num_frames=len(levels))
    return path


def asked(use: str, num_frames: int, **changes: Any) -> Any:
    video = SourceVideo.model_validate({"key": "inputs/x.mp4", "use": use, "num_frames": num_frames})
    return request(size=f"{SIDE}x{SIDE}", video=video, num_frames=3, **changes)


def level_of(path: Path) -> int:
    import PIL.Image

    return int(np.asarray(PIL.Image.open(path)).mean().round())


class Heard(Channel):
    """What the worker tells the agent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, message: Any) -> None:
        self.messages.append(message)

    def answer(self, *, within_s: float = 20) -> Any:
        until = time.monotonic() + within_s
        while not self.messages and time.monotonic() < until:
            time.sleep(0.01)
        return self.messages[0]


def encoded(folder: Path, levels: list[int], generated: list[int], **output: Any) -> Any:
    ordered = asked("extend", len(levels), output=OutputBody(**output))
    job = queued(request=ordered)
    heard = Heard()
    options = ordered.output
    encoding = EncodingJob(
        RunJob(
            job_id=job.id,
            attempt=1,
            request=generation_request(job, image=None, loras=()),
            directory=folder,
            resume=None,
            cadence=Cadence(interval_s=60.0, max_overhead=0.05),
            total_frames=total_frames(job),
            codec=options.codec,
            upscale=options.upscale,
            interpolate=options.interpolate,
            before=source(folder, levels),
        ),
        heard,
    )
    for level in generated:
        encoding.put(grey(level))
    encoding.end_of_frames()
    return heard.answer()


def levels_of(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [int(frame.to_ndarray(format="rgb24").mean().round()) for frame in container.decode(video=0)]


def test_given_an_extension_then_the_last_frame_is_the_input_image(tmp_path: Path) -> None:
    video = source(tmp_path, [20, 100, 180])

    image = input_frame(video, asked("extend", 3), tmp_path / "frame.png")

    assert level_of(image) == pytest.approx(180, abs=2)


def test_given_an_edit_then_the_first_frame_is_the_input_image(tmp_path: Path) -> None:
    video = source(tmp_path, [20, 100, 180])

    image = input_frame(video, asked("edit", 3), tmp_path / "frame.png")

    assert level_of(image) == pytest.approx(20, abs=2)


def test_given_an_edit_of_a_portrait_as_a_square_then_it_begins_at_the_frames_middle(tmp_path: Path) -> None:
    portrait = np.full((2 * SIDE, SIDE, 3), 20, np.uint8)
    portrait[SIDE // 2 : -SIDE // 2] = 180
    write_video([portrait], tmp_path / "portrait.mp4", fps=16, num_frames=1)
    job = queued(request=asked("edit", 1))

    image = input_frame(tmp_path / "portrait.mp4", job.request, tmp_path / "frame.png")
    shot, *_ = plan_shots(generation_request(job, image=image, loras=()), takes_text_alone=False, takes_image=True)

    assert shot.image is not None
    assert shot.image.size == (SIDE, SIDE)
    assert np.asarray(shot.image).mean() == pytest.approx(180, abs=5)


def test_given_a_video_that_is_not_what_was_accepted_then_it_says_what_it_is(tmp_path: Path) -> None:
    video = source(tmp_path, [20, 100, 180])

    with pytest.raises(SourceUnusable, match="3 frames of 64x64, not 4 of 64x64"):
        input_frame(video, asked("extend", 4), tmp_path / "frame.png")


def test_given_no_video_then_it_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no video")

    with pytest.raises(SourceUnusable):
        input_frame(tmp_path / "x.mp4", asked("edit", 3), tmp_path / "frame.png")


def tagged(video: Path, title: bytes) -> Path:
    """The same video with a title of as many bytes as these."""
    written, path = b"\xc3\xa9" * (len(title) // 2), video.with_name("tagged.mp4")
    with av.open(str(video)) as before, av.open(str(path), "w") as after:
        after.metadata["title"] = written.decode()
        stream = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                after.mux(packet)
    assert path.read_bytes().count(written) == 1
    path.write_bytes(path.read_bytes().replace(written, title))
    return path


def test_given_a_title_that_is_not_utf_8_then_the_frames_are_read_all_the_same(tmp_path: Path) -> None:
    video = tagged(source(tmp_path, [20, 100, 180]), "Café no Açaí".encode("latin-1"))

    assert level_of(input_frame(video, asked("extend", 3), tmp_path / "frame.png")) == pytest.approx(180, abs=2)


@pytest.mark.parametrize("error", [ValueError("a field"), MemoryError()])
def test_given_a_file_that_pyav_cannot_convert_then_it_is_unusable(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(av, "open", fail)

    with pytest.raises(SourceUnusable):
        input_frame(tmp_path / "x.mp4", asked("edit", 3), tmp_path / "frame.png")


def test_given_generated_frames_then_the_video_is_the_stitched_whole_without_the_frame_twice(tmp_path: Path) -> None:
    done = encoded(tmp_path, [20, 100, 180], [178, 200, 220])

    assert isinstance(done, VideoEncoded), done
    assert (done.num_frames, done.seconds) == (5, 5 / 16)
    assert levels_of(done.video) == pytest.approx([20, 100, 180, 200, 220], abs=3)


def test_given_prores_enlarged_and_interpolated_then_so_is_the_whole(tmp_path: Path) -> None:
    done = encoded(tmp_path, [20, 100, 180], [178, 200, 220], codec="prores", upscale=2, interpolate=2)

    assert isinstance(done, VideoEncoded), done
    assert (done.video.name, done.width, done.num_frames, done.fps) == ("video.mov", 2 * SIDE, 9, 32)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it ends the worker: meant
def test_given_too_few_generated_frames_then_the_job_is_told_and_no_file_left(tmp_path: Path) -> None:
    failed = encoded(tmp_path, [20, 100, 180], [178])

    assert isinstance(failed, JobFailed)
    assert not (tmp_path / "video.mp4").exists()
