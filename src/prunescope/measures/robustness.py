"""What a network answers when its examples are shown otherwise: corrupted pictures, or another data set.

Belongs here: conditions, one class each, and the measure that reads outputs under one. A new corruption is a class.
"""

import io
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import conv2d, pad

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.value import Value
from prunescope.measures.measure import Measure, SplitName
from prunescope.measures.outputs import Outputs
from prunescope.tasks.data.source import Inputs, Source, are_images
from prunescope.tasks.task import Problem, Split, Task

_SIDE = 32
"""Pixels along a side of the pictures that severities were chosen for."""


class Condition(Value):
    """How examples are shown."""

    @abstractmethod
    def apply(self, split: Split) -> Split:
        """The split as it is shown, on its device."""


class Corruption(Condition):
    """Pictures that are corrupted, the same picture always alike; labels and order stay.

    severity: 1 (mild) to 5 (strong).

    A network's inputs may be normalized in any way, so the least and the largest value of each channel over the split
    are taken for black and white, 0 and 1. Severities are those of pictures of 32 by 32 pixels.

    Source: Hendrycks and Dietterich 2019 (CIFAR-10-C; the numbers are recalled from the authors' code).
    """

    severity: int = Field(ge=1, le=5)

    @abstractmethod
    def corrupt(self, x: Tensor, index: Tensor) -> Tensor:
        """Pictures in [0, 1], float32 [B, C, H, W], corrupted; what leaves [0, 1] is cut off later.

        index: their places in the source, int64 [B], which random numbers are drawn by.
        """

    def apply(self, split: Split) -> Split:
        """The corrupted split. Raises UsageError for examples that are no pictures."""
        shape = split.inputs.shape
        if not are_images(shape):
            raise UsageError(
                f"{type(self).__name__} corrupts pictures [1 or 3, H, W], and these examples are {list(shape)}; leave "
                "corruptions out, and give other examples as a shifted data set"
            )
        ends = torch.stack([torch.stack([x.amin((0, 2, 3)), x.amax((0, 2, 3))]) for x, _ in split.batches(1000)])
        low, high = (end.view(1, -1, 1, 1) for end in (ends[:, 0].amin(0), ends[:, 1].amax(0)))
        return replace(split, inputs=_Corrupted(split.inputs, self, low, high))


@dataclass(frozen=True)
class _Corrupted:
    """Pictures that are corrupted when they are taken. low, high: what black and white are, [1, C, 1, 1]."""

    inputs: Inputs
    corruption: Corruption
    low: Tensor
    high: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inputs.shape

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device | str) -> Self:
        return replace(self, inputs=self.inputs.to(device), low=self.low.to(device), high=self.high.to(device))

    def take(self, index: Tensor) -> Tensor:
        scale = (self.high - self.low).clamp(min=1e-12)
        x = (self.inputs.take(index) - self.low) / scale
        return self.corruption.corrupt(x, index).clamp(0, 1) * scale + self.low


class GaussianNoise(Corruption):
    """Gaussian noise on every channel of every pixel, drawn by the picture's place."""

    def corrupt(self, x: Tensor, index: Tensor) -> Tensor:
        """X + s n."""
        noise = [torch.randn(x.shape[1:], generator=stream(0, "corruption", place)) for place in index.tolist()]
        return x + (0.04, 0.06, 0.08, 0.09, 0.10)[self.severity - 1] * torch.stack(noise).to(x.device)


class Blur(Corruption):
    """A Gaussian blur of 0.4 to 1 pixels, at the border of mirrored pixels."""

    def corrupt(self, x: Tensor, index: Tensor) -> Tensor:
        """X convolved with a Gaussian of sides of up to four standard deviations."""
        sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[self.severity - 1] * max(x.shape[2:]) / _SIDE
        reach = min(max(1, round(4 * sigma)), min(x.shape[2:]) - 1)
        line = torch.exp(-((torch.arange(-reach, reach + 1, device=x.device) / sigma) ** 2) / 2)
        line = (line / line.sum()).expand(x.shape[1], 1, 1, -1)
        x = conv2d(pad(x, (reach, reach, 0, 0), mode="reflect"), line, groups=x.shape[1])
        return conv2d(pad(x, (0, 0, reach, reach), mode="reflect"), line.transpose(2, 3), groups=x.shape[1])


class Brightness(Corruption):
    """More light: a part of white is added to the value of every pixel, whose hue and saturation stay."""

    def corrupt(self, x: Tensor, index: Tensor) -> Tensor:
        """X v' / v with v the largest channel and v' = min(1, v + c)."""
        value = x.amax(dim=1, keepdim=True)
        lighter = (value + (0.05, 0.1, 0.15, 0.2, 0.3)[self.severity - 1]).clamp(max=1)
        return torch.where(value > 0, x * lighter / value.clamp(min=1e-12), lighter)


class Contrast(Corruption):
    """Less contrast: every pixel is moved towards the mean of its picture and channel."""

    def corrupt(self, x: Tensor, index: Tensor) -> Tensor:
        """M + c (x - m)."""
        mean = x.mean(dim=(2, 3), keepdim=True)
        return mean + (0.75, 0.5, 0.4, 0.3, 0.15)[self.severity - 1] * (x - mean)


class Jpeg(Corruption):
    """Written as JPEG of low quality and read again, by Pillow."""

    def corrupt(self, x: Tensor, index: Tensor) -> Tensor:
        """The pixels read. Raises UsageError without Pillow."""
        try:
            from PIL import Image
        except ImportError:
            raise UsageError("Jpeg needs Pillow: pip install 'prunescope[images]', or leave it out") from None
        quality, read = (80, 65, 58, 50, 40)[self.severity - 1], []
        for picture in (x.clamp(0, 1) * 255).round().byte().cpu().permute(0, 2, 3, 1).numpy():
            file = io.BytesIO()
            Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(
                file, "JPEG", quality=quality
            )
            read.append(torch.from_numpy(np.array(Image.open(file))).reshape(picture.shape))
        return torch.stack(read).permute(0, 3, 1, 2).to(x.device).float() / 255


class OtherData(Condition):
    """Another data set in the place of the examples: its test set, with its labels.

    source: the data set, whose classes are the same in the same order.
    """

    source: Source

    def apply(self, split: Split) -> Split:
        """Its test set. Raises UsageError for inputs of another shape."""
        arrays = self.source.load()
        if arrays.test_x.shape != split.inputs.shape:
            raise UsageError(
                f"the shifted examples are {list(arrays.test_x.shape)} and the network's {list(split.inputs.shape)}; "
                "they must have one shape"
            )
        places = torch.arange(len(arrays.test_y))
        return Split(arrays.test_x, places, arrays.test_y, arrays.test_y).to(str(split.y.device))


CORRUPTIONS: tuple[type[Corruption], ...] = (GaussianNoise, Blur, Brightness, Contrast, Jpeg)


def corruptions_named(names: bool | str | Sequence[str]) -> dict[str, Corruption]:
    """Every severity of the corruptions, as "blur 3"; True and "all" name all. Raises UsageError for another name."""
    known = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in CORRUPTIONS}
    given = known if names is True or names == "all" else names or ()
    listed = [given] if isinstance(given, str | int) else list(given)
    if odd := [name for name in listed if name not in known]:
        raise UsageError(f"{odd[0]!r} is no corruption; there are {', '.join(known)}, or all")
    return {f"{name} {severity}": known[name](severity=severity) for name in listed for severity in range(1, 6)}


class OutputsUnder(Measure):
    """`Outputs` of a split under a condition: log_probability, label, index."""

    condition: Condition
    split: SplitName = "test"

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        Outputs(split=self.split).require(task)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the examples. Raises UsageError where the condition has no meaning for them."""
        shown = self.condition.apply(problem.split(self.split))
        changed: dict[str, Any] = {self.split: shown}
        return Outputs(split=self.split).measure(replace(problem, **changed), weights)
