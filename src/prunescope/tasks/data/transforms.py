"""Transforms of torchvision, or of one's own, as an augmentation."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import torch
from pydantic import Field, JsonValue
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.streams import seeded
from prunescope.base.value import Value
from prunescope.tasks.data.augmentation import Augmentation
from prunescope.tasks.model import resolve


class Transform(Value):
    """One transform: an object of this class is called with an image [C, H, W] and returns one.

    path: import path "module:Class", as in "torchvision.transforms.v2:RandomRotation".
    args: its arguments.
    """

    path: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    args: dict[str, JsonValue] = {}

    @cached_property
    def function(self) -> Callable[[Tensor], Tensor]:
        """The object. Raises UsageError where the class cannot be imported, or refuses its arguments."""
        try:
            make: Any = resolve(self.path)
        except RuntimeError as problem:  # a torchvision that was built for another torch
            raise UsageError(
                f"{self.path!r} cannot be imported ({problem}); install the build for your torch"
            ) from problem
        args = {name: tuple(v) if isinstance(v, list) else v for name, v in self.args.items()}
        try:
            function: Callable[[Tensor], Tensor] = make(**args)
        except (TypeError, ValueError) as problem:
            raise UsageError(f"{self.path} refuses its arguments {self.args}: {problem}") from problem
        return function


class Transforms(Augmentation):
    """Transforms one after the other, image by image: slower than prunescope's own augmentations.

    They are given normalized images, so a color that they fill in is a normalized one. Their draws, from the generators
    of torch, NumPy and Python, are keyed by seeds.order and the step, and the state of these generators is restored.

    transforms: in order.
    """

    slow_because: ClassVar[str] = (
        "changes one image after the other; CropFlip and RandomResizedCrop change a batch at once"
    )
    transforms: tuple[Transform, ...] = Field(min_length=1)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """See `Augmentation`. Raises UsageError for images that end up with different shapes, or as something else."""
        seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
        with seeded(seed):
            images = [self._changed(image) for image in x]
        shapes = {tuple(image.shape) for image in images}
        if len(shapes) > 1:
            raise UsageError(f"transforms made images of different shapes {sorted(shapes)}; end with one that fixes it")
        return torch.stack(images).to(x.dtype)

    def _changed(self, image: Tensor) -> Tensor:
        for transform in self.transforms:
            image = transform.function(image)
            if not isinstance(image, Tensor):
                raise UsageError(
                    f"{transform.path} returned {type(image).__name__}; it takes an image [C, H, W] and returns one"
                )
        return image
