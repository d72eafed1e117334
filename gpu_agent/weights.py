"""The weights of this machine: its disk, filled from the deployment's bucket."""

from pathlib import Path

from gpu_agent.clients import bulk_s3
from jobs import s3_keys
from models.weights.bucket import WeightsBucket
from models.weights.cache import WeightsCache

READ_TIMEOUT_S = 30.0


def weights_bucket(bucket: str) -> WeightsBucket:
    """The weights in the media bucket, read over connections of its own."""
    return WeightsBucket(bulk_s3(read_timeout_s=READ_TIMEOUT_S), bucket, root=s3_keys.WEIGHTS)


def worker_cache(weights_dir: Path, bucket: str) -> WeightsCache:
    """For a worker process; `bucket` empty: nothing is fetched."""
    return WeightsCache(weights_dir, weights_bucket(bucket) if bucket else None)


def models_in_bucket(bucket: str) -> frozenset[str]:
    """Ids of the models whose weights a worker could fetch. Raises WeightsUnavailable."""
    return frozenset(found.model for found in weights_bucket(bucket).stored())
