"""What is wrong with a request or a licence, as values that each door can put into its own words."""

from typing import NamedTuple


class CatalogError(Exception):
    """Base of the catalog's errors."""


class UnknownModel(CatalogError):
    """No model of that id. ``model_id`` is what was asked for, ``known`` the ids there are."""

    def __init__(self, model_id: str, known: tuple[str, ...]) -> None:
        self.model_id = model_id
        self.known = known
        super().__init__(f"there is no model {model_id!r}; the catalog has: {', '.join(known)}")


class DuplicateModel(CatalogError):
    """A model of that id is already in the catalog, and is not the same."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        super().__init__(f"the catalog already has a different model {model_id!r}")


class SpecViolation(CatalogError):
    """A request asks for something the model cannot do.

    ``param`` is the request's field, ``code`` a stable word for programs, ``message`` a sentence for people that names
    the nearest value that would be right; ``nearest`` is that value, written as the request would write it.
    """

    def __init__(self, *, param: str, message: str, code: str, nearest: str | None = None) -> None:
        self.param = param
        self.message = message
        self.code = code
        self.nearest = nearest
        super().__init__(message)


class Refusal(NamedTuple):
    """A "no" that is an answer and not an accident: why, in a sentence, and a stable code."""

    code: str
    reason: str
