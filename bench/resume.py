"""The second process of `bench.pipeline.checkpoints`: prints the digest of the frames that it ends with."""

import sys
from pathlib import Path

from bench.pipeline import resume

if __name__ == "__main__":
    print(resume(Path(sys.argv[1])))
