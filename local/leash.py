"""`leash.py PARENT COMMAND...` becomes COMMAND, in a way that it ends when the process PARENT does.

Without it a `kill -9` of the local system would leave its children running. Linux only; elsewhere the command runs
without a leash.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


def main(command: list[str], parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the leash was on
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[2:], int(sys.argv[1]))
