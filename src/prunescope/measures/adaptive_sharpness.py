"""Sharpness in units of each weight's own size: flatness that rescaling cannot change."""

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import Tree
from prunescope.measures.curvature.products import gradient
from prunescope.measures.curvature.surface import Sample, Surface, surface
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem


class AdaptiveSharpness(Measure):
    """Elementwise adaptive sharpness: the rise of the mean loss from w to w + |w| * u, at its worst and on average.

    Values, float64 0-D, nats:
    worst: the largest rise that `steps` steps of projected gradient ascent meet in |u|_2 <= radius, at least 0.
    first_order: radius * | |w| * dL/dw |_2, the limit of `worst` for a small radius.
    average: the mean rise over `draws` of u ~ N(0, radius^2 / P), P kept weights, so that |u|_2 is about radius.
    error: the standard error of `average`.
    examples: how many examples the sample has, a number.

    Fields: sample, on which the loss is; radius, dimensionless; steps; draws; seed of the draws. A parameter at 0 does
    not move, so removed weights stay removed. Any network that is a function of its weights.

    If a layer's weights are multiplied by c and the next layer's divided by it, or a filter's weights before
    BatchNorm by c together with its running statistics, the network computes the same and so does this measure,
    while Tr(H) and Tr(C) change.

    Source: Kwon et al. 2021 (ASAM), equation 4, whose ascent step is steps=1; Andriushchenko et al. 2023, section 3,
    worst and average case (both recalled).
    Differs from the source: no constant is added to |w|; the average case is scaled by 1 / sqrt(P). The radius is
    proposed here.
    """

    sample: Sample = Sample()
    radius: float = Field(default=0.5, gt=0)
    steps: int = Field(default=20, ge=1)
    draws: int = Field(default=20, ge=2)
    seed: int = Field(default=0, ge=0)

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """See `Measure`; a gradient costs what three evaluations do."""
        return (3 * self.steps + self.draws) * self.sample.size(sizes)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Five numbers by name. Raises UsageError for what `Sample` cannot be measured on."""
        around = surface(problem, weights, self.sample)
        size = tree.tree_map(torch.abs, tree.masked(around.params, around.masks))
        level = around.mean_loss(around.params)
        first = tree.norm(_ascent(around, size, around.params))
        rises = torch.stack([self._drawn(around, size, number) - level for number in range(self.draws)])
        return {
            "worst": self._worst(around, size, level),
            "first_order": self.radius * first.double(),
            "average": rises.mean(),
            "error": rises.std() / self.draws**0.5,
            "examples": around.examples,
        }

    def _drawn(self, around: Surface, size: Tree, number: int) -> Tensor:
        """The loss at one random perturbation."""
        drawn = torch.randn(around.dimension, generator=stream(self.seed, "adaptive sharpness", number))
        scale = self.radius / max(1, around.dimension) ** 0.5
        return around.mean_loss(_moved(around, size, around.tree(drawn.to(around.like) * scale)))

    def _worst(self, around: Surface, size: Tree, level: Tensor) -> Tensor:
        """The largest rise on the way of the ascent, whose steps have length 2 radius / steps (radius for one)."""
        stride = self.radius * (2 / self.steps if self.steps > 1 else 1)
        best, params = torch.zeros_like(level), around.params
        u = tree.tree_map(torch.zeros_like, params)
        for _ in range(self.steps):
            slope = _ascent(around, size, params)
            length = tree.norm(slope)
            if not float(length) > 0:
                break
            u = tree.tree_map(lambda at, g, by=stride / length: at + by * g, u, slope)
            shrink = (self.radius / tree.norm(u)).clamp(max=1)
            u = tree.tree_map(lambda at, by=shrink: at * by, u)
            params = _moved(around, size, u)
            best = torch.maximum(best, around.mean_loss(params) - level)
        return best


def _ascent(around: Surface, size: Tree, params: Tree) -> Tree:
    """The gradient in u, |w| * dL/dw."""
    return tree.tree_map(torch.mul, size, gradient(around, params))


def _moved(around: Surface, size: Tree, u: Tree) -> Tree:
    """W + |w| * u."""
    return tree.tree_map(lambda w, s, step: w + s * step, around.params, size, u)
