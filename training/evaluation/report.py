"""Figures as Markdown, into the model card of the checkpoint they belong to."""

import re
from pathlib import Path

from training.evaluation import measure
from training.evaluation.scores import table
from training.pack import CHECKPOINTS

_FIGURES = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


def write_figures(card: Path, figures: str) -> None:
    """Replace what stands between the card's figure marks.

    Raises:
        ValueError: the card has no such marks.
    """
    text = card.read_text("utf-8")
    if not _FIGURES.search(text):
        raise ValueError(f"{card} has no place for figures")
    card.write_text(_FIGURES.sub(lambda marks: f"{marks[1]}{figures}\n{marks[2]}", text), "utf-8")


def _figures(checkpoint: str, count: int, device: str) -> str:
    folder = CHECKPOINTS / checkpoint
    if checkpoint == "wan-mini-i2v":
        rows, first_db = measure.measure_image_to_video(folder, count, device)
        return f"{table(rows)}\n\nFirst frame: {first_db:.1f} dB PSNR against the given image."
    if checkpoint == "holocine-mini":
        variants = {name: table(measure.measure_stories(folder, name, count, device)) for name in ("full", "sparse")}
        return "\n\n".join(f"{name.capitalize()} attention:\n\n{rows}" for name, rows in variants.items())
    if checkpoint == "wan-mini-4step":
        return table(measure.measure_text_to_video(CHECKPOINTS / "wan-mini", count, device, lora=folder))
    psnr = measure.measure_autoencoder(folder, min(count, 32), device)
    rows = measure.measure_text_to_video(folder, count, device)
    return f"{table(rows)}\n\nAutoencoder: {psnr:.1f} dB PSNR on held-out clips of 33 frames."


def evaluate(checkpoint: str, count: int, device: str, *, write: bool) -> str:
    """Measure a shipped checkpoint on `count` held-out prompts; with `write`, put the figures into its model card."""
    figures = f"{count} held-out prompts:\n\n{_figures(checkpoint, count, device)}"
    if write:
        write_figures(CHECKPOINTS / checkpoint / "README.md", figures)
    return figures
