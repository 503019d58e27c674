"""Images that went through JPEG are known from their pixels."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from prunescope.tasks.data.cifar import are_jpeg


def images(count=300, seed=0):
    """Pictures whose pixels are sums of noise over rows and columns, without any grid: uint8 [N, 32, 32, 3]."""
    noise = np.random.default_rng(seed).normal(0, 1.5, (count, 32, 32, 3))
    return np.clip(noise.cumsum(axis=1).cumsum(axis=2) + 128, 0, 255).astype(np.uint8)


def through_jpeg(pictures, quality):
    copies = []
    for picture in pictures:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=quality)
        copies.append(np.asarray(Image.open(stream)))
    return np.stack(copies)


@pytest.mark.parametrize("quality", [50, 75])
def test_copies_are_told_from_the_pictures(quality):
    pictures = images()
    for given, expected in ((pictures, False), (through_jpeg(pictures, quality), True)):
        assert are_jpeg(torch.from_numpy(given).permute(0, 3, 1, 2)) == expected
