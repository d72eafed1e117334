"""Generated examples that are the same on every machine."""

from __future__ import annotations

from hypothesis import settings

# Main is green or it is not: the same examples everywhere, and no verdict on how long a busy machine took.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")
