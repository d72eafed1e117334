"""`python -m local` (which is `make run`): the whole system on this machine until Ctrl-C."""

import logging
import sys

from pydantic import ValidationError

from local.errors import LocalSystemError
from local.settings import LocalSettings
from local.system import LocalSystem


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("local").setLevel(logging.INFO)
    try:
        LocalSystem(LocalSettings()).run()
    except ValidationError as error:
        print(f"Settings: {error}", file=sys.stderr)
        return 2
    except LocalSystemError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
