"""HoloCine-14B: several shots in one generation, over the Wan 2.2 T2V-A14B architecture.

Written from a specification in the project's own words and from golden tensors; see docs/holocine.md.
"""

from typing import Any


def load(*args: Any, **kwargs: Any) -> Any:
    """See `models.holocine.loading.load`; imported only when called."""
    from models.holocine.loading import load as load_model

    return load_model(*args, **kwargs)
