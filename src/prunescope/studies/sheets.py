"""Drawing contact sheets: many small images with their labels."""

from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.studies.curves import number
from prunescope.studies.plot import Row, Sheet, Table, by_name, check_columns
from prunescope.studies.plots import INK, Panels
from prunescope.studies.results import Numbers
from prunescope.tasks.data.source import are_images

_FLIPPED = "#D55E00"
_WIDTH = 5.2  # inches of a panel
_GAP, _TEXT = 0.15, 0.4  # between images, and below them for the text, in parts of an image
_PIXELS = 56  # of an image at least, so that small ones are not blurred by whoever shows the page


def sheets(plot: Sheet, table: Table) -> Panels:
    """How images are drawn, in panels as high as the fullest one needs.

    Raises DataError if the images are not there, UsageError for rows outside the data set or inputs that are no
    images.
    """
    check_columns(table, needed=(plot.index, plot.label, plot.prediction))
    pictures = images(plot, [int(number(row[plot.index])) for row in table])
    shown = [dict(row) | {"picture": picture} for row, picture in zip(table, pictures, strict=True)]
    drawers = {panel: partial(_draw, plot, rows) for panel, rows in by_name(shown, plot.panel).items()}
    return Panels(drawers, size(plot, table))


def size(plot: Sheet, table: Table) -> tuple[float, float]:
    """Width and height of a panel, inches."""
    lines = max(-(-len(rows) // plot.across) for rows in by_name(table, plot.panel).values())
    return _WIDTH, _WIDTH * lines * (1 + _TEXT) / (plot.across * (1 + _GAP)) + 0.3


def images(plot: Sheet, index: list[int]) -> Numbers:
    """Examples as pictures in [0, 1], float64 [N, H, W, 3]; every channel stretched over all of them."""
    content = plot.source.load()
    inputs = content.test_x if plot.split == "test" else content.train_x
    if not are_images(inputs.shape):
        raise UsageError(
            f"examples of shape {inputs.shape} are no images; a contact sheet needs [1 or 3, height, width]"
        )
    if not index or min(index) < 0 or max(index) >= len(inputs):
        raise UsageError(f"a contact sheet of images {index} of {len(inputs)}; give places from 0")
    x = inputs.take(torch.tensor(index)).double().cpu().numpy()
    low, high = x.min(axis=(0, 2, 3), keepdims=True), x.max(axis=(0, 2, 3), keepdims=True)
    grey_or_colour = (x - low) / np.maximum(high - low, 1e-12)
    return np.broadcast_to(grey_or_colour, (len(x), 3, *x.shape[2:])).transpose(0, 2, 3, 1)


def mosaic(pictures: Numbers, *, across: int) -> NDArray[np.uint8]:
    """All pictures in lines of `across`, with transparent room between and below them: uint8 [rows, columns, 4]."""
    count, height, width, _ = pictures.shape
    down, right = _pitch(height, width)
    lines = -(-count // across)
    sheet = np.zeros((lines * down, across * right, 4), dtype=np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // across * down, place % across * right
        sheet[top : top + height, left : left + width, :3] = np.round(255 * picture)
        sheet[top : top + height, left : left + width, 3] = 255
    return sheet


def _draw(plot: Sheet, rows: list[Row], axes: Axes) -> None:
    pictures = np.stack([np.asarray(row["picture"]) for row in rows])
    factor = -(-_PIXELS // pictures.shape[2])
    large = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = large.shape[1:3]
    down, right = _pitch(height, width)
    axes.imshow(mosaic(large, across=plot.across), interpolation="none")
    axes.set_axis_off()
    for place, row in enumerate(rows):
        flipped = bool(row.get(plot.marked, False))
        style: Any = {"color": _FLIPPED, "weight": "bold"} if flipped else {"color": INK}
        x, y = place % plot.across * right + width / 2, place // plot.across * down + 1.06 * height
        text = f"{row[plot.label]} → {row[plot.prediction]}"
        axes.text(x, y, text, ha="center", va="top", fontsize=7.5, **style)


def _pitch(height: int, width: int) -> tuple[int, int]:
    """Pixels from one image to the next, down and to the right."""
    return height + max(1, round(_TEXT * height)), width + max(1, round(_GAP * width))
