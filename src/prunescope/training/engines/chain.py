"""Gradients of a plain chain of linear layers and ReLU under cross-entropy, without automatic differentiation.

Belongs here: this one family of networks, whose steps are so short that recording them costs as much as computing them.
Does not belong here: any other network (automatic differentiation does those), the update, one layer (`links.py`).

Examples are columns throughout. Equal to automatic differentiation to rounding.
"""

from collections import Counter
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from prunescope.base.tree import Tree
from prunescope.tasks.functional import Place
from prunescope.tasks.kernels.modules import ColumnLinear, OneDnnLinear, SparseLinear
from prunescope.tasks.kernels.products import Pattern, addresses, pattern_of
from prunescope.tasks.kernels.sparse_code import BLOCKS, Given, code, given
from prunescope.tasks.kernels.tailored import Tailored
from prunescope.tasks.losses import cross_entropy
from prunescope.tasks.task import Loss
from prunescope.training.engines.links import DenseLink, Descent, Link, SparseLink

LINEAR = (nn.Linear, ColumnLinear, OneDnnLinear, SparseLinear)
Layer = nn.Linear | ColumnLinear | OneDnnLinear | SparseLinear


class Chain:
    """Linear layers with ReLU between them, first to last."""

    def __init__(self, layers: list[tuple[str, Layer]], *, least: int) -> None:
        """layers: with the name of each module. least: weights of the smallest layer that torch's products are for."""
        self.layers = [name for name, _ in layers]
        self.patterns: dict[str, Pattern] = {}
        for name, layer in layers:
            if isinstance(layer, SparseLinear):
                self.patterns[name] = layer.pattern
            elif layer.weight.numel() < least:
                # Own loops over all weights: torch's products of so few cost more to call than to compute.
                self.patterns[name] = pattern_of(torch.ones_like(layer.weight, dtype=torch.bool), "llvm")

    def on(self, params: Tree, keep: Tree, examples: int) -> "Links":
        """The chain on these parameters, packed where its layers are, for so many examples at a time.

        keep: float masks of those that are masked and not packed.
        """
        return Links(self, params, keep, examples)


class Links:
    """A chain with memory of its own for everything that a pass computes, used again by the next one."""

    def __init__(self, chain: Chain, params: Tree, keep: Tree, examples: int) -> None:
        self.examples, self.links = examples, list[Link]()
        self.found: Tree = {}
        for name in chain.layers:
            places = f"{name}.weight", f"{name}.bias"
            weight, bias = params[places[0]].detach(), params.get(places[1])
            last = name == chain.layers[-1]
            link: Link
            masks = keep.get(places[0]), keep.get(places[1])
            if name in chain.patterns:
                values = weight.view(-1)
                link = SparseLink(chain.patterns[name], values, bias, examples, last=last, keep=masks)
            else:
                link = DenseLink(weight, bias, examples, last=last, keep=masks)
            self.links.append(link)
            for place, leaf in zip(places, link.found, strict=False):
                self.found[place] = leaf.view(params[place].shape)

    @torch.no_grad()
    def gradients(self, x: Tensor, y: Tensor, descent: Descent | None = None) -> tuple[Tensor, Tree]:
        """The mean loss (0-D, nats) of inputs [B, ...] with labels int64 [B], and its gradients by name.

        The gradients are overwritten by the next call. descent: a step that is taken at once; then there are none.
        """
        inputs = x.flatten(1).t()
        seen = [inputs]
        for link in self.links:
            seen.append(link.forward(seen[-1]))
        loss = self._loss(seen[-1], y)
        for number in reversed(range(len(self.links))):
            link = self.links[number]
            if number:
                link.back(seen[number], self.links[number - 1].g)
            if descent is None:
                link.slopes(seen[number])
            else:
                link.descend(seen[number], descent)
        return loss, self.found if descent is None else {}

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        loss, labels = torch.empty(()), y.contiguous()
        for name, numbers in self.loss_calls(logits, *addresses(labels, loss)):
            code()[name](*numbers)
        return loss

    def loss_calls(self, logits: Tensor, labels: int, loss: int) -> list[Given]:
        """What computes the loss of logits [classes, B], and its gradient; labels, loss: addresses."""
        g = self.links[-1].g
        return given(
            *("cross_entropy", len(logits), self.examples, logits.data_ptr(), labels, g.data_ptr(), loss),
            blocks=BLOCKS[-1:],
        )


def chain_of(network: Tailored, loss: Loss, *, least: int) -> Chain | None:
    """The chain that a network is; None if it is another. least: see `Chain`."""
    root = network.module
    if loss is not cross_entropy or not _sequential(root) or root._forward_hooks or root._forward_pre_hooks:
        return None
    layers: list[tuple[str, Layer]] = []
    expects = "linear"
    for name, module in _flat(network.module):
        if module._forward_hooks or module._forward_pre_hooks:
            return None
        if type(module) is nn.Flatten and not layers and (module.start_dim, module.end_dim) == (1, -1):
            continue
        if expects == "linear" and isinstance(module, LINEAR):
            layers.append((name, module))
            expects = "relu"
        elif expects == "relu" and type(module) is nn.ReLU:
            expects = "linear"
        else:
            return None
    return (
        Chain(layers, least=least)
        if layers and expects == "relu" and _plain(layers, network.places)
        else None
    )


def _sequential(module: nn.Module) -> bool:
    return type(module).forward is nn.Sequential.forward


def _flat(module: nn.Module, prefix: str = "") -> Iterable[tuple[str, nn.Module]]:
    """The modules of nested sequences in order, with their names."""
    for name, child in module.named_children():
        if _sequential(child):
            yield from _flat(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _plain(layers: list[tuple[str, Layer]], places: Iterable[Place]) -> bool:
    """Whether every parameter is float32 on a CPU and used once."""
    names = Counter(name for _, _, name in places)
    leaves = [leaf for _, layer in layers for leaf in (layer.weight, layer.bias) if leaf is not None]
    plain = all(leaf.dtype == torch.float32 and leaf.device.type == "cpu" for leaf in leaves)
    return plain and max(names.values()) == 1 and len(names) == len(leaves)
