"""`python -m gpu_agent`: the agent of this instance."""

import os
import signal
import sys

from gpu_agent.agent import Agent
from gpu_agent.settings import agent_settings


def main() -> int:
    """Run until drained. SIGTERM and SIGINT drain."""
    agent = Agent(agent_settings())

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
