"""The schema of the job's record: which number it has, and how records of earlier releases are read.

A job may be accepted by one release and run by the next, and for the length of a deploy both work on one table. So:

- A field may be added at any time, with a default. An older release passes it over, and leaves it where it stands.
- A field that gets another meaning or shape gets a new number here, and an upgrade from the number before. A release
  reads every number up to its own.
- Nothing is taken away, and nothing made required, without both. A test holds the record to the released schema.
"""

from collections.abc import Callable, Mapping
from typing import Any

JOB_SCHEMA = 1  # written with every record; a record without a number is of schema 1

Values = dict[str, Any]
# From a schema to the one after it: `UPGRADES[1]` makes of a record of schema 1 one of schema 2.
UPGRADES: Mapping[int, Callable[[Values], Values]] = {}


def upgraded(values: Values, upgrades: Mapping[int, Callable[[Values], Values]] = UPGRADES) -> Values:
    """The values in the newest schema that `upgrades` lead to; one that is newer already is left as it is."""
    schema = int(values.get("schema", 1))
    while schema in upgrades:
        values = upgrades[schema](values)
        schema += 1
    return values
