"""`submit`, `list`, `show`, `watch`, `download`, `cancel`, `delete` against the API over HTTP."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.text import WHAT_TO_DO
from tests.unit.cli.conftest import Cli
from tests.unit.cli.studio import REQUEST_ID, Studio

ROOT = Path(__file__).parents[3]


def submitted(cli: Cli, *more: str) -> str:
    ended = cli("submit", "a red circle moves", "--model", "wan-mini", "--json", *more)
    assert ended.code == 0, ended.err
    return str(ended.json["id"])


def once_shown(studio: Studio, video_id: str, work: Callable[[], None]) -> threading.Thread:
    """Does the work when the video is asked for again, and so has been shown as it was."""

    def wait() -> None:
        while sum(path.endswith(video_id) for method, path, _ in list(studio.seen) if method == "GET") < 2:
            time.sleep(0.02)
        work()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def later(work: object, *arguments: object, delay_s: float = 0.3) -> threading.Timer:
    timer = threading.Timer(delay_s, work, arguments)  # type: ignore[arg-type]
    timer.start()
    return timer


def test_given_a_text_when_submitted_then_the_video_is_queued_and_the_next_step_is_said(
    cli: Cli, studio: Studio
) -> None:
    ended = cli("submit", "a red circle moves", "--model", "wan-mini", "--seed", "7", "--steps", "4")

    video_id = ended.out.split()[0]
    assert ended.code == 0
    assert f"Next: revalida watch {video_id}" in ended.out
    request = studio.store.get(video_id).request
    assert (request.seed, request.num_inference_steps, request.prompt) == (7, 4, "a red circle moves")


def test_given_shots_when_submitted_then_each_has_its_text_and_its_frames(cli: Cli, studio: Studio) -> None:
    ended = cli(
        "submit", "a beach", "--model", "wan-mini", "--metadata", "scene=1", "--json",
        "--shot", "17:a red circle", "--shot", "33: a blue square",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    shots = ended.json["shots"]
    assert [(shot["prompt"], shot["num_frames"]) for shot in shots] == [("a red circle", 17), ("a blue square", 33)]
    assert ended.json["metadata"] == {"scene": "1"}


def test_given_a_markdown_script_when_submitted_then_options_lie_over_its_fields(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    script = tmp_path / "scene.md"
    script.write_text("---\nmodel: wan-mini\nseed: 1\nsize: 128x128\n---\n# A red circle\nA red circle moves.\n")

    ended = cli("submit", "--file", script, "--seed", "9", "--json")

    assert ended.code == 0, ended.err
    assert (ended.json["seed"], ended.json["size"], ended.json["prompt"]) == (9, "128x128", "A red circle moves.")


def test_given_a_file_with_many_requests_when_submitted_then_batch_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "two.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b"}\n')

    ended = cli("submit", "--file", "two.jsonl")

    assert ended.code == 2
    assert "Next: revalida batch two.jsonl" in ended.err


def test_given_no_prompt_when_submitted_then_it_is_a_usage_error_and_nothing_is_sent(cli: Cli, studio: Studio) -> None:
    assert cli("submit", "--model", "wan-mini").code == 2
    assert studio.seen == []


def test_given_a_prompt_on_stdin_when_submitted_then_it_is_read(cli: Cli, studio: Studio) -> None:
    ended = cli("submit", "-", "--model", "wan-mini", "--json", stdin="a green triangle falls\n")

    assert ended.json["prompt"] == "a green triangle falls"


def test_given_a_wrong_size_when_submitted_then_one_line_names_field_and_next_step(cli: Cli, studio: Studio) -> None:
    ended = cli("submit", "a red circle", "--model", "wan-mini", "--size", "100x100")

    assert ended.code == 5
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert "Next: change size" in ended.err


def test_given_json_when_refused_then_the_error_is_an_object_with_its_exit_code(cli: Cli, studio: Studio) -> None:
    ended = cli("submit", "a red circle", "--model", "nope", "--json")

    error = json.loads(ended.err)["error"]
    assert (ended.code, ended.out) == (5, "")
    assert (error["exit_code"], error["param"], error["code"]) == (5, "model", "model_not_found")
    assert error["request_id"] == REQUEST_ID


def test_given_estimate_when_asked_then_the_quote_is_shown_and_nothing_is_made(cli: Cli, studio: Studio) -> None:
    before = cli("list", "--all", "--json").json["data"]

    ended = cli("submit", "a red circle", "--model", "wan-mini", "--frames", "17", "--estimate", "--json")

    assert ended.code == 0
    assert ended.json["num_frames"] == 17
    assert cli("list", "--all", "--json").json["data"] == before


def test_given_the_same_idempotency_key_twice_when_submitted_then_one_video_is_made(cli: Cli, studio: Studio) -> None:
    first, second = (submitted(cli, "--idempotency-key", "once", "--seed", "1") for _ in range(2))

    assert first == second
    conflict = cli("submit", "another", "--model", "wan-mini", "--idempotency-key", "once")
    assert conflict.code == 5
    assert "idempotency-key" in conflict.err


def test_given_the_answer_is_lost_when_submitting_then_it_is_sent_again_and_one_video_is_made(
    cli: Cli, studio: Studio
) -> None:
    before = len(cli("list", "--all", "--json").json["data"])
    studio.break_next = 1

    submitted(cli)

    assert len(cli("list", "--all", "--json").json["data"]) == before + 1
    keys = [headers["idempotency-key"] for method, _, headers in studio.seen if method == "POST"]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_given_wait_when_the_video_ends_well_then_the_file_is_written_and_the_code_is_0(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    known = {video["id"] for video in cli("list", "--all", "--json").json["data"]}

    def end_the_new_one() -> None:
        new = None
        while new is None:
            with studio.lock:
                page = studio.store.list("default", after=None, limit=5, order="desc", status=None, model=None)
            new = next((job.id for job in page.jobs if job.id not in known), None)
            time.sleep(0.05)
        studio.complete(new, content=b"the video")

    timer = later(end_the_new_one)
    ended = cli("submit", "a red circle", "--model", "wan-mini", "--output", tmp_path / "out.mp4")
    timer.join()

    assert ended.code == 0, ended.err
    assert (tmp_path / "out.mp4").read_bytes() == b"the video"
    assert f"{tmp_path / 'out.mp4'} (9 B)" in ended.out


def test_given_watch_when_the_video_fails_then_reason_and_code_1(cli: Cli, studio: Studio) -> None:
    from jobs.job import JobError

    video_id = submitted(cli)
    attempt = studio.start(video_id)

    def fail() -> None:
        with studio.lock:
            studio.store.fail(video_id, attempt, error=JobError(code="out_of_memory", message="The GPU was full."))

    once_shown(studio, video_id, fail)

    ended = cli("watch", video_id)

    assert ended.code == 1
    assert "failed (out_of_memory): The GPU was full. Next: send it again with a smaller --size" in ended.out
    assert "step 3 of 8" in ended.err


def test_given_each_advice_then_its_code_is_one_that_videos_fail_with() -> None:
    sources = [path.read_text() for part in ("jobs", "gpu_agent") for path in (ROOT / part).rglob("*.py")]

    unknown = [code for code in WHAT_TO_DO if not any(f'"{code}"' in source for source in sources)]

    assert unknown == []


def test_given_json_when_watched_then_each_change_is_a_line(cli: Cli, studio: Studio) -> None:
    video_id = submitted(cli)
    once_shown(studio, video_id, lambda: studio.complete(video_id))

    ended = cli("watch", video_id, "--json")

    states = [json.loads(line)["status"] for line in ended.out.splitlines()]
    assert (ended.code, states[0], states[-1]) == (0, "queued", "completed")


def test_given_a_timeout_when_watched_then_code_8_and_the_video_goes_on(cli: Cli, studio: Studio) -> None:
    video_id = submitted(cli)

    ended = cli("watch", video_id, "--timeout", "0.2")

    assert ended.code == 8
    assert f"Next: revalida watch {video_id}" in ended.err
    assert studio.store.get(video_id).status == "queued"


def test_given_videos_when_listed_then_filters_pages_and_the_next_step_hold(cli: Cli, studio: Studio) -> None:
    newest = [submitted(cli, "--seed", str(seed)) for seed in range(3)][::-1]

    ended = cli("list", "--limit", "2", "--json")
    assert [video["id"] for video in ended.json["data"]] == newest[:2]
    shown = cli("list", "--limit", "2")
    assert newest[0] in shown.out
    assert f"--after {newest[1]}" in shown.err
    assert cli("list", "--after", newest[1], "--limit", "1", "--json").json["data"][0]["id"] == newest[2]
    assert {video["status"] for video in cli("list", "--status", "completed", "--json").json["data"]} <= {"completed"}
    named = cli("list", "--text", newest[1].lower(), "--json").json["data"]
    assert [video["id"] for video in named] == [newest[1]]


def test_given_a_running_video_when_shown_then_its_attempt_and_step_are_there(cli: Cli, studio: Studio) -> None:
    video_id = submitted(cli, "--metadata", "scene=[bold]1[/bold]")
    studio.start(video_id, step=5)

    ended = cli("show", video_id)

    assert ended.code == 0
    assert "in progress, 62%" in ended.out
    assert "i-1" in ended.out
    assert "scene=[bold]1[/bold]" in ended.out  # a caller's text is no markup


def test_given_a_completed_video_when_shown_then_time_and_cost_stand_by_phase(cli: Cli, studio: Studio) -> None:
    video_id = submitted(cli)
    studio.complete(video_id)

    (row,) = [line for line in cli("show", video_id).out.splitlines() if line.startswith("denoise")]

    assert row.split() == ["denoise", "3.0", "s", "100%", "US$", "0.0120"]


def test_given_a_completed_video_when_downloaded_then_the_key_does_not_go_to_the_file_store(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    video_id = submitted(cli)
    studio.complete(video_id, content=b"frames")

    ended = cli("download", video_id, "--variant", "thumbnail")

    assert ended.code == 0, ended.err
    assert (tmp_path / f"{video_id}.thumbnail.jpg").read_bytes() == b"frames"
    fetched = [headers for _, path, headers in studio.seen if path.startswith("/bucket/")]
    assert fetched
    assert all("authorization" not in headers for headers in fetched)
    again = cli("download", video_id, "--variant", "thumbnail")
    assert again.code == 2
    assert "--force" in again.err


def test_given_a_queued_video_when_downloaded_then_it_says_to_watch(cli: Cli, studio: Studio, tmp_path: Path) -> None:
    video_id = submitted(cli)

    ended = cli("download", video_id)

    assert ended.code == 5
    assert f"revalida watch {video_id}" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_given_a_queued_video_when_cancelled_then_it_ends_and_again_changes_nothing(cli: Cli, studio: Studio) -> None:
    video_id = submitted(cli)

    assert cli("cancel", video_id).code == 0
    assert cli("cancel", video_id).code == 0
    assert studio.store.get(video_id).status == "cancelled"
    assert cli("watch", video_id).code == 1


def test_given_a_completed_video_when_remixed_then_the_new_one_names_it(cli: Cli, studio: Studio) -> None:
    video_id = submitted(cli, "--seed", "5")
    studio.complete(video_id)

    ended = cli("remix", video_id, "a blue circle moves", "--json")

    assert ended.code == 0, ended.err
    assert (ended.json["remixed_from_video_id"], ended.json["prompt"]) == (video_id, "a blue circle moves")


@pytest.mark.parametrize(("command", "kind"), [("extend", "extension"), ("edit", "edit")])
def test_given_a_completed_video_when_gone_on_with_then_the_new_one_begins_at_it(
    cli: Cli, studio: Studio, command: str, kind: str
) -> None:
    video_id = submitted(cli)
    studio.complete(video_id)

    made = cli(command, video_id, "a blue circle", "--frames", "17", "--steps", "3", "--seed", "5", "--json").json

    assert made["origin"] == {"kind": kind, "video_id": video_id}
    assert (made["prompt"], made["model"]) == ("a blue circle", "wan-mini-i2v")
    assert (made["num_inference_steps"], made["seed"]) == (3, 5)


def test_given_yes_when_deleted_then_it_is_gone_and_without_it_is_asked(cli: Cli, studio: Studio) -> None:
    video_id = submitted(cli)

    assert cli("delete", video_id, stdin="n\n").code == 130
    assert cli("show", video_id).code == 0
    assert cli("delete", video_id, "--yes").code == 0
    assert cli("show", video_id).code == 3


def test_given_several_videos_when_one_is_not_there_then_the_others_are_deleted_and_it_is_told(
    cli: Cli, studio: Studio
) -> None:
    first, last = submitted(cli), submitted(cli)

    ended = cli("delete", first, "video_01ARZ3NDEKTSV4RRFFQ69G5FAV", last, "--yes", "--json")

    assert (ended.code, [each["id"] for each in ended.json["data"]]) == (3, [first, last])
    assert "video_01ARZ3NDEKTSV4RRFFQ69G5FAV" in ended.err
    assert cli("show", last).code == 3


def test_given_an_answer_that_is_lost_when_deleted_then_the_second_try_says_that_it_is_gone(
    cli: Cli, studio: Studio
) -> None:
    video_id = submitted(cli)
    studio.break_next = 1

    assert cli("delete", video_id, "--yes", "--json").json["data"] == [{"id": video_id, "deleted": True}]
    studio.fail_next = [429]
    assert cli("delete", video_id, "--yes").code == 3  # no try before was carried out: it was not there


@pytest.mark.parametrize("command", ["show", "watch", "download", "cancel"])
def test_given_no_such_video_when_named_then_code_3_and_one_line(cli: Cli, studio: Studio, command: str) -> None:
    ended = cli(command, "video_01ARZ3NDEKTSV4RRFFQ69G5FAV")

    assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1)
    assert "Next: revalida list" in ended.err
