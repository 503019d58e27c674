"""Multi-layer perceptrons: gradients without automatic differentiation, and whole steps of plain SGD.

Belongs here: linear layers and ReLU in turns under cross-entropy, whose steps are so short that recording them costs as
much as computing them. Does not belong here: any other network, one layer (`mlp_layers.py`), the loops
(`tasks/kernels/mlp_kernels.py`), which steps are taken so (`inplace.py`).

Examples are columns throughout. Equal to automatic differentiation to rounding.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from prunescope.base.tree import Tree
from prunescope.tasks.functional import Place
from prunescope.tasks.kernels import mlp_kernels
from prunescope.tasks.kernels.products import Columns, Pattern, SparseLinear, pattern_of, unsigned
from prunescope.tasks.kernels.specialized import Specialized, is_flatten, is_sequence, is_untouched
from prunescope.tasks.losses import Loss, cross_entropy
from prunescope.training.engines.mlp_layers import DenseLayer, Descent, Layer, SparseLayer

Linear = nn.Linear | SparseLinear


class Mlp:
    """Linear layers with ReLU between them, first to last."""

    def __init__(self, layers: list[tuple[str, Linear]], *, least: int) -> None:
        """layers: with the name of each module. least: weights of the smallest layer that torch's products are for."""
        self.names = [name for name, _ in layers]
        self.patterns: dict[str, Pattern] = {}
        for name, layer in layers:
            if isinstance(layer, SparseLinear):
                self.patterns[name] = layer.pattern
            elif layer.weight.numel() < least:
                # Own loops over all weights: torch's products of so few cost more to call than to compute.
                self.patterns[name] = pattern_of(torch.ones_like(layer.weight, dtype=torch.bool))


class BoundMlp:
    """A network on its parameters, with memory for everything that a pass computes, used again by the next one."""

    def __init__(self, mlp: Mlp, params: Tree, keep: Tree, examples: int) -> None:
        """params: packed where the layers are. keep: float masks of those that are masked and not packed."""
        self.layers: list[Layer] = []
        self._slopes: Tree = {}
        for name in mlp.names:
            places = f"{name}.weight", f"{name}.bias"
            weight, bias = params[places[0]], params.get(places[1])
            options = {"last": name == mlp.names[-1], "keep": (keep.get(places[0]), keep.get(places[1]))}
            layer: Layer
            if name in mlp.patterns:
                layer = SparseLayer(mlp.patterns[name], weight.view(-1), bias, examples, **options)  # type: ignore[arg-type]
            else:
                layer = DenseLayer(weight, bias, examples, **options)  # type: ignore[arg-type]
            self.layers.append(layer)
            for place, slope in zip(places, layer.slopes, strict=False):
                self._slopes[place] = slope.view(params[place].shape)

    @torch.no_grad()
    def gradients(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tree]:
        """The mean loss (0-D, nats) of inputs [B, ...] with labels int64 [B], and its gradients by name.

        The gradients are overwritten by the next call.
        """
        inputs = x.flatten(1).t()
        if isinstance(self.layers[0], SparseLayer):
            inputs = inputs.contiguous()
        loss = self._forward(inputs, y.contiguous())
        for layer, before in self._back(inputs):
            layer.gradients(before)
        return torch.tensor(loss), self._slopes

    @torch.no_grad()
    def steps(self, columns: Columns, rows: Tensor, labels: Tensor, descents: Sequence[Descent]) -> Tensor:
        """Takes the steps and returns their mean losses (nats), float32 [n].

        columns: what reads a batch. rows: int64 [n, B], the examples of each step; labels: int64 [n, B].
        """
        rows, labels = rows.contiguous(), labels.contiguous()
        layers = [layer for layer in self.layers if isinstance(layer, SparseLayer)]
        if len(layers) == len(self.layers):
            return _sparse_steps(layers, columns, rows, labels, descents)
        losses = []
        for batch, classes, descent in zip(rows, labels, descents, strict=True):
            inputs = columns.read(batch)
            losses.append(self._forward(inputs, classes))
            for layer, before in self._back(inputs):
                layer.descend(before, descent)
        return torch.tensor(losses)

    def _back(self, inputs: Tensor) -> Iterator[tuple[Layer, Tensor]]:
        """The layers from the last to the first, with their inputs, once the gradient is through them."""
        for number in range(len(self.layers) - 1, 0, -1):
            layer, before = self.layers[number], self.layers[number - 1]
            layer.back(before.h, before.g)
            yield layer, before.h
        yield self.layers[0], inputs

    def _forward(self, x: Tensor, y: Tensor) -> float:
        """The mean loss; the last layer's `g` is its gradient then."""
        for layer in self.layers:
            x = layer.forward(x)
        loss: float = mlp_kernels.cross_entropy(x.numpy(), y.numpy(), self.layers[-1].g.numpy())
        return loss


def _sparse_steps(
    layers: list[SparseLayer], columns: Columns, rows: Tensor, labels: Tensor, descents: Sequence[Descent]
) -> Tensor:
    """Steps in which Python has no part: they are as short as calling a handful of loops."""
    losses = torch.empty(len(descents))
    across, down = ([layer.pattern.rows.arrays for layer in layers], [layer.pattern.columns for layer in layers])
    mlp_kernels.steps(
        rows.numpy().view(np.uint64),
        labels.numpy(),
        np.array([(descent.shrinkage, descent.lr) for descent in descents], np.float32),
        columns.examples.numpy(),
        unsigned(columns.live),
        tuple(zip(*across, strict=True)),
        (*zip(*(part.arrays for part in down), strict=True), tuple(unsigned(layer.pattern.order) for layer in layers)),
        tuple(layer.values.numpy() for layer in layers),
        tuple(layer.bias.numpy() for layer in layers),
        tuple(zip(*(layer.keep for layer in layers), strict=True)),
        (columns.into.numpy(), *(layer.h.numpy() for layer in layers)),
        tuple(layer.g.numpy() for layer in layers),
        losses.numpy(),
    )
    return losses


def mlp_of(network: Specialized, loss: Loss, *, least: int) -> Mlp | None:
    """The perceptron that a network is; None if it is another. least: see `Mlp`."""
    if loss is not cross_entropy or not is_sequence(network.module):
        return None
    layers: list[tuple[str, Linear]] = []
    expects = "linear"
    for name, module in _flat(network.module):
        if not is_untouched(module):
            return None
        if is_flatten(module) and not layers:
            continue
        if expects == "linear" and isinstance(module, Linear) and type(module) in (nn.Linear, SparseLinear):
            layers.append((name, module))
            expects = "relu"
        elif expects == "relu" and type(module) is nn.ReLU:
            expects = "linear"
        else:
            return None
    complete = layers and expects == "relu" and _plain(layers, network.places)
    return Mlp(layers, least=least) if complete else None


def _flat(module: nn.Module, prefix: str = "") -> Iterable[tuple[str, nn.Module]]:
    """The modules of nested sequences in order, with their names."""
    for name, child in cast(dict[str, nn.Module], module._modules).items():  # one that is there twice is called twice
        if is_sequence(child):
            yield from _flat(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _plain(layers: list[tuple[str, Linear]], places: Iterable[Place]) -> bool:
    """Whether every parameter is float32 on a CPU and used once."""
    names = Counter(name for _, _, name in places)
    leaves = [leaf for _, layer in layers for leaf in (layer.weight, layer.bias) if leaf is not None]
    plain = all(leaf.dtype == torch.float32 and leaf.device.type == "cpu" for leaf in leaves)
    return plain and max(names.values()) == 1 and len(names) == len(leaves)
