"""Augmentations against a slow loop over images that makes the same draws."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F

from prunescope.base.errors import UsageError
from prunescope.tasks.data.augmentation import Augmentation, CropFlip, RandomResizedCrop
from prunescope.tasks.data.source import Normalization
from prunescope.tasks.functional import constant


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=seeded(9))


def crop_flip_of_one(
    image: npt.NDArray[np.float32], top: int, left: int, mirrored: bool, pad: int
) -> npt.NDArray[np.float32]:
    """Raw image [C, H, W]: mirror, pad with black, cut."""
    if mirrored:
        image = image[:, :, ::-1]
    padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    return padded[:, top : top + image.shape[1], left : left + image.shape[2]]


@pytest.mark.parametrize("shape", [(64, 3, 32, 32), (32, 1, 28, 28), (16, 2, 5, 9)])
@pytest.mark.parametrize("pad", [0, 1, 4])
def test_crop_flip_of_normalized_images_is_that_of_raw_images_normalized(shape: tuple[int, ...], pad: int) -> None:
    raw = images(*shape)
    rule = Normalization(mean=(0.4, 0.5, 0.6)[: shape[1]], std=(0.2, 0.3, 0.4)[: shape[1]])
    batch = CropFlip(pad=pad, fill=rule.zero)(rule(raw.clone()), seeded(1))
    draws = seeded(1)
    top = torch.randint(2 * pad + 1, (len(raw), 1), generator=draws)[:, 0].tolist()
    left = torch.randint(2 * pad + 1, (len(raw), 1), generator=draws)[:, 0].tolist()
    mirrored = (torch.rand(len(raw), generator=draws) < 0.5).tolist()
    rows = zip(raw.numpy(), top, left, mirrored, strict=True)
    slow = torch.from_numpy(np.stack([crop_flip_of_one(*row, pad) for row in rows]))
    assert batch.shape == raw.shape
    torch.testing.assert_close(batch, rule(slow), rtol=1e-6, atol=1e-6)
    assert 0 < sum(mirrored) < len(mirrored)


def test_crop_flip_reaches_every_offset_and_is_decided_by_its_generator() -> None:
    x = torch.zeros(2000, 1, 5, 5)
    x[:, 0, 2, 2] = 1
    moved = CropFlip(pad=2, flip=False, fill=(0.0,))(x, seeded(0))
    seen = moved.sum(0)[0]
    assert (seen > 2000 / 25 * 0.5).all() and float(seen.sum()) == 2000
    crop = CropFlip(fill=(0.0,))
    assert torch.equal(crop(x, seeded(3)), crop(x, seeded(3)))
    assert not torch.equal(crop(x, seeded(3)), crop(x, seeded(4)))


def test_crop_flip_without_padding_or_flip_changes_nothing() -> None:
    x = images(4, 3, 6, 6)
    assert torch.equal(CropFlip(pad=0, flip=False, fill=(1.0,))(x, seeded(0)), x)


def test_crop_flip_refuses_a_fill_of_other_channels() -> None:
    with pytest.raises(UsageError, match="fill"):
        CropFlip(fill=(0.0, 0.0))(images(2, 3, 8, 8), seeded(0))


def box_of_one(tries: list[list[float]], height: int, width: int, crop: RandomResizedCrop) -> tuple[int, int, int, int]:
    """The first of ten proposals that fits, in scalar arithmetic."""
    for area_draw, ratio_draw, top_draw, left_draw in tries:
        area = height * width * (crop.scale[0] + (crop.scale[1] - crop.scale[0]) * area_draw)
        low, high = math.log(crop.ratio[0]), math.log(crop.ratio[1])
        ratio = math.exp(low + (high - low) * ratio_draw)
        wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            return int(top_draw * (height - tall + 1)), int(left_draw * (width - wide + 1)), tall, wide
    raise AssertionError("no proposal fits")


@pytest.mark.parametrize(("height", "width", "size"), [(20, 24, 8), (9, 9, 16), (40, 31, 31)])
def test_random_resized_crop_agrees_with_cutting_and_resizing_one_by_one(height: int, width: int, size: int) -> None:
    crop = RandomResizedCrop(size=size, scale=(0.1, 0.9))
    x = images(24, 3, height, width).double()
    batch = crop(x, seeded(2))
    draws = crop.draw(24, seeded(2))
    for image, tries, mirrored, result in zip(x, draws.tries.tolist(), draws.flip.tolist(), batch, strict=True):
        top, left, tall, wide = box_of_one(tries, height, width, crop)
        cut = image[None, :, top : top + tall, left : left + wide]
        slow = F.interpolate(cut, (size, size), mode="bilinear", align_corners=False, antialias=False)[0]
        torch.testing.assert_close(result, slow.flip(2) if mirrored else slow, rtol=1e-6, atol=1e-6)


def test_a_crop_that_never_fits_falls_back_to_the_centre() -> None:
    crop = RandomResizedCrop(size=4, scale=(1.0, 1.0))
    tries = crop.draw(6, seeded(0)).tries
    assert crop.boxes(tries, 10, 100).tolist() == [[0, 44, 10, 12]] * 6
    assert crop.boxes(tries, 100, 10).tolist() == [[44, 0, 12, 10]] * 6


def test_boxes_lie_inside_and_keep_to_their_ranges() -> None:
    crop = RandomResizedCrop(size=4, scale=(0.2, 0.8), ratio=(0.5, 2.0))
    top, left, tall, wide = crop.boxes(crop.draw(500, seeded(0)).tries, 60, 80).double().unbind(1)
    assert (top >= 0).all() and (left >= 0).all() and (top + tall <= 60).all() and (left + wide <= 80).all()
    share = tall * wide / (60 * 80)
    assert share.min() > 0.18 and share.max() < 0.82
    assert (wide / tall).min() > 0.45 and (wide / tall).max() < 2.2


def test_ranges_that_descend_are_refused() -> None:
    for changes in ({"scale": (0.9, 0.1)}, {"scale": (0.1, 2.0)}, {"ratio": (2.0, 1.0)}):
        with pytest.raises(UsageError, match="ascend"):
            RandomResizedCrop(**changes)


@pytest.mark.parametrize("augmentation", [CropFlip(fill=(0.1, 0.2, 0.3)), RandomResizedCrop(size=6)])
def test_constants_are_made_once_a_device(augmentation: Augmentation) -> None:
    x = images(4, 3, 8, 8)
    augmentation(x, seeded(0))
    made = constant.cache_info().misses
    augmentation(x, seeded(1))
    assert constant.cache_info().misses == made
