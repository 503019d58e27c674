"""Corrupted pictures against slow references that share no code with them."""

import colorsys
import io

import numpy as np
import pytest
import torch
from scipy import ndimage

from prunescope.base.errors import UsageError
from prunescope.measures.robustness import CORRUPTIONS, Blur, Brightness, Contrast, GaussianNoise, Jpeg
from prunescope.tasks.data.source import InMemory
from prunescope.tasks.task import Split


def split(count=6, channels=3, side=32, seed=0):
    x = torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))
    x[0, :, 0, 0], x[0, :, 0, 1] = 0, 1
    return shown(x), x.double().numpy()


def shown(x):
    y = torch.zeros(len(x), dtype=torch.int64)
    return Split(InMemory(x), torch.arange(len(x)), y, y)


def take(split, rows=None):
    return split.batch(torch.arange(len(split)) if rows is None else rows)[0].double().numpy()


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_pictures_are_corrupted_as_references_do(severity):
    examples, x = split()
    sigma = [0.4, 0.6, 0.7, 0.8, 1.0][severity - 1]
    blurred = ndimage.gaussian_filter(x, (0, 0, sigma, sigma), mode="mirror", radius=round(4 * sigma))
    assert take(Blur(severity=severity).apply(examples)) == pytest.approx(blurred, abs=1e-5)
    light = [0.05, 0.1, 0.15, 0.2, 0.3][severity - 1]
    for picture, lighter in zip(x, take(Brightness(severity=severity).apply(examples)), strict=True):
        for place in ((0, 0), (0, 1), (3, 4), (31, 30)):
            hue, saturation, value = colorsys.rgb_to_hsv(*picture[:, place[0], place[1]])
            expected = colorsys.hsv_to_rgb(hue, saturation, min(1.0, value + light))
            assert lighter[:, place[0], place[1]] == pytest.approx(expected, abs=1e-5)
    mean = x.mean(axis=(2, 3), keepdims=True)
    flat = mean + [0.75, 0.5, 0.4, 0.3, 0.15][severity - 1] * (x - mean)
    assert take(Contrast(severity=severity).apply(examples)) == pytest.approx(flat, abs=1e-5)
    noise = take(GaussianNoise(severity=severity).apply(shown(torch.full((40, 3, 32, 32), 0.5).clone())))
    assert noise.std() == 0  # one value only: there is no black and no white
    grey = torch.full((40, 3, 32, 32), 0.5)
    grey[0, :, 0, 0], grey[0, :, 0, 1] = 0, 1
    noise = take(GaussianNoise(severity=severity).apply(shown(grey)))[1:]
    assert noise.std() == pytest.approx([0.04, 0.06, 0.08, 0.09, 0.10][severity - 1], rel=0.02)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_what_pillow_writes(channels):
    image = pytest.importorskip("PIL.Image")
    examples, x = split(channels=channels)
    for picture, corrupted in zip(x, take(Jpeg(severity=5).apply(examples)), strict=True):
        file = io.BytesIO()
        pixels = np.rint(picture * 255).astype(np.uint8)
        image.fromarray(pixels[0] if channels == 1 else pixels.transpose(1, 2, 0)).save(file, "JPEG", quality=40)
        read = np.asarray(image.open(file)).reshape(32, 32, channels).transpose(2, 0, 1) / 255
        assert corrupted == pytest.approx(read, abs=1e-5)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_picture_is_corrupted_alike_in_any_batch_and_however_it_is_normalized(kind):
    examples, x = split()
    corrupted = kind(severity=4).apply(examples)
    alone = np.concatenate([take(corrupted, torch.tensor([row])) for row in range(6)])
    assert alone == pytest.approx(take(corrupted), abs=1e-6)
    scale, shift = torch.tensor([2.0, 3.0, 4.0]).view(3, 1, 1), torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1)
    normalized = take(kind(severity=4).apply(shown(torch.from_numpy(x).float() * scale + shift)))
    assert (normalized - shift.numpy()) / scale.numpy() == pytest.approx(take(corrupted), abs=4e-3)
    distance = [np.abs(take(kind(severity=k).apply(examples)) - x).mean() for k in range(1, 6)]
    assert distance == sorted(distance) and distance[0] > 0


def test_what_is_no_picture_is_refused():
    with pytest.raises(UsageError, match=r"Blur corrupts pictures \[1 or 3, H, W\], and these examples are \[7\]"):
        Blur(severity=1).apply(shown(torch.rand(4, 7)))
