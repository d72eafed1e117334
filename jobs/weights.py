"""Which models' weights the deployment has. They come from the bucket, whatever type an instance is of."""

from collections.abc import Callable, Iterator

from jobs import aws, clock, s3_keys

KEPT_S = 60.0


class WeightsShelf:
    """The weights in the media bucket, listed at most once a minute. Only whole sets count: `revalida weights pull`
    writes a set's manifest last."""

    def __init__(self, bucket: str, *, now: Callable[[], float] = clock.now) -> None:
        self._bucket = bucket
        self._now = now
        self._models: frozenset[str] = frozenset()
        self._read_at: float | None = None

    def models(self) -> frozenset[str]:
        """Ids of the models that an instance can fetch; while the bucket cannot be listed, those it had. Raises
        botocore's errors where it never could."""
        if self._read_at is None or self._now() - self._read_at > KEPT_S:
            self._read()
        return self._models

    def _read(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # heavy: only where AWS is asked

        try:
            self._models = frozenset(self._listed())
        except (BotoCoreError, ClientError):
            if self._read_at is None:
                raise
        self._read_at = self._now()

    def _listed(self) -> Iterator[str]:
        pages = aws.s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=s3_keys.WEIGHTS)
        keys = (entry["Key"] for page in pages for entry in page.get("Contents", []))
        return (model for model in map(s3_keys.model_of_manifest, keys) if model is not None)
