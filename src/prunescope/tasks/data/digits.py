"""Handwritten digits that ship with the package: 1,797 images of 8x8 pixels, for quick runs without a download.

Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0 (see embedded/LICENSE-digits.txt). Pixels are
counts in 0..16.
"""

from importlib import resources

import numpy as np
import torch
from pydantic import Field

from prunescope.tasks.data.source import Arrays, Content, Made, Normalization

DIGITS = Normalization(mean=(0.3050,), std=(0.3760,))
"""Mean and standard deviation of all pixels of the 1,297 default training images, scaled to [0, 1]."""


class Digits(Made):
    """8x8 handwritten digits in 10 classes.

    train: number of training examples; the others are test examples.
    normalization: shift and scale of the pixels.

    The examples are stored in a fixed order (tools/embed_digits.py) in which every prefix has each class in proportion
    to within one example. The first `train` of them are the training examples, so any split is stratified.
    """

    train: int = Field(ge=10, le=1787)
    normalization: Normalization

    def content(self) -> Content:
        """The embedded examples, split after the first `train`."""
        path = resources.files("prunescope.tasks.data") / "embedded" / "digits.npz"
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            images = torch.from_numpy(stored["images"]).unsqueeze(1)
            labels = torch.from_numpy(stored["labels"]).to(torch.int64)
        train = self.train
        return Content(images[:train], labels[:train], images[train:], labels[train:])

    def load(self) -> Arrays:
        """Examples float32 [N, 1, 8, 8] and labels; raises DataError if the package's file was changed."""
        return self.verified().normalized(self.normalization, white=16.0, classes=10)


def digits(train: int = 1297, *, normalization: Normalization = DIGITS) -> Digits:
    """The digits that ship with the package, `train` for training and 1797 - train for testing.

    >>> digits().load().train_x.shape
    (1, 8, 8)
    """
    return Digits.of(train=train, test=1797 - train, normalization=normalization)
