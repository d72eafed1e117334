"""Where a model that makes all shots at once cuts between them: arithmetic that doors and model share.

A cut is the 0-based index of the first frame of the new shot. The VAE makes one latent frame of frame 0 and one of
every four frames after it, so that a cut on frame 4k + 1 falls between two latent frames.
"""


def round_frames(num_frames: int) -> int:
    """The nearest 4k + 1; halves go to the even k, as in training (r(3) = 1, r(7) = 9, r(11) = 9)."""
    return 4 * round((num_frames - 1) / 4) + 1


def even_cuts(num_frames: int, num_shots: int) -> tuple[int, ...]:
    """Cuts of `num_shots` shots of about equal length in `num_frames` (4k + 1) frames, each on a latent frame."""
    return tuple(round_frames(round(i * num_frames / num_shots)) for i in range(1, num_shots))


def can_be_cut(num_frames: int, num_shots: int) -> bool:
    """Whether `even_cuts` leaves every shot a latent frame: rounding moves cuts onto each other in short videos."""
    cuts = even_cuts(num_frames, num_shots)
    return list(cuts) == sorted({cut for cut in cuts if 0 < cut < num_frames})
