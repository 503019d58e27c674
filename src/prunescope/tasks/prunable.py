"""Which of a network's parameters are weights that pruning may remove.

A weight is an entry of a matrix or kernel that multiplies activations: of linear layers, convolutions and transposed
ones, recurrent layers, attention's projections, and of any layer of the user's own whose matrix enters a product.
Biases, normalization and position tables are never weights. Embeddings are looked up, not multiplied, and are weights
only where they are named, or where the same tensor is an output layer too. A shared tensor is one tensor.

A parametrized weight (`torch.nn.utils.parametrizations`) is pruned where it is stored: the original tensor is ranked
and masked, which is right exactly if a zero there is a zero of the weight that the parametrization makes. That is
tried. Weight normalization divides by the norm of a row, so a row without any weight left is not a number there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_leaves

from prunescope.base.blame import blaming
from prunescope.base.errors import UsageError
from prunescope.base.passes import Watched
from prunescope.tasks.building import evaluating

_BY_TYPE: Mapping[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("weight",),
    nn.Bilinear: ("weight",),
    nn.modules.conv._ConvNd: ("weight",),  # transposed ones, too
    nn.RNNBase: ("weight_*",),
    nn.RNNCellBase: ("weight_*",),
    nn.MultiheadAttention: ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"),
}
_NEVER = (nn.Embedding, nn.EmbeddingBag)
_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "dot", "linear", "convolution", "_trilinear", "lstm", "gru", "rnn")


@dataclass(frozen=True)
class Tensors:
    """A network's trainable parameters, sorted by what pruning makes of them.

    prunable: names of the tensors that hold prunable weights, in the network's order.
    other: names of matrices and kernels that are not prunable, and why.
    weights: entries of all prunable tensors.
    parameters: entries of all trainable parameters, biases and normalization included.
    """

    prunable: tuple[str, ...]
    other: Mapping[str, str]
    weights: int
    parameters: int

    @property
    def sentence(self) -> str:
        """How many of the parameters pruning counts, and which matrices it leaves alone."""
        share = 100 * self.weights / max(1, self.parameters)
        text = f"{self.weights:,} of {self.parameters:,} parameters ({share:.1f} %) are prunable weights"
        if self.other:
            text += "; not prunable: " + ", ".join(f"{name} ({why})" for name, why in self.other.items())
        return text


def sort_tensors(module: nn.Module, wanted: Sequence[str] | None = None, example: Any = None) -> Tensors:
    """The trainable parameters of a network, sorted.

    wanted: names or patterns ("encoder.*") of the tensors to be prunable; None means every weight matrix and kernel.
    example: a batch of inputs, by which matrices of the user's own layers are found.

    Raises UsageError for a name that fits no tensor, and for a tensor that cannot be pruned: a frozen one, a vector,
    one whose zeros its parametrization does not keep.
    """
    trainable = {name: leaf for name, leaf in module.named_parameters() if leaf.requires_grad}
    owners = _owners(module)
    if wanted is None:
        chosen = {name for name in trainable if _is_weight(trainable[name], owners[name])}
        chosen |= _multiplied(module, trainable, owners, example) if example is not None else set()
        lost = {name: "its parametrization does not keep zeros" for name in chosen if not keeps_zeros(module, name)}
        chosen -= lost.keys()
    else:
        chosen, lost = _requested(module, trainable, wanted), {}
    other = {
        name: lost.get(name) or _why_not(owners[name], wanted)
        for name, leaf in trainable.items()
        if leaf.ndim > 1 and name not in chosen
    }
    return Tensors(
        tuple(name for name in trainable if name in chosen),
        other,
        sum(trainable[name].numel() for name in chosen),
        sum(leaf.numel() for leaf in trainable.values()),
    )


class _Owner(NamedTuple):
    """A layer that holds a parameter, and the name it has there, without what a parametrization adds to it."""

    layer: nn.Module
    key: str


def _owners(module: nn.Module) -> dict[str, list[_Owner]]:
    """Every layer that holds a parameter, by the parameter's first name: several for a shared tensor."""
    names = {id(leaf): name for name, leaf in module.named_parameters()}
    owners: dict[str, list[_Owner]] = {name: [] for name in names.values()}
    for layer in module.modules():
        for key, leaf in layer._parameters.items():
            if leaf is not None and not isinstance(layer, parametrize.ParametrizationList):
                owners[names[id(leaf)]].append(_Owner(layer, key))
        for key, originals in getattr(layer, "parametrizations", {}).items():
            for leaf in originals._parameters.values():
                if leaf is not None:
                    owners[names[id(leaf)]].append(_Owner(layer, key))
    return owners


def _is_weight(leaf: Tensor, owners: Sequence[_Owner]) -> bool:
    """Whether one of the layers that hold a tensor multiplies with it, as far as the layer's type says so."""
    return leaf.ndim > 1 and any(
        fnmatchcase(owner.key, pattern)
        for owner in owners
        for kind, patterns in _BY_TYPE.items()
        if isinstance(owner.layer, kind) or (kind is nn.Linear and _is_conv1d(owner.layer))
        for pattern in patterns
    )


def _is_conv1d(layer: nn.Module) -> bool:
    """Whether a layer is Hugging Face's `Conv1D`, a linear layer with its weight turned around."""
    return type(layer).__name__ == "Conv1D" and hasattr(layer, "nf")


def _multiplied(
    module: nn.Module, trainable: Mapping[str, Tensor], owners: Mapping[str, list[_Owner]], example: Any
) -> set[str]:
    """Matrices of layers that are not torch's own which enter a product when the network is applied.

    Raises UserCodeError where it cannot be applied.
    """
    own = {
        leaf.untyped_storage().data_ptr(): name
        for name, leaf in trainable.items()
        if leaf.ndim > 1 and not any(_is_torchs(owner.layer) for owner in owners[name])
    }
    if not own:
        return set()
    watch = _Products(own)
    blame = blaming(f"{type(module).__name__} on some examples", always=True)
    with blame, torch.no_grad(), torch.random.fork_rng(devices=[]), evaluating(module), watch:
        module(example)
    return watch.names


def _is_torchs(layer: nn.Module) -> bool:
    """Whether a layer's matrices are known by its type; containers of parameters belong to the layer around them."""
    containers = (nn.ParameterList, nn.ParameterDict)
    return type(layer).__module__.startswith("torch.") and not isinstance(layer, containers)


class _Products(Watched):  # type: ignore[no-untyped-call]
    """Notes which of some tensors, or views of them, are operands of a matrix product or convolution."""

    def __init__(self, own: Mapping[int, str]) -> None:
        super().__init__()
        self._own = own
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        if any(name == product or name.startswith(f"{product}_") for product in _PRODUCTS):
            for leaf in tree_leaves((args, kwargs or {})):
                if isinstance(leaf, Tensor):
                    self.names |= {self._own[key] for key in (leaf.untyped_storage().data_ptr(),) if key in self._own}
        return func(*args, **(kwargs or {}))


def _requested(module: nn.Module, trainable: Mapping[str, Tensor], wanted: Sequence[str]) -> set[str]:
    everything = dict(module.named_parameters())
    chosen: set[str] = set()
    for pattern in wanted:
        matches = [name for name in everything if fnmatchcase(name, pattern)]
        if not matches:
            raise UsageError(f"prunable={pattern!r} fits no parameter; there are {', '.join(everything)}")
        exact = pattern in everything
        for name in matches:
            if why := _impossible(module, name, trainable):
                if exact:
                    raise UsageError(f"prunable={name!r} cannot be pruned: {why}")
            else:
                chosen.add(name)
        if not chosen.intersection(matches):
            raise UsageError(f"prunable={pattern!r} fits {', '.join(matches)}, none of which can be pruned")
    return chosen


def _impossible(module: nn.Module, name: str, trainable: Mapping[str, Tensor]) -> str:
    """Why a parameter cannot be pruned; empty if it can."""
    if name not in trainable:
        return "it is frozen (requires_grad=False)"
    if trainable[name].ndim < 2:
        return "it is a vector (a bias or a normalization), and pruning counts matrices and kernels"
    return "" if keeps_zeros(module, name) else "its parametrization does not keep zeros"


def keeps_zeros(module: nn.Module, name: str) -> bool:
    """Whether a zero of a parametrization's original is a zero of the weight that it makes; true of plain tensors."""
    path, _, key = name.rpartition(".")
    holder = module.get_submodule(path) if path else module
    if not isinstance(holder, parametrize.ParametrizationList):
        return True
    leaf = getattr(holder, key)
    before = leaf.detach().clone()
    buffers = {place: value.clone() for place, value in holder.named_buffers()}
    gone = torch.zeros_like(before, dtype=torch.bool).flatten()
    gone[::3] = True
    gone = gone.view_as(before)
    try:
        with torch.no_grad():
            leaf.masked_fill_(gone, 0.0)
            made = holder()
        return isinstance(made, Tensor) and made.shape == before.shape and bool((made[gone] == 0).all())
    finally:
        with torch.no_grad():
            leaf.copy_(before)
            for place, value in holder.named_buffers():
                value.copy_(buffers[place])


def _why_not(owners: Sequence[_Owner], wanted: Sequence[str] | None) -> str:
    if wanted is not None:
        return "not named"
    if all(isinstance(owner.layer, _NEVER) for owner in owners):
        return "an embedding"
    return f"of {' and '.join(dict.fromkeys(type(owner.layer).__name__ for owner in owners))}"
