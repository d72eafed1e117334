"""Thumbnail and spritesheet, collected while the frames pass by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

THUMBNAIL_SIDE = 512  # pixels of the longer side at most
SHEET_COLUMNS = 4
SHEET_TILES = 16
TILE_SIDE = 192  # pixels of a tile's longer side at most
JPEG_QUALITY = 88


class Stills:
    """Sees every frame once, keeps the middle one and up to 16 small ones, evenly spread from first to last."""

    def __init__(self, num_frames: int) -> None:
        count = min(SHEET_TILES, num_frames)
        self._tile_indexes = {int(index) for index in np.linspace(0, num_frames - 1, count).round()}
        self._thumbnail_index = num_frames // 2
        self._thumbnail: PIL.Image.Image | None = None
        self._tiles: list[PIL.Image.Image] = []

    def see(self, index: int, frame: NDArray[np.uint8]) -> None:
        """Takes what it needs of frame `index` (height x width x 3, RGB)."""
        if index == self._thumbnail_index:
            self._thumbnail = _shrunk(frame, THUMBNAIL_SIDE)
        if index in self._tile_indexes:
            self._tiles.append(_shrunk(frame, TILE_SIDE))

    def write(self, *, thumbnail: Path | None, spritesheet: Path | None) -> None:
        """Writes the JPEGs that are asked for."""
        if thumbnail is not None and self._thumbnail is not None:
            self._thumbnail.save(thumbnail, "JPEG", quality=JPEG_QUALITY)
        if spritesheet is not None and self._tiles:
            _sheet(self._tiles).save(spritesheet, "JPEG", quality=JPEG_QUALITY)


def _shrunk(frame: NDArray[np.uint8], longest_side: int) -> PIL.Image.Image:
    image = PIL.Image.fromarray(frame)
    image.thumbnail((longest_side, longest_side), PIL.Image.Resampling.LANCZOS)
    return image


def _sheet(tiles: list[PIL.Image.Image]) -> PIL.Image.Image:
    width, height = tiles[0].size
    rows = -(-len(tiles) // SHEET_COLUMNS)
    sheet = PIL.Image.new("RGB", (width * min(SHEET_COLUMNS, len(tiles)), height * rows))
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % SHEET_COLUMNS * width, index // SHEET_COLUMNS * height))
    return sheet
