"""The loss over a stated sample as a function of the kept weights.

Belongs here: which examples, in which mode and precision, and how weights become one vector. Does not belong here:
derivatives, and whether there are any (`function.py`).

Vectors are over kept parameters only: every entry that a mask does not remove, in the order of the parameters. A
removed weight is a constant 0, so it adds an eigenvalue 0 and nothing to a trace.
Differs from Bartoldson et al. 2020, whose vectors keep removed entries and their zero gradients: the same numbers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import Masks, Tree
from prunescope.base.value import Value
from prunescope.measures.curvature.function import require_function, require_gradient
from prunescope.measures.measure import SplitName
from prunescope.tasks.losses import Loss
from prunescope.tasks.model import Model
from prunescope.tasks.task import Problem

CHUNK = 64
"""Examples whose graph is held at once in evaluation mode; part of the numbers only through rounding."""
FORWARD_CHUNK = 500
"""Examples a forward pass without a graph; the same holds."""
MIXED = 1e-3
"""A change of logits, relative to the largest, that rounding in batches of another size does not make."""


class Sample(Value):
    """On what, and how, curvature is measured.

    split: which examples, without augmentation, against the labels used.
    examples: the first so many of the split, or "all"; of a smaller split, all that there are. Every measure's
        `examples` says how many.
    normalization: "eval", running statistics (the authors' choice), or "train", statistics of the sample taken as one
        batch; the whole network is then in training mode and what it draws is drawn under seed 0. The two give
        different numbers, so it is part of the measure.
    precision: of all arithmetic. Weights are float32, and that is the default because traces then agree with float64
        to 1e-5 on small networks (tested), far below differences between runs; "float64" is slower.

    Source: Bartoldson et al. 2020, appendix E, as in the authors' code: first 512 test images, evaluation mode.
    """

    split: SplitName = "test"
    examples: Annotated[int, Field(ge=1)] | Literal["all"] = 512
    normalization: Literal["eval", "train"] = "eval"
    precision: Literal["float32", "float64"] = "float32"

    def size(self, sizes: Mapping[str, int]) -> int:
        """How many examples it has; sizes: of the splits."""
        return sizes[self.split] if self.examples == "all" else min(self.examples, sizes[self.split])


@dataclass(frozen=True)
class Surface:
    """The mean loss over a sample as a function of the weights.

    model: the network, a copy that only this surface fills.
    loss: logits [B, C] and labels [B] to losses [B], nats.
    params, buffers: a copy of the state in the sample's precision; a network may change its tensors in place.
    masks: bool, True = kept.
    x, y: the sample's inputs [N, ...] and labels int64 [N].
    train: whether the network is in training mode.
    beat: as of the problem.
    """

    model: Model
    loss: Loss
    params: Tree
    buffers: Tree
    masks: Masks
    x: Tensor
    y: Tensor
    train: bool
    beat: Callable[[], None]

    def logits(self, params: Tree, x: Tensor) -> Tensor:
        """Logits [B, C] of inputs x [B, ...] at other parameters."""
        return self.model.apply(params, self.buffers, x, train=self.train)[0]

    @property
    def module(self) -> nn.Module:
        """The surface's own module, filled with whatever was used last."""
        return self.model.template(train=self.train)

    @property
    def like(self) -> Tensor:
        """A tensor of the dtype and on the device of the weights; inputs may be whole numbers."""
        return next(iter(self.params.values()))

    @property
    def examples(self) -> Tensor:
        """How many examples the sample has, float64 0-D."""
        return torch.tensor(float(len(self.y)), dtype=torch.float64)

    @cached_property
    def outputs(self) -> torch.Size:
        """The shape of one example's logits, (C,); a network may drop the first dimension of a batch of one."""
        with torch.no_grad():
            return self.logits(self.params, self.x[:2]).shape[1:]

    @cached_property
    def mixes(self) -> bool:
        """Whether an example's logits depend on the others in its batch.

        In evaluation mode the first examples are compared with themselves in a batch of two copies.
        """
        if self.train or len(self.y) == 1:
            return self.train
        with torch.no_grad():
            together = self.logits(self.params, self.x[:CHUNK])
            rows = range(min(4, len(self.y)))
            alone = torch.stack([self.logits(self.params, self.x[[row, row]])[0] for row in rows])
        apart = (together[: len(alone)] - alone).abs().max()
        return bool(apart > MIXED * together.abs().max())

    @property
    def trial(self) -> "Surface":
        """Half the mean squared logits of two examples, or of all where they mix, in float64, near the state.

        At the state what was removed lies on kinks. The first example is there twice, as some layers count.
        """
        rows = list(range(len(self.y))) if self.mixes else [0, len(self.y) - 1, 0]
        params, buffers = ({name: _double(leaf) for name, leaf in part.items()} for part in (self.params, self.buffers))
        start = self.vector(params)
        return replace(
            self,
            loss=lambda logits, _: logits.reshape(len(logits), -1).square().sum(1) / 2,
            params=self.tree(start + 0.1 * self.random(start, "noise")),
            buffers=buffers,
            x=_double(self.x[rows]),
            y=self.y[rows],
        )

    @staticmethod
    def random(like: Tensor, name: str) -> Tensor:
        """A random vector as large as another one; none is 0."""
        size = like.square().mean().sqrt() + 1e-3
        return size * torch.randn(len(like), generator=stream(0, "near the state", name)).to(like)

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[Tensor, Tensor]]:
        """The sample in order, at most `size` at a time; all at once where examples mix."""
        size = len(self.y) if self.mixes else size
        for chunk in zip(torch.split(self.x, size), torch.split(self.y, size), strict=True):
            yield chunk
            self.beat()

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
    """The loss surface of a state over a sample, or over all of a split that is smaller.

    Raises UsageError for a network or a loss that is no function of weights and examples and for a gradient that is
    not its change (`function.py`).
    """
    split = problem.split(sample.split)
    count = len(split) if sample.examples == "all" else min(sample.examples, len(split))
    x, y = split.batch(torch.arange(count, device=split.y.device))
    cast = _caster(torch.float64 if sample.precision == "float64" else torch.float32)
    made = Surface(
        model=problem.model.copy(),
        loss=problem.loss,
        params={name: cast(leaf.detach().clone()) for name, leaf in weights.params.items()},
        buffers={name: cast(leaf.detach().clone()) for name, leaf in weights.buffers.items()},
        masks=weights.masks,
        x=cast(x),
        y=y,
        train=sample.normalization == "train",
        beat=problem.beat,
    )
    require_function(made, f"{problem.model.network.path} in {sample.normalization} mode, {sample.precision}")
    require_gradient(made, f"{problem.model.network.path} in {sample.normalization} mode")
    return made


def require_evaluation(sample: Sample, what: str, instead: str) -> None:
    """Raises UsageError where a quantity of single examples is asked for in training mode."""
    if sample.normalization != "eval":
        raise UsageError(
            f"{what} needs the gradient of every example alone, and normalization={sample.normalization!r} mixes "
            f"examples; use normalization='eval'{instead}"
        )


def require_separate(surface: Surface) -> None:
    """Raises UsageError, naming the module if it is a normalization, where examples mix in evaluation mode."""
    for name, part in surface.module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise UsageError(
                f"module {name} ({type(part).__name__}) keeps no running statistics, so examples mix and none has "
                "a gradient of its own; build it with track_running_stats=True"
            )
    if surface.mixes:
        raise UsageError(
            f"an example's logits of {surface.model.network.path} depend on the other examples in its batch, so none "
            "has a gradient of its own; the first dimension has to be that of examples in every layer "
            "(batch_first=True in LSTM and attention)"
        )


def _caster(dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    return lambda leaf: leaf.to(dtype) if leaf.is_floating_point() else leaf


_double = _caster(torch.float64)
