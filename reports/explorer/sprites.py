"""The images that the views show, each once, in one picture for each shape of image."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS = 32  # images beside each other in a picture
STEP = 17  # between two of 16 levels of brightness, which are enough at this size


class Sprites:
    """Images by shape; what is added twice has one place.

    Examples
    --------
    >>> sprites = Sprites()
    >>> sheet = sprites.sheet((1, 2))
    >>> some = np.array([[0, 255], [0, 0], [0, 255]], np.uint8)
    >>> [sprites.add(sheet, pixels, true=3) for pixels in some]
    [0, 1, 0]
    """

    def __init__(self) -> None:
        self._sheets: dict[tuple[int, ...], dict[tuple[bytes, int], int]] = {}

    def sheet(self, shape: tuple[int, ...]) -> int:
        """Return the number of the picture that holds images of a shape."""
        self._sheets.setdefault(shape, {})
        return list(self._sheets).index(shape)

    def add(self, sheet: int, pixels: NDArray[np.uint8], true: int) -> int:
        """Return the place of an image with its true label, which is added if it is new."""
        places = list(self._sheets.values())[sheet]
        return places.setdefault(_key(pixels, true), len(places))

    def place(self, sheet: int, pixels: NDArray[np.uint8], true: int) -> int | None:
        """Return the place of an image with its true label; None if it was not added."""
        return list(self._sheets.values())[sheet].get(_key(pixels, true))

    def pictures(self) -> list[dict[str, Any]]:
        """Return each picture as an address, with the size of an image and all true labels."""
        return [
            {
                "address": _png([np.frombuffer(content, np.uint8) for content, _ in its], shape),
                "height": shape[0],
                "width": shape[1],
                "columns": COLUMNS,
                "rows": math.ceil(len(its) / COLUMNS),
                "true": [true for _, true in its],
            }
            for shape, its in self._sheets.items()
        ]


def levels_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels as the nearest of 16 levels, 0 to 15."""
    return np.rint(pixels / STEP).astype(np.uint8)


def _key(pixels: NDArray[np.uint8], true: int) -> tuple[bytes, int]:
    return levels_of(pixels).tobytes(), int(true)


def _png(levels: list[NDArray[np.uint8]], shape: tuple[int, ...]) -> str:
    """Return images beside and below each other as the address of a PNG."""
    from PIL import Image

    height, width, *colours = shape
    rows = math.ceil(len(levels) / COLUMNS)
    grid = np.zeros((rows * COLUMNS, height, width, *colours), np.uint8)
    for number, each in enumerate(levels):
        grid[number] = each.reshape(shape)
    grid = grid.reshape(rows, COLUMNS, *grid.shape[1:]).swapaxes(1, 2)
    grid = grid.reshape(rows * height, COLUMNS * width, *colours)
    content = io.BytesIO()
    if colours:
        Image.fromarray(grid * STEP).save(content, "PNG", optimize=True)
    else:  # as a palette, in which a pixel is half a byte
        picture = Image.fromarray(grid).convert("P")
        picture.putpalette([level * STEP for level in range(16) for _ in range(3)])
        picture.save(content, "PNG", optimize=True, bits=4)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
