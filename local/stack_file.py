"""`.local/stack.json`: what a program needs to use the running system."""

import os
from pathlib import Path

from pydantic import BaseModel


class StackFile(BaseModel):
    api_base: str
    api_key: str
    media_bucket: str
    event_bus: str
    aws_endpoint: str
    region: str
    console: str
    table: str
    asg_name: str
    queue_prefix: str

    def write(self, path: Path) -> None:
        """Replaces the file in one step, readable by its owner alone: it holds the key."""
        unfinished = path.with_suffix(".tmp")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=2) + "\n")
        unfinished.replace(path)


def read(path: Path) -> StackFile | None:
    """None where the system was never started. Raises pydantic.ValidationError for a file that is not ours."""
    return StackFile.model_validate_json(path.read_bytes()) if path.is_file() else None
