"""One module a family, each with a tuple ``MODELS``. A module put here is in the catalog; nothing else lists it."""
