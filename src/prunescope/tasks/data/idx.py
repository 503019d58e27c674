"""The IDX file format, and the data sets that are published in it: MNIST and Fashion-MNIST.

Source: LeCun, Cortes and Burges, The MNIST database; Xiao, Rasul and Vollgraf (2017), Fashion-MNIST.
"""

import math
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prunescope.tasks.data.files import content, damaged, locate, summary, uncompressed
from prunescope.tasks.data.source import Arrays, Content, Normalization, Source

MNIST = Normalization(mean=(0.1307,), std=(0.3081,))
"""Source: OpenLTH (Frankle), the library of Jin et al. 2022."""
FASHION_MNIST = Normalization(mean=(0.2860,), std=(0.3530,))
"""The constants in common use, mean and standard deviation of all training pixels."""

Name = Literal["mnist", "fashion-mnist"]


class Idx(Source):
    """28x28 grey images in 10 classes, 60,000 for training and 10,000 for testing."""

    name: Name
    normalization: Normalization

    def load(self) -> Arrays:
        """Examples float32 [N, 1, 28, 28] and labels; raises DataError if files are missing or changed."""
        verified = content(self.name, read).verified(self.digest, name=self.name)
        return verified.normalized(self.normalization, white=255.0, classes=10)


def mnist(*, normalization: Normalization = MNIST) -> Idx:
    """MNIST, as the files in the data folder have it; raises DataError if they are missing or damaged."""
    return Idx(name="mnist", normalization=normalization, **summary("mnist", read))


def fashion_mnist(*, normalization: Normalization = FASHION_MNIST) -> Idx:
    """Fashion-MNIST, as in the data folder; raises DataError if its files are missing or damaged."""
    return Idx(name="fashion-mnist", normalization=normalization, **summary("fashion-mnist", read))


def read(name: str) -> Content:
    """The content of the four files: images uint8 [N, 1, H, W], labels int64 [N].

    Raises DataError if a file is missing or damaged, or images and labels do not belong together.
    """
    paths = locate(name)
    return Content(*_read_split(paths, "train", name=name), *_read_split(paths, "t10k", name=name))


def parse(data: bytes, *, path: Path, name: str) -> npt.NDArray[np.uint8]:
    """The uint8 array in the bytes of an IDX file: two zero bytes, a type, a rank, big-endian sizes, the values.

    Raises DataError, naming `path`, if the bytes do not follow the format or their number is not the announced one.
    """
    rank = data[3] if len(data) > 3 else 0
    header = 4 + 4 * rank
    if data[:3] != b"\0\0\x08" or rank == 0 or len(data) < header:
        raise damaged(path, f"starts with {data[:4]!r}; an IDX file of bytes with 00 00 08 and its rank", name=name)
    shape = tuple(int(size) for size in np.frombuffer(data, ">i4", count=rank, offset=4))
    if min(shape) < 0 or len(data) - header != math.prod(shape):
        count, expected = len(data) - header, math.prod(shape)
        raise damaged(path, f"holds {count} bytes of values; {expected} are expected for shape {shape}", name=name)
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _read_split(paths: dict[str, Path], split: str, *, name: str) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 1, H, W] and labels int64 [N] of "train" or "t10k"."""
    images_path, labels_path = paths[f"{split}-images-idx3-ubyte"], paths[f"{split}-labels-idx1-ubyte"]
    images = parse(uncompressed(images_path, name=name), path=images_path, name=name)
    labels = parse(uncompressed(labels_path, name=name), path=labels_path, name=name)
    if images.ndim != 3 or labels.shape != images.shape[:1] or labels.max(initial=0) > 9:
        found = f"have shapes {images.shape} and {labels.shape}, with labels up to {labels.max(initial=0)}"
        both, expected = f"{images_path} and {labels_path}", "expected are [N, H, W], [N] and labels up to 9"
        raise damaged(both, f"{found}; {expected}", name=name)
    return torch.from_numpy(images.copy()).unsqueeze(1), torch.from_numpy(labels.astype(np.int64))
