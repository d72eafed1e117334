"""The instance metadata service, version 2: identity, and the three ways in which it says that the machine will go.

Shapes: docs.aws.amazon.com/AWSEC2, "Spot Instance interruption notices" and "EC2 instance rebalance recommendations".
"""

import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import httpx
from pydantic import BaseModel, ValidationError

from jobs.waiting import MOVED

TOKEN_TTL_S = 21_600  # the longest that IMDSv2 grants
TIMEOUT_S = 2.0  # link-local: an answer that takes longer will not come


class NoticeKind(StrEnum):
    SPOT = "spot"
    REBALANCE = "rebalance"
    LIFECYCLE = "lifecycle"
    SIGNAL = "signal"
    MOVE = MOVED  # not the metadata service's: the planner's order, on the same board


@dataclass(frozen=True, kw_only=True)
class Notice:
    """The machine is to go. `at_s` is when, in unix seconds; None where it is only at risk or nobody said."""

    kind: NoticeKind
    at_s: float | None = None


class _InstanceAction(BaseModel):
    action: str
    time: datetime


class Imds:
    """A small client: one token for its whole life-time, short timeouts, None for what does not exist."""

    def __init__(self, endpoint: str) -> None:
        self._http = httpx.Client(base_url=endpoint, timeout=TIMEOUT_S, trust_env=False)
        self._token: str | None = None
        self._token_until_s = 0.0

    def get(self, path: str) -> str | None:
        """The text at `/latest/meta-data/<path>`, None on 404. Raises httpx.HTTPError where the service is away."""
        answer = self._http.get(f"/latest/meta-data/{path}", headers=self._headers())
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = None
            answer = self._http.get(f"/latest/meta-data/{path}", headers=self._headers())
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.text.strip()

    def notice(self) -> Notice | None:
        """The most urgent notice that stands now. Raises httpx.HTTPError."""
        if (spot := self._spot_action()) is not None:
            return spot
        if self.get("autoscaling/target-lifecycle-state") == "Terminated":
            return Notice(kind=NoticeKind.LIFECYCLE)
        if self.get("events/recommendations/rebalance") is not None:
            return Notice(kind=NoticeKind.REBALANCE)
        return None

    def close(self) -> None:
        self._http.close()

    def _spot_action(self) -> Notice | None:
        text = self.get("spot/instance-action")
        if text is None:
            return None
        try:
            action = _InstanceAction.model_validate_json(text)
        except ValidationError:
            # Some stand-ins answer "none" where AWS answers 404.
            return None
        return Notice(kind=NoticeKind.SPOT, at_s=action.time.timestamp())

    def _headers(self) -> dict[str, str]:
        if self._token is None or time.monotonic() >= self._token_until_s:
            answer = self._http.put(
                "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
            )
            answer.raise_for_status()
            self._token = answer.text.strip()
            self._token_until_s = time.monotonic() + TOKEN_TTL_S * 0.9
        return {"X-aws-ec2-metadata-token": self._token}
