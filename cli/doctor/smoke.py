"""The smallest video that there is, all the way: queue, planner, launch, agent, bucket."""

from cli.doctor.finding import Finding, failure, ok
from cli.exits import CliError
from cli.session import Session
from cli.waiting import follow

MODEL = "wan-mini"  # shipped with the code: it needs no weights, and a second of any GPU
PROMPT = "a red circle moves to the right"
TIMEOUT_S = 1800.0  # Spot may take its time, and a boot three minutes


def smoke(session: Session, *, model: str = MODEL, timeout_s: float = TIMEOUT_S) -> Finding:
    """One job over the API that the session is configured for, followed to its end."""
    try:
        made = session.api.post("/videos", {"model": model, "prompt": PROMPT}).body
        (video,) = follow(session, [made], timeout_s=timeout_s)
    except CliError as error:
        return failure("smoke job", error.message, error.hint or "check the api function's log group")
    if video["status"] == "completed":
        return ok(
            "smoke job", f"{video['id']} came out {video['completed_at'] - video['created_at']} s after its request"
        )
    reason = (video.get("error") or {}).get("message", video["status"])
    return failure("smoke job", f"{video['id']}: {reason}", f"revalida show {video['id']}")
