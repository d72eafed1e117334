"""What an attempt tells of its training through the media bucket: the losses so far, and samples on the way."""

import json
import re
from collections.abc import Sequence

from jobs import aws, s3_keys
from jobs.job import Job

LOSSES = "losses.json"
_SAMPLE = re.compile(r"/training/sample-([0-9]{6})\.jpg$")
WIDTH, HEIGHT, MARGIN = 640, 240, 36  # of the plot, in SVG's pixels
SMOOTHED = 20  # steps that the curve's second line is the mean of


def sample_file(step: int) -> str:
    """The name of the sample after `step` steps."""
    return f"sample-{step:06d}.jpg"


def losses(bucket: str, job: Job) -> list[float]:
    """The loss of every step so far, as the newest attempt that told any has it."""
    from botocore.exceptions import ClientError

    for attempt in range(job.attempt, 0, -1):
        key = s3_keys.training_file(job.id, attempt, LOSSES)
        try:
            answer = aws.s3().get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                continue
            raise
        return [float(loss) for loss in json.loads(answer["Body"].read())["losses"]]
    return []


def samples(bucket: str, job: Job) -> list[tuple[int, str]]:
    """Steps and keys of the samples, in order; of a step that two attempts made, the later one's."""
    found: dict[int, str] = {}
    pages = aws.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=s3_keys.job_prefix(job.id))
    for page in pages:
        for item in page.get("Contents", []):
            match = _SAMPLE.search(item["Key"])
            if match is not None:
                found[int(match[1])] = item["Key"]
    return sorted(found.items())


def smoothed(values: Sequence[float]) -> list[float]:
    """The mean of each value and those before it, `SMOOTHED` together."""
    return [sum(values[max(0, at - SMOOTHED + 1) : at + 1]) / min(at + 1, SMOOTHED) for at in range(len(values))]


def loss_plot(values: Sequence[float], *, steps: int) -> str:
    """The loss curve as an SVG: every step in grey, the mean of the last twenty over it."""
    top = max(values, default=1.0) or 1.0
    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" points="{_points(line, steps, top)}"/>'
        for line, colour, width in ((values, "#b8b8b8", 1), (smoothed(values), "#1f5fbf", 2))
        if line
    )
    bottom, right = HEIGHT - MARGIN, WIDTH - MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12">'
        f"<title>Loss by step</title>"
        f'<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="#666"/>'
        f'<text x="{MARGIN}" y="{MARGIN - 8}">{top:.3g}</text><text x="{MARGIN - 12}" y="{bottom + 4}">0</text>'
        f'<text x="{right}" y="{bottom + 18}" text-anchor="end">step {steps}</text>{lines}</svg>'
    )


def _points(values: Sequence[float], steps: int, top: float) -> str:
    across, down = (WIDTH - 2 * MARGIN) / max(1, steps - 1), HEIGHT - 2 * MARGIN
    return " ".join(
        f"{MARGIN + at * across:.1f},{HEIGHT - MARGIN - value / top * down:.1f}" for at, value in enumerate(values)
    )
