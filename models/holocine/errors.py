"""What can be wrong with a multi-shot request, by name. Weight files fail with `models.interface.WeightsError`."""

from models.interface import UnsupportedRequest


class HoloCineError(UnsupportedRequest, ValueError):
    """Base of the errors of this family: the request is refused, nothing was generated."""


class PromptError(HoloCineError):
    """The captions or markers of a prompt do not describe a sequence of shots."""

    def __init__(self, message: str, *, param: str = "prompt") -> None:
        super().__init__(message, param=param)


class ShotError(HoloCineError):
    """Frames, cuts and captions do not fit together."""

    def __init__(self, message: str, *, param: str = "shots") -> None:
        super().__init__(message, param=param)


class ShotLayoutMissing(RuntimeError):
    """The transformer was called outside `use_shots`: it cannot know which token belongs to which shot."""


class UnknownTensor(LookupError):
    """A tensor's name is none of the architecture's."""
