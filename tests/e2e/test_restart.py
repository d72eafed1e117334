"""Jobs and videos survive a restart; nothing is left running; a taken port is said clearly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.e2e.media import decode
from tests.e2e.studio import REPOSITORY, free_port, start, stop, wait_until


def test_jobs_and_videos_survive_a_restart_and_waiting_work_goes_on(tmp_path: Path) -> None:
    first = start(tmp_path, port=free_port())
    try:
        client = first.openai()
        done = client.videos.create_and_poll(model="wan-mini", prompt="a red circle", size="128x128", seconds="1")
        waiting = client.videos.create(
            model="wan-mini",
            prompt="a green star",
            size="128x128",
            seconds="3",
            extra_body={"num_inference_steps": 50},
        )
    finally:
        left = stop(first, with_signal=signal.SIGINT)
    assert left == [], f"still running after Ctrl-C: {left}"

    second = start(tmp_path, port=free_port())
    try:
        client = second.openai()
        assert second.api_key == first.api_key
        assert len(decode(client.videos.download_content(done.id).read()).frames) == 17
        wait_until(lambda: client.videos.retrieve(waiting.id).status == "completed", what="the waiting job")
    finally:
        assert stop(second) == []


def test_taken_port_gets_a_clear_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {**os.environ, "PORT": str(port), "REVALIDA_LOCAL_DIR": str(tmp_path)}

        ended = subprocess.run(
            [sys.executable, "-m", "local"],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode != 0
    assert str(port) in ended.stdout + ended.stderr
    assert "PORT=" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
