"""What can be wrong with a multi-shot request or a HoloCine checkpoint, by name."""


class HoloCineError(ValueError):
    """Base of the errors of this family: the input is refused, nothing was generated."""


class PromptError(HoloCineError):
    """The captions or markers of a prompt do not describe a sequence of shots."""


class PromptTooLong(PromptError):
    """The prompt has more tokens than the text encoder takes; captions would be lost."""


class ShotError(HoloCineError):
    """Frames, cuts and captions do not fit together."""


class ShotLayoutMissing(RuntimeError):
    """The transformer was called outside `use_shots`: it cannot know which token belongs to which shot."""


class CheckpointKeysError(HoloCineError):
    """A checkpoint file does not hold exactly the tensors of the model."""
