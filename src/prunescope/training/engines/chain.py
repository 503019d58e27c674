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
from prunescope.tasks.functional import Slot
from prunescope.tasks.kernels.modules import ColumnLinear, OneDnnLinear, SparseLinear
from prunescope.tasks.kernels.products import Pattern, pattern_of
from prunescope.tasks.kernels.sparse_code import code
from prunescope.tasks.kernels.tailored import Tailored
from prunescope.tasks.kernels.writer import LANES
from prunescope.tasks.losses import cross_entropy
from prunescope.tasks.task import Loss
from prunescope.training.engines.links import DenseLink, Link, SparseLink

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

    def on(self, params: Tree, examples: int) -> "Links":
        """The chain on these parameters, packed where its layers are, for so many examples at a time."""
        return Links(self, params, examples)


class Links:
    """A chain with memory of its own for everything that a pass computes, used again by the next one."""

    def __init__(self, chain: Chain, params: Tree, examples: int) -> None:
        self.examples, self.links, names = examples, list[Link](), list[str]()
        for name in chain.layers:
            weight, bias = params[f"{name}.weight"].detach(), params.get(f"{name}.bias")
            names += [f"{name}.weight"] + ([] if bias is None else [f"{name}.bias"])
            last = name == chain.layers[-1]
            if name in chain.patterns:
                values = weight.view(-1)
                self.links.append(SparseLink(chain.patterns[name], values, bias, examples, last=last))
            else:
                self.links.append(DenseLink(weight, bias, examples, last=last))
        leaves = [leaf for link in self.links for leaf in link.found]
        self.found = {name: leaf.view(params[name].shape) for name, leaf in zip(names, leaves, strict=True)}

    @torch.no_grad()
    def gradients(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tree]:
        """The mean loss (0-D, nats) of inputs [B, ...] with labels int64 [B], and its gradients by name.

        The gradients are overwritten by the next call.
        """
        inputs = x.flatten(1).t()
        seen = [inputs]
        for link in self.links:
            seen.append(link.forward(seen[-1]))
        loss = self._loss(seen[-1], y)
        for number in reversed(range(len(self.links))):
            link = self.links[number]
            link.slopes(seen[number])
            if number:
                link.back(seen[number], self.links[number - 1].g)
        return loss, self.found

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        loss, labels, g = torch.empty(()), y.contiguous(), self.links[-1].g
        code()[f"cross_entropy{LANES}"](
            len(logits),
            self.examples,
            *(0, self.examples),
            *(leaf.data_ptr() for leaf in (logits, labels, g, loss)),
        )
        return loss


def chain_of(network: Tailored, loss: Loss, *, least: int) -> Chain | None:
    """The chain that a network is; None if it is another. least: see `Chain`."""
    if loss is not cross_entropy or not _sequential(network.module):
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
        Chain(layers, least=least) if layers and expects == "relu" and _plain(layers, network.slots) else None
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


def _plain(layers: list[tuple[str, Layer]], slots: Iterable[Slot]) -> bool:
    """Whether every parameter is float32 on a CPU and used once."""
    names = Counter(name for _, _, name in slots)
    leaves = [leaf for _, layer in layers for leaf in (layer.weight, layer.bias) if leaf is not None]
    plain = all(leaf.dtype == torch.float32 and leaf.device.type == "cpu" for leaf in leaves)
    return plain and max(names.values()) == 1 and len(names) == len(leaves)
