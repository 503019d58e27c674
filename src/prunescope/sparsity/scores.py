"""Scores: how much a weight is worth keeping."""

from abc import abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.installed import is_shipped
from prunescope.base.overrides import unchanged
from prunescope.base.state import Weights
from prunescope.base.tree import Tree, clone, equal
from prunescope.base.value import Value


class Context(Protocol):
    """The draws and derivatives that a score may ask for.

    The derivatives are those of the mean loss over the next `batches` training batches, with the logits divided by
    `temperature`, in training mode and float32. Every call sees the same batches. Derivatives are dense: they ignore
    masks.
    """

    def stream(self, *name: str) -> torch.Generator:
        """A fresh generator for a named draw; the same name gives the same generator state."""

    def gradient(self, weights: Weights, batches: int, *, temperature: float = 1.0) -> Tree:
        """The gradient at `weights`, a tensor for every parameter in nats per unit of weight."""

    def hessian_product(self, weights: Weights, along: Tree, batches: int, *, temperature: float = 1.0) -> Tree:
        """The Hessian at `weights` times `along`, both restricted to the parameters that `along` names."""

    def output_gradient(self, weights: Weights) -> Tree:
        """The gradient at `weights` of the sum of the logits for one input of ones, in evaluation mode.

        A tensor for every parameter, in the dtype of the weights.
        """


class Score(Value):
    """A number for every maskable weight; by default the weights of smallest score are removed first.

    Only the order within a ranking matters. The score of a removed weight has no meaning.
    """

    @abstractmethod
    def scores(self, weights: Weights, context: Context) -> Tree:
        """Scores of all maskable weights.

        Args: weights: the network's tensors; context: where draws and derivatives come from.
        Returns: for every name in `weights.masks` a tensor of the parameter's shape, in the score's own unit.
        """

    def numbers(self, weights: Weights, context: Context) -> Tree:
        """`scores` as numbers that can be ranked.

        Raises UsageError where a score that a user wrote changes the weights, or returns anything but tensors by name.
        """
        if is_shipped(self):
            return self.scores(weights, context)
        before, name = clone(weights.params), f"{type(self).__name__}.scores"
        with unchanged(self):
            found = self.scores(weights, context)
        if not equal(before, weights.params):
            raise UsageError(f"{name} changes the weights in place; make new tensors")
        if not isinstance(found, dict) or not all(isinstance(leaf, Tensor) for leaf in found.values()):
            kinds = sorted({type(leaf).__name__ for leaf in found.values()} if isinstance(found, dict) else {})
            shown = f"a {type(found).__name__}" + (f" of {', '.join(kinds)}" if kinds else "")
            raise UsageError(f"{name} returned {shown}; it must return a tensor by the name of every prunable one")
        for key in sorted(weights.masks.keys() & found.keys()):
            leaf, shape = found[key], weights.masks[key].shape
            if leaf.shape != shape or leaf.is_complex():
                kind = f"{str(leaf.dtype).removeprefix('torch.')} {list(leaf.shape)}"
                raise UsageError(f"{name} returned {kind} for {key}; it must return real numbers {list(shape)}")
        return {key: leaf.detach() if leaf.is_floating_point() else leaf.double() for key, leaf in found.items()}


class Magnitude(Score):
    """The magnitude |w| of the weight, in units of weight.

    Source: Han et al. 2015; Frankle and Carbin 2019, section 1 (ranked over all layers: Jin et al. 2022).
    """

    def scores(self, weights: Weights, context: Context) -> Tree:
        """See `Score.scores`; nothing is drawn."""
        return {name: weights.params[name].detach().abs() for name in weights.masks}


class Random(Score):
    """A uniform draw on [0, 1) for every weight, so that removing the smallest removes weights at random.

    The draws are float64, layer by layer in the order of names: float32 has only 2^24 values in [0, 1), which is
    close to the number of weights of a VGG, and ties would favor the first layers.

    Source: Frankle et al. 2021 (random pruning as a baseline). Differs from the source: ranked globally.
    """

    def scores(self, weights: Weights, context: Context) -> Tree:
        """See `Score.scores`; draws from the stream "score"."""
        generator = context.stream("score")
        scores: Tree = {}
        for name in sorted(weights.masks):
            mask = weights.masks[name]
            uniform = torch.rand(mask.shape, generator=generator, dtype=torch.float64, device=generator.device)
            scores[name] = uniform.to(mask.device)
        return scores


class ShuffledMagnitude(Score):
    """Magnitudes permuted within each layer among its remaining weights.

    Score of weight i of layer l: |w_l,pi(i)| with pi a uniform permutation of the remaining weights of l.
    Ranked over all layers, every layer loses as many weights as under `Magnitude`, but random ones.

    Source: Jin et al. 2022, appendix J (ablation of the heuristic that selects weights).
    Differs from the source: the appendix's own list of heuristics is not known; this arm is proposed here.
    """

    def scores(self, weights: Weights, context: Context) -> Tree:
        """See `Score.scores`; draws from the stream "score". Removed weights score 0."""
        generator = context.stream("score")
        shuffled: Tree = {}
        for name in sorted(weights.masks):
            mask, magnitude = weights.masks[name], weights.params[name].detach().abs()
            remaining = magnitude[mask]
            order = torch.randperm(len(remaining), generator=generator, device=generator.device)
            shuffled[name] = torch.zeros_like(magnitude).masked_scatter(mask, remaining[order.to(mask.device)])
        return shuffled
