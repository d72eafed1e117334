"""Trace ids: one from the request at the door to the last upload, on every log line about the job.

Their form is AWS X-Ray's, `1-<8 hex digits: unix seconds>-<24 hex digits>`, so that a trace that began in front of
the API goes on (docs.aws.amazon.com/xray, "Tracing header").
"""

import os
import re
import secrets

from jobs import clock

_ROOT = re.compile(r"(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)")
_RUNTIME = "_X_AMZN_TRACE_ID"  # the Lambda runtime sets it for each invocation


def root_of(header: str | None) -> str | None:
    """The trace id in an `X-Amzn-Trace-Id` header; None where there is none or it is malformed."""
    found = _ROOT.search(header or "")
    return None if found is None else found[1]


def trace_id(header: str | None = None) -> str:
    """The trace that a request belongs to: the header's, else this invocation's, else a new one."""
    return root_of(header) or root_of(os.environ.get(_RUNTIME)) or new_trace_id()


def new_trace_id() -> str:
    return f"1-{int(clock.now()):08x}-{secrets.token_hex(12)}"
