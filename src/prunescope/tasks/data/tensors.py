"""The user's own tensors as a data source."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.tasks.data.files import folder
from prunescope.tasks.data.source import Arrays, Content, Source


class Tensors(Source):
    """Tensors in the data folder, in the file tensors/<digest>.npz."""

    classes: int = Field(ge=2)

    def load(self) -> Arrays:
        """The examples, float32, and labels as they were given. Raises DataError if the stored file is missing."""
        content = _read(_path(self.digest)).verified(self.digest, name="the user's tensors")
        return content.arrays(self.classes)


def tensors(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], *, classes: int | None = None) -> Tensors:
    """A source of the user's tensors, which are written once to the data folder.

    A recipe that names them can then be run in any process. Equal content gives an equal source on any device.

    Args:
        train: (x, y) with x floating [N, *shape], not normalized here, and y of integers [N] from 0.
        test: the same for the test set, with the same shape.
        classes: number of classes; None is one more than the largest label.

    Raises: UsageError if shapes, types or labels do not fit.
    """
    content = Content(*_plain(*train, name="train"), *_plain(*test, name="test"))
    if content.train_x.shape[1:] != content.test_x.shape[1:]:
        raise UsageError(
            f"training examples have shape {tuple(content.train_x.shape[1:])} and test examples "
            f"{tuple(content.test_x.shape[1:])}; they must have one shape"
        )
    largest = max(int(content.train_y.max()), int(content.test_y.max()))
    if classes is not None and classes <= largest:
        raise UsageError(f"classes={classes} and a label is {largest}; give at least {largest + 1} classes, or none")
    source = Tensors(classes=classes or max(2, largest + 1), **content.summary)
    if not _path(source.digest).exists():
        _write(_path(source.digest), content)
    return source


def _plain(x: Tensor, y: Tensor, *, name: str) -> tuple[Tensor, Tensor]:
    """The examples as float32 and the labels as int64, on the CPU. Raises UsageError if they do not fit."""
    if not x.is_floating_point() or x.ndim < 2:
        raise UsageError(f"{name} x is {x.dtype} {tuple(x.shape)}; give floating examples [N, *shape], normalized")
    if y.is_floating_point() or y.dtype == torch.bool or y.shape != x.shape[:1] or len(y) == 0:
        raise UsageError(f"{name} y is {y.dtype} {tuple(y.shape)} for {len(x)} examples; give one integer an example")
    if int(y.min()) < 0:
        raise UsageError(f"{name} y holds the label {int(y.min())}; labels count from 0")
    if not bool(torch.isfinite(x).all()):
        raise UsageError(f"{name} x holds values that are infinite or not a number; remove those examples")
    return x.detach().cpu().to(torch.float32), y.detach().cpu().to(torch.int64)


def _path(digest: str) -> Path:
    """The file of the tensors with this digest."""
    return folder() / "tensors" / f"{digest}.npz"


def _read(path: Path) -> Content:
    """The stored tensors. Raises DataError if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Content(*(torch.from_numpy(stored[name]) for name in Content._fields))
    except Exception as problem:  # a damaged zip file can fail in many ways
        raise DataError(
            f"{path} cannot be read ({problem}); it holds tensors that were given to prunescope.tensors(). "
            f"Call it again with the same tensors, with PRUNESCOPE_DATA={folder()}"
        ) from None


def _write(path: Path, content: Content) -> None:
    """Write to a file beside `path` and move it, so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {field: tensor.numpy() for field, tensor in content._asdict().items()}
    with tempfile.TemporaryDirectory(dir=path.parent) as workshop:
        unfinished = Path(workshop) / path.name
        np.savez(unfinished, **arrays)
        unfinished.replace(path)
