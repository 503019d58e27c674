"""Random changes of training images, batch by batch on their device.

Belongs here: functions of (images, generator), each a frozen value. Does not belong here: decoding (`images`),
normalization (`source`).
"""

import math
from abc import abstractmethod
from typing import Annotated, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.installed import is_shipped
from prunescope.base.overrides import unchanged
from prunescope.base.streams import seeded
from prunescope.base.value import Value
from prunescope.tasks.functional import constant

_TRIES = 10


class Augmentation(Value):
    """A random change of images that keeps their labels."""

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Changed copies of normalized images x [B, C, H, W], each with its own draws."""

    def changed(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """`__call__`; what a user wrote draws from keyed generators whichever it draws from, and is looked at.

        Raises UsageError where it returns anything but as many images in the same precision.
        """
        if is_shipped(self):
            return self(x, generator)
        with seeded(generator.initial_seed()), unchanged(self):
            images = self(x, generator)
        if not (isinstance(images, Tensor) and images.shape[:1] == x.shape[:1] and images.dtype == x.dtype):
            shown = f"{images.dtype} {list(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
            raise UsageError(
                f"{type(self).__name__} returned {shown} for a batch {x.dtype} {list(x.shape)}; it must return as many "
                "images of the same numbers"
            )
        return images


class CropFlip(Augmentation):
    """A mirror image with probability 1/2, then padded and cropped back to size at a uniform place.

    pad: width of the padding on each side, pixels.
    flip: whether images are mirrored.
    fill: normalized value of the padding, one entry for each channel or one for all. Black pixels that are padded
        before normalization are `normalization.zero` of the source.

    Source: the standard augmentation of CIFAR-10, in the order of OpenLTH (Frankle), used by Jin et al. 2022.
    """

    pad: int = Field(default=4, ge=0)
    flip: bool = True
    fill: tuple[float, ...] = Field(min_length=1)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Images [B, C, H, W] of the same shape, gathered from the padded ones.

        Raises UsageError if `fill` has neither one entry nor one a channel.
        """
        count, channels, height, width = x.shape
        if len(self.fill) not in (1, channels):
            raise UsageError(f"fill {self.fill} for images of {channels} channels; give one entry, or one a channel")
        device, span = generator.device, 2 * self.pad + 1
        top = torch.randint(span, (count, 1), generator=generator, device=device)
        left = torch.randint(span, (count, 1), generator=generator, device=device)
        mirrored = _mirrored(self.flip, count, generator)[:, None]
        if top.device != x.device:  # in one transfer
            top, left, mirrored = _send(torch.stack([top, left, mirrored.long()]), x.device)
            mirrored = mirrored.bool()
        rows = top + torch.arange(height, device=top.device)
        columns = left + torch.arange(width, device=top.device)
        columns = torch.where(mirrored, width + 2 * self.pad - 1 - columns, columns)
        flat = rows[:, :, None] * (width + 2 * self.pad) + columns[:, None, :]
        padded = self._padded(x).flatten(2)
        return padded.gather(2, flat.view(count, 1, -1).expand(-1, channels, -1)).view_as(x)

    def _padded(self, x: Tensor) -> Tensor:
        """The images with a border of `fill`."""
        count, channels, height, width = x.shape
        fill = constant(self.fill, x.dtype, x.device).view(1, -1, 1, 1)
        border = fill.expand(count, channels, height + 2 * self.pad, width + 2 * self.pad).clone()
        border[:, :, self.pad : self.pad + height, self.pad : self.pad + width] = x
        return border


class CropDraws(NamedTuple):
    """The randomness of one batch of random resized crops.

    tries: area, aspect ratio, top and left of ten proposals for each image, uniform in [0, 1), float64 [B, 10, 4].
    flip: whether each image is mirrored, bool [B].
    """

    tries: Tensor
    flip: Tensor


Pair = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


class RandomResizedCrop(Augmentation):
    """A random rectangle of each image, resized to a square, mirrored with probability 1/2.

    size: side of the square, pixels.
    scale: range of the rectangle's share of the area of the image.
    ratio: range of width / height, drawn log-uniformly.
    flip: whether images are mirrored.

    Source: Szegedy et al. 2015; the ranges are those of OpenLTH (Frankle) for ImageNet, used by Jin et al. 2022.
    Differs from the source: resized without antialiasing; of image files the view that is not augmented is cropped (see
    `ImageFiles`), not the original.
    """

    size: int = Field(default=224, ge=1)
    scale: Pair = (0.1, 1.0)
    ratio: Pair = (0.8, 1.25)
    flip: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1] or self.scale[1] > 1 or self.ratio[0] > self.ratio[1]:
            raise ValueError(f"scale {self.scale} and ratio {self.ratio} must ascend, and scale end at 1 or below")
        return self

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Images [B, C, size, size] from x [B, C, H, W], bilinear between the pixels of each rectangle."""
        draws, (height, width) = self.draw(len(x), generator), x.shape[2:]
        boxes = self.boxes(draws.tries, height, width)
        numbers = torch.cat([boxes, draws.flip[:, None].long()], dim=1)  # in one transfer
        top, left, high, wide, mirrored = _send(numbers, x.device).unbind(1)
        rows = _sampled(top, high, self.size, height)
        columns = _sampled(left, wide, self.size, width)
        columns = torch.where(mirrored.bool()[:, None], columns.flip(1), columns)
        grid = torch.stack(
            [columns[:, None, :].expand(-1, self.size, -1), rows[:, :, None].expand(-1, -1, self.size)], dim=-1
        )
        return F.grid_sample(x, grid.to(x.dtype), mode="bilinear", padding_mode="border", align_corners=False)

    def draw(self, count: int, generator: torch.Generator) -> CropDraws:
        """The randomness for `count` images."""
        tries = torch.rand(count, _TRIES, 4, generator=generator, device=generator.device, dtype=torch.float64)
        return CropDraws(tries, _mirrored(self.flip, count, generator))

    def boxes(self, tries: Tensor, height: int, width: int) -> Tensor:
        """Rectangles in images of height x width pixels: top, left, height, width, int64 [B, 4].

        Each is the first of ten proposals that fits inside, or else the largest central rectangle of a permitted
        ratio. tries: see `CropDraws`.
        """
        area_draw, ratio_draw, top_draw, left_draw = tries.unbind(2)
        area = height * width * torch.lerp(*_ends(self.scale, area_draw), area_draw)
        ratio = torch.lerp(*_ends((math.log(self.ratio[0]), math.log(self.ratio[1])), ratio_draw), ratio_draw).exp()
        wide, high = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
        top = (top_draw * (height - high + 1)).floor()
        left = (left_draw * (width - wide + 1)).floor()
        proposals = torch.stack([top, left, high, wide], dim=2).to(torch.int64)
        first = fits.to(torch.int64).argmax(1)
        fitting = proposals[torch.arange(len(tries), device=tries.device), first]
        fallback = constant(self._central(height, width), torch.int64, tries.device)
        return torch.where(fits.any(1)[:, None], fitting, fallback)

    def _central(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The largest central rectangle whose ratio is permitted: top, left, height, width."""
        low, high = self.ratio
        tall = min(height, max(1, round(width / low)))
        wide = min(width, max(1, round(height * high)))
        return (height - tall) // 2, (width - wide) // 2, tall, wide


def _send(draws: Tensor, device: torch.device) -> Tensor:
    """The draws on a device. They are pinned, because a GPU works on during the copy only if they are."""
    return (draws.pin_memory() if device.type == "cuda" else draws).to(device, non_blocking=True)


def _mirrored(flip: bool, count: int, generator: torch.Generator) -> Tensor:
    """Whether each image is mirrored, bool [count]: with probability 1/2, or never and without a draw."""
    if not flip:
        return torch.zeros(count, dtype=torch.bool, device=generator.device)
    return torch.rand(count, generator=generator, device=generator.device) < 0.5


def _ends(pair: tuple[float, float], like: Tensor) -> tuple[Tensor, Tensor]:
    """The ends of a range as two 0-D tensors."""
    return like.new_full((), pair[0]), like.new_full((), pair[1])


def _sampled(start: Tensor, length: Tensor, size: int, pixels: int) -> Tensor:
    """The positions of `size` samples of [start, start + length), [B, size], as grid_sample counts: edges at -1 and 1.

    Samples stay between the centres of the first and the last pixel, so that they see nothing outside.
    pixels: length of the image's side.
    """
    offset = (torch.arange(size, device=start.device, dtype=torch.float64) + 0.5) / size
    centre = start[:, None] + (offset * length[:, None] - 0.5).clamp(min=0.0)
    centre = torch.minimum(centre, (start + length - 1)[:, None].to(torch.float64))
    return (2 * centre + 1) / pixels - 1
