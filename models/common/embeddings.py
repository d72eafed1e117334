"""Prompt embeddings kept between requests: for known text the encoder need not run, nor even be loaded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import torch

Embedding = dict[str, torch.Tensor]

DEFAULT_CAPACITY_GIB = 1.0  # about 120 prompts of UMT5-XXL: 512 tokens x 4096 x 4 bytes are 8 MiB


class EmbeddingCache:
    """Least-recently-used cache of embeddings on the CPU, bounded by its tensors' bytes. Threads may share it: one text
    is encoded at a time.

    Keys carry the encoder's revision and the text (and the digest of the image, where the encoder sees it).
    """

    def __init__(self, capacity_gib: float = DEFAULT_CAPACITY_GIB) -> None:
        self._capacity_bytes = int(capacity_gib * 2**30)
        self._entries: OrderedDict[Hashable, Embedding] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get_or_encode(self, key: Hashable, encode: Callable[[], Embedding]) -> Embedding:
        """The embedding kept under `key`; if there is none, `encode` is called and its result kept."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
            return self._keep(key, encode)

    def _keep(self, key: Hashable, encode: Callable[[], Embedding]) -> Embedding:
        embedding = {name: tensor.detach().to("cpu") for name, tensor in encode().items()}
        self._entries[key] = embedding
        self._bytes += _bytes_of(embedding)
        while self._bytes > self._capacity_bytes and len(self._entries) > 1:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= _bytes_of(dropped)
        return embedding


def _bytes_of(embedding: Embedding) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in embedding.values())
