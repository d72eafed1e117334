"""`python -m gpu_agent`: the agent of this instance."""

import argparse
import os
import signal
import sys

from gpu_agent.agent import Agent
from gpu_agent.settings import agent_settings


def main() -> int:
    """Run until drained. SIGTERM and SIGINT drain. With `--abilities`, say what this machine can run, and end."""
    parser = argparse.ArgumentParser(prog="python -m gpu_agent", description="The agent of this instance.")
    parser.add_argument("--abilities", action="store_true", help="report what this machine can run, and end")
    asked = parser.parse_args()
    agent = Agent(agent_settings())
    if asked.abilities:
        agent.report_abilities()
        return 0

    def on_signal(number: int, frame: object) -> None:
        del number, frame
        agent.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return agent.run()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: threads in a hanging call, which the drain has given up, must not hold the process.
    os._exit(status)
