"""What the agent prints: a line is one log or one metric, whichever of its threads wrote it."""

import json
import subprocess
import sys

LINES = 300
WRITER = f"""
import sys, threading
from gpu_agent import metrics
from gpu_agent.logs import logger
sys.setswitchinterval(1e-6)

def log():
    for number in range({LINES}):
        logger.info("said", extra={{"number": number}})

def count():
    for _ in range({LINES}):
        metrics.count("Counted")

threads = [threading.Thread(target=work) for work in (log, log, count, count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_given_threads_that_log_and_count_at_once_then_every_line_is_whole() -> None:
    done = subprocess.run([sys.executable, "-c", WRITER], capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(line.get("message") == "said" for line in lines) == 2 * LINES
    assert sum("_aws" in line for line in lines) == 2 * LINES
