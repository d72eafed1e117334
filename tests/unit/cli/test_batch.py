"""`batch`: every row once, whatever stops the run."""

import json
from pathlib import Path

import pytest

from cli import batch_state, batch_work
from tests.unit.cli.conftest import Cli
from tests.unit.cli.studio import Studio


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_work, "POLL_S", 0.05)
    monkeypatch.setattr("cli.api.BACKOFF_S", 0.01)


def count(cli: Cli) -> int:
    return len(cli("list", "--all", "--json").json["data"])


def csv_file(folder: Path, *rows: str) -> Path:
    path = folder / "prompts.csv"
    path.write_text("prompt,model,num_frames,seed\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_given_a_csv_when_run_twice_then_each_row_is_sent_once(cli: Cli, studio: Studio, tmp_path: Path) -> None:
    file = csv_file(tmp_path, "a red circle,wan-mini,17,1", "a blue square,wan-mini,33,2", "a red circle,wan-mini,17,1")
    before = count(cli)

    first = cli("batch", file, "--json")
    posts = len(studio.posts())
    second = cli("batch", file, "--json")

    assert (first.code, second.code) == (0, 0), first.err
    assert count(cli) == before + 3  # two equal rows are two videos
    assert len(studio.posts()) == posts
    jobs = [row["job_id"] for row in first.json["rows"]]
    assert jobs == [row["job_id"] for row in second.json["rows"]]
    assert len(set(jobs)) == 3
    assert studio.store.get(jobs[1]).request.num_frames == 33


def test_given_a_bad_row_when_run_then_the_others_go_and_corrected_it_goes_alone(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    file = csv_file(tmp_path, "a red circle,wan-mini,17,1", "a blue square,wan-mini,18,2")
    before = count(cli)

    ended = cli("batch", file, "--json")
    assert ended.code == 5
    assert ended.json["counts"] == {"queued": 1, "rejected": 1}
    assert ended.json["rows"][1]["error"]["param"] == "num_frames"
    assert ended.json["rows"][1]["line"] == 3

    csv_file(tmp_path, "a red circle,wan-mini,17,1", "a blue square,wan-mini,17,2")
    assert cli("batch", file, "--json").code == 0
    assert count(cli) == before + 2


def test_given_the_api_goes_away_when_run_again_then_nothing_is_made_twice(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    file = csv_file(tmp_path, *(f"a red circle,wan-mini,17,{seed}" for seed in range(6)))
    before = count(cli)
    studio.break_next = 7  # jobs are made, answers are lost, until the client gives up

    stopped = cli("batch", file, "--concurrency", "1")
    assert stopped.code == 7
    studio.break_next = 0
    assert cli("batch", file).code == 0
    assert count(cli) == before + 6


def test_given_a_crash_in_the_middle_of_a_write_when_run_again_then_the_row_has_the_same_video(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    file = csv_file(tmp_path, "a red circle,wan-mini,17,1", "a blue square,wan-mini,17,2")
    first = cli("batch", file, "--concurrency", "1", "--json")
    state = tmp_path / "prompts.csv.revalida.jsonl"
    state.write_text(state.read_text()[:-40])
    before = count(cli)

    second = cli("batch", file, "--json")

    assert count(cli) == before
    assert [row["job_id"] for row in second.json["rows"]] == [row["job_id"] for row in first.json["rows"]]
    third = cli("batch", file, "--json")  # and what was appended after the torn line can be read
    assert third.code == 0


def test_given_videos_that_end_when_waited_for_then_files_are_written_and_code_1_tells_of_a_failure(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    from jobs.job import JobError

    file = csv_file(tmp_path, "a red circle,wan-mini,17,1", "a blue square,wan-mini,17,2")
    rows = cli("batch", file, "--json").json["rows"]
    studio.complete(rows[0]["job_id"], content=b"one")
    studio.store.fail(
        rows[1]["job_id"], studio.start(rows[1]["job_id"]), error=JobError(code="crashed", message="It crashed.")
    )
    (tmp_path / "out").mkdir()

    ended = cli("batch", file, "--output", tmp_path / "out", "--json")

    assert ended.code == 1
    assert "--retry-failed" in ended.err
    assert ended.json["counts"] == {"completed": 1, "failed": 1}
    assert (tmp_path / "out" / "prompts.csv.2.mp4").read_bytes() == b"one"
    again = cli("batch", file, "--retry-failed", "--json")
    assert again.code == 0
    assert again.json["rows"][1]["job_id"] != rows[1]["job_id"]
    assert again.json["rows"][0]["job_id"] == rows[0]["job_id"]


def test_given_a_deleted_video_when_waited_for_then_it_is_told_and_not_waited_for(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    file = csv_file(tmp_path, "a red circle,wan-mini,17,1")
    video_id = cli("batch", file, "--json").json["rows"][0]["job_id"]
    cli("delete", video_id, "--yes")

    ended = cli("batch", file, "--wait", "--json")

    assert (ended.code, ended.json["counts"]) == (1, {"deleted": 1})


def test_given_jsonl_with_an_image_beside_it_when_run_then_the_image_goes_along(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    import io

    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(picture, "PNG")
    (tmp_path / "red.png").write_bytes(picture.getvalue())
    requests = [{"model": "wan-mini-i2v", "prompt": "it moves", "image": name} for name in ("red.png", "missing.png")]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(each) + "\n" for each in requests))

    ended = cli("batch", tmp_path / "p.jsonl", "--json")

    assert [row["status"] for row in ended.json["rows"]] == ["queued", "rejected"], ended.json
    assert ended.json["rows"][1]["error"]["param"] == "image"
    assert studio.store.get(ended.json["rows"][0]["job_id"]).request.image is not None


def test_given_estimate_when_run_then_the_lot_is_quoted_and_nothing_is_made(
    cli: Cli, studio: Studio, tmp_path: Path
) -> None:
    file = csv_file(tmp_path, "a red circle,wan-mini,17,1", "a blue square,wan-mini,18,2")
    before = count(cli)

    ended = cli("batch", file, "--estimate", "--json")

    assert ended.code == 5
    assert (ended.json["total"]["videos"], ended.json["total"]["refused"]) == (1, 1)
    assert ended.json["rows"][1]["error"]["param"] == "num_frames"
    assert count(cli) == before
    assert not (tmp_path / "prompts.csv.revalida.jsonl").exists()


def test_given_another_deployment_when_resumed_then_it_is_refused(cli: Cli, studio: Studio, tmp_path: Path) -> None:
    file = csv_file(tmp_path, "a red circle,wan-mini,17,1")
    with batch_state.opened(tmp_path / "prompts.csv.revalida.jsonl", api_base="https://elsewhere/v1"):
        pass

    ended = cli("batch", file)

    assert ended.code == 2
    assert "--state" in ended.err
    assert studio.posts() == []


def test_given_another_run_at_work_when_started_then_it_is_refused(cli: Cli, studio: Studio, tmp_path: Path) -> None:
    file = csv_file(tmp_path, "a red circle,wan-mini,17,1")
    with batch_state.opened(tmp_path / "prompts.csv.revalida.jsonl", api_base=f"{studio.address}/v1"):
        ended = cli("batch", file)

    assert ended.code == 2
    assert "Another run" in ended.err


def test_given_no_file_when_run_then_one_line(cli: Cli, studio: Studio, tmp_path: Path) -> None:
    ended = cli("batch", tmp_path / "nothing.csv")

    assert (ended.code, ended.err.count("\n")) == (2, 1)
