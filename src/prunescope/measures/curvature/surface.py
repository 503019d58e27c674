"""The loss over a stated sample as a function of the kept weights.

Belongs here: which examples, in which mode and precision, and how weights become one vector. Does not belong here:
derivatives.

Vectors are over kept parameters only: every entry that a mask does not remove, in the order of the parameters. A
removed weight is a constant 0, so it adds an eigenvalue 0 and nothing to a trace.
Differs from Bartoldson et al. 2020, whose vectors keep removed entries and their zero gradients: the same numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import Masks, Tree
from prunescope.base.value import Value
from prunescope.measures.measure import SplitName
from prunescope.tasks.model import Model
from prunescope.tasks.task import Loss, Problem

CHUNK = 64
"""Examples whose graph is held at once in evaluation mode; part of the numbers only through rounding."""
FORWARD_CHUNK = 500
"""Examples a forward pass without a graph; the same holds."""


class Sample(Value):
    """On what, and how, curvature is measured.

    split, examples: the first `examples` of the split or "all" of it, without augmentation, against the labels used.
    normalization: "eval", running statistics (the authors' choice), or "train", statistics of the sample taken as
    one batch; the whole network is then in training mode and what it draws is drawn under seed 0. The two give
    different numbers, so it is part of the measure.
    precision: of all arithmetic. Weights are float32, and that is the default because traces then agree with float64
    to 1e-5 on small networks (tested), far below differences between runs; "float64" is slower.

    Source: Bartoldson et al. 2020, appendix E, as in the authors' code: first 512 test images, evaluation mode.
    """

    split: SplitName = "test"
    examples: Annotated[int, Field(ge=1)] | Literal["all"] = 512
    normalization: Literal["eval", "train"] = "eval"
    precision: Literal["float32", "float64"] = "float32"


@dataclass(frozen=True)
class Surface:
    """The mean loss over x [N, ...], y [N] as a function of `params`; masks: True = kept."""

    model: Model
    loss: Loss
    params: Tree
    buffers: Tree
    masks: Masks
    x: Tensor
    y: Tensor
    train: bool

    def logits(self, params: Tree, x: Tensor) -> Tensor:
        """Logits [B, C] of inputs x [B, ...] at other parameters."""
        return self.model.apply(params, self.buffers, x, train=self.train)[0]

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[Tensor, Tensor]]:
        """The sample in order, at most `size` at a time; all at once in training mode, where examples mix."""
        size = len(self.y) if self.train else size
        yield from zip(torch.split(self.x, size), torch.split(self.y, size), strict=True)

    @torch.no_grad()
    def mean_loss(self, params: Tree) -> Tensor:
        """The mean loss at other parameters, float64 0-D, nats."""
        parts = [self.loss(self.logits(params, x), y).double().sum() for x, y in self.chunks(FORWARD_CHUNK)]
        return torch.stack(parts).sum() / len(self.y)

    @cached_property
    def kept(self) -> dict[str, Tensor]:
        """Positions of the kept entries in each flattened parameter, int64."""
        return {
            name: self.masks[name].flatten().nonzero().squeeze(1)
            if name in self.masks
            else torch.arange(leaf.numel(), device=leaf.device)
            for name, leaf in self.params.items()
        }

    @property
    def dimension(self) -> int:
        """How many parameters are kept."""
        return sum(len(places) for places in self.kept.values())

    def vector(self, tree: Tree) -> Tensor:
        """The kept entries of a tree as one vector [P]."""
        return torch.cat([tree[name].flatten()[places] for name, places in self.kept.items()])

    def tree(self, vector: Tensor) -> Tree:
        """The tree of a vector [P], 0 where removed."""
        parts = torch.split(vector, [len(places) for places in self.kept.values()])
        return {
            name: vector.new_zeros(leaf.numel()).index_copy(0, self.kept[name], part).view(leaf.shape)
            for (name, leaf), part in zip(self.params.items(), parts, strict=True)
        }

    def by_parameter(self, vector: Tensor) -> dict[str, Tensor]:
        """Sums of a vector [P] over the entries of each parameter, float64 0-D."""
        parts = torch.split(vector.double(), [len(places) for places in self.kept.values()])
        return {name: part.sum() for name, part in zip(self.kept, parts, strict=True)}


def surface(problem: Problem, weights: Weights, sample: Sample) -> Surface:
    """The loss surface of a state over a sample.

    Raises UsageError for more examples than the split has.
    """
    split = problem.split(sample.split)
    count = len(split) if sample.examples == "all" else sample.examples
    if count > len(split):
        raise UsageError(
            f"examples={count}, but the {sample.split} split has {len(split)}; give at most that, or 'all'"
        )
    x, y = split.batch(torch.arange(count, device=split.y.device))
    cast = _caster(torch.float64 if sample.precision == "float64" else torch.float32)
    return Surface(
        model=problem.model,
        loss=problem.loss,
        params={name: cast(leaf.detach()) for name, leaf in weights.params.items()},
        buffers={name: cast(leaf) for name, leaf in weights.buffers.items()},
        masks=weights.masks,
        x=cast(x),
        y=y,
        train=sample.normalization == "train",
    )


def require_evaluation(sample: Sample, what: str, instead: str) -> None:
    """Raises UsageError where a quantity of single examples is asked for in training mode."""
    if sample.normalization != "eval":
        raise UsageError(
            f"{what} needs the gradient of every example alone, and normalization={sample.normalization!r} mixes "
            f"examples; use normalization='eval'{instead}"
        )


def require_separate(module: nn.Module) -> None:
    """Raises UsageError, naming the module, where normalization mixes examples even in evaluation mode."""
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise UsageError(
                f"module {name} ({type(part).__name__}) keeps no running statistics, so examples mix and none has "
                "a gradient of its own; build it with track_running_stats=True"
            )


def _caster(dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    return lambda leaf: leaf.to(dtype) if leaf.is_floating_point() else leaf
