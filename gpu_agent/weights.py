"""The weights of this machine: its disk, filled from the deployment's bucket."""

from pathlib import Path

from gpu_agent.clients import bulk_s3
from gpu_agent.logs import logger
from jobs import s3_keys
from models.weights.bucket import WeightsBucket
from models.weights.cache import WeightsCache
from models.weights.errors import WeightsUnavailable

READ_TIMEOUT_S = 30.0


def weights_bucket(bucket: str) -> WeightsBucket:
    """The weights in the media bucket, read over connections of its own."""
    return WeightsBucket(bulk_s3(read_timeout_s=READ_TIMEOUT_S), bucket, root=s3_keys.WEIGHTS)


def worker_cache(weights_dir: Path, bucket: str) -> WeightsCache:
    """For a worker process; `bucket` empty: nothing is fetched."""
    return WeightsCache(weights_dir, weights_bucket(bucket) if bucket else None)


def models_in_bucket(bucket: str) -> frozenset[str]:
    """Ids of the models whose weights a worker could fetch; none while the bucket does not answer."""
    try:
        return frozenset(found.model for found in weights_bucket(bucket).stored())
    except WeightsUnavailable as error:
        logger.warning("weights in the bucket not listed", extra={"error": str(error)})
        return frozenset()
