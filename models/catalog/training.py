"""How LoRAs are trained for a model where the request does not say."""

from typing import Literal

from models.catalog.record import Record

CameraMove = Literal["still", "pan_left", "pan_right", "tilt_up", "tilt_down", "zoom_in", "zoom_out", "bob"]
"""What a camera does in front of a picture. It pans left: what the picture shows goes to the right. It bobs, as in a
walking hand: what the picture shows goes up and down."""

STANDARD_MOVES: tuple[tuple[CameraMove, str], ...] = (
    ("still", "static shot"),
    ("pan_left", "the camera pans left"),
    ("pan_right", "the camera pans right"),
    ("tilt_up", "the camera tilts up"),
    ("tilt_down", "the camera tilts down"),
    ("zoom_in", "the camera moves closer"),
    ("zoom_out", "the camera moves away"),
)
"""In the words of film makers, which captions of videos use; for models that an entry does not give others."""


class TrainingDefaults(Record):
    """Settings in common use for a character's LoRA on full-size models; an entry says where its own differ.

    ``clip_frames``: for how many frames a picture is held, 1 for a picture. ``camera_moves``: with what moves it is
    filmed then, and the words that captions say each with. ``prior_prompts``: prompts without the character, at which
    the model is held to itself with ``prior_weight``.
    """

    steps: int = 1_500
    rank: int = 16
    learning_rate: float = 1e-4
    batch_size: int = 1
    caption_dropout: float = 0.05
    clip_frames: int = 1
    camera_moves: tuple[tuple[CameraMove, str], ...] = ()
    prior_weight: float = 0.0
    prior_prompts: tuple[str, ...] = ()
