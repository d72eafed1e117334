"""Where the local system stands and listens; everything else is the stack's business (cdk.json)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"


class LocalSettings(BaseSettings):
    """`PORT` is the front door's. `REVALIDA_LOCAL_DIR` holds all state; two systems need two directories and ports.

    `REVALIDA_GATEWAY_PORT` is the local AWS's; left out, the port of the last start or any free one is taken.
    """

    model_config = SettingsConfigDict(frozen=True)

    port: int = Field(default=8080, ge=1, le=65_535, validation_alias="PORT")
    directory: Path = Field(default=ROOT / ".local", validation_alias="REVALIDA_LOCAL_DIR")
    gateway_port: int | None = Field(default=None, ge=1, le=65_535, validation_alias="REVALIDA_GATEWAY_PORT")
    # False: nobody plays the instances; whoever started the system brings agents of its own (the chaos run does).
    agents: bool = Field(default=True, validation_alias="REVALIDA_LOCAL_AGENTS")
    agent_stop_s: float = Field(default=20.0, gt=0, validation_alias="REVALIDA_AGENT_STOP_S")

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def pids(self) -> Path:
        return self.directory / "run"

    @property
    def stack_file(self) -> Path:
        return self.directory / "stack.json"
