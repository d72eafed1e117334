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
        write_private(path, self.model_dump_json(indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replaces the file in one step, readable by its owner alone: it holds a key."""
    unfinished = path.with_suffix(".unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)
