"""What finished jobs teach the estimate: the seconds they took against those predicted, kept in one item of the table.

The publisher adds a sample for each completed job; quotes, ETA and scaling read the factors. The arithmetic itself (the
median of many samples, bounded, with a prior) is `models.estimate.Calibration`.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from jobs import aws, items
from jobs.admission import work_of
from jobs.job import Job
from jobs.states import State
from models import catalog, estimate
from models.catalog import UnknownModel
from models.estimate import Calibration, Slot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_RACES = 8
_PHASES = ("encode", "denoise", "decode")
# Job ids whose sample is in: the stream repeats whole batches, and these are more than a batch holds.
_REMEMBERED = 200


class Sample(NamedTuple):
    """One finished job: seconds of encoding, denoising and decoding, as measured, and as predicted without calibration
    and without any benchmark (`models.estimate` weighs samples and benchmark against each other)."""

    job_id: str
    model: str
    slot: str
    predicted_s: float
    measured_s: float


def sample_of(job: Job) -> Sample | None:
    """None for a job that tells nothing: not completed, resumed (it did part of the work only), of a tier of its own,
    or of a model or a slot that the arithmetic does not know."""
    if job.training is not None:  # its seconds are not those of a video
        return None
    if job.request.tier is not None:  # one tenant's choice of `fast` would lower everybody's quotes
        return None
    if job.status is not State.COMPLETED or not job.attempts or job.attempts[-1].resumed_from_step:
        return None
    slot_name = job.attempts[-1].slot
    measured_s = sum(job.seconds_by_phase.get(phase, 0.0) for phase in _PHASES)
    try:
        predicted = estimate.estimate(catalog.get(job.model), work_of(job.request), Slot.parse(slot_name))
    except (UnknownModel, ValueError):
        return None
    return Sample(job.id, job.model, slot_name, predicted.modelled_s, measured_s) if measured_s > 0 else None


class CalibrationStore:
    """The calibration in the job table."""

    def __init__(self, table: str, *, client: "DynamoDBClient | None" = None) -> None:
        self.table = table
        self._given = client

    @property
    def client(self) -> "DynamoDBClient":
        return self._given or aws.dynamodb()

    def read(self) -> Calibration:
        """What has been learned so far; nothing yet: predictions as they are."""
        return self._read()[0]

    def learn(self, sample: Sample) -> bool:
        """Adds a sample, once. False where it was in already, or where other writers were always first: a sample more
        or less is not worth a failed batch of events."""
        for _ in range(MAX_RACES):
            calibration, learned, revision = self._read()
            if sample.job_id in learned:
                return False
            observed = calibration.observe(
                sample.model, sample.slot, predicted_s=sample.predicted_s, measured_s=sample.measured_s
            )
            if self._write(observed, [*learned, sample.job_id][-_REMEMBERED:], revision):
                return True
        return False

    def _read(self) -> tuple[Calibration, list[str], int]:
        key = items.marshal(items.calibration_key())
        found = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        if found is None:
            return Calibration(), [], 0
        values = items.unmarshal(found)
        return Calibration.model_validate_json(values["calibration"]), values["learned"], values["revision"]

    def _write(self, calibration: Calibration, learned: list[str], revision: int) -> bool:
        values: dict[str, Any] = {
            **items.calibration_key(),
            "calibration": calibration.model_dump_json(),
            "learned": learned,
            "revision": revision + 1,
        }
        try:
            self.client.put_item(
                TableName=self.table,
                Item=items.marshal(values),
                ConditionExpression="attribute_not_exists(pk) OR revision = :revision",
                ExpressionAttributeValues=items.marshal({":revision": revision}),
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True
