"""A look at a network, a loss and data before any work: whether they fit each other, and what is unusual.

Belongs here: what two examples in both modes show. Does not belong here: building the module (`building.py`), what is
prunable (`prunable.py`), when it is looked at (`runs/machine/inspections.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prunescope.base.blame import blaming
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import Tree, equal
from prunescope.tasks.functional import fill, places_of
from prunescope.tasks.losses import cross_entropy, mean_binary_cross_entropy
from prunescope.tasks.prunable import Tensors
from prunescope.tasks.targets import Classes
from prunescope.tasks.task import Problem

TOLERANCE = 1e-3
"""Relative to the largest output; examples that influence each other differ by more, rounding by less."""
LOSSES = 8
"""So many examples' losses are compared with those of each by itself; some losses look at more than two."""
NAMES = 4
"""Most names in a sentence."""


@dataclass(frozen=True)
class Inspection:
    """What a network is, for a task that it fits.

    network: its name.
    outputs: number of outputs of an example, C.
    classes: number of classes of the data, at most C.
    tensors: the trainable parameters, sorted into prunable ones and others.
    frozen: names of the parameters that do not train.
    evaluating: names of the layers that stay in evaluation mode during training.
    masked: number of entries that are removed before the first step, by name of the tensor.
    unused: names of the trainable parameters that no gradient reaches.
    seeded: whether initial weights depend on the seed; those of an instance do not, as is to be expected.
    probabilities: whether outputs look like probabilities, where the loss takes logits.
    """

    network: str
    outputs: int
    classes: int
    tensors: Tensors
    frozen: tuple[str, ...]
    evaluating: tuple[str, ...]
    masked: Mapping[str, int]
    unused: tuple[str, ...]
    seeded: bool
    probabilities: bool = False

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        unusual = [self._masked] if self.masked else []
        unusual += [f"{_some(self.frozen)} frozen"] if self.frozen else []
        unusual += [f"{_some(self.evaluating)} in evaluation mode during training"] if self.evaluating else []
        unusual += [f"no gradient reaches {_some(self.unused)}"] if self.unused else []
        unusual += [] if self.seeded else ["every seed starts from the same weights"]
        if self.probabilities:
            unusual += ["outputs are probabilities already, and the loss takes logits: leave softmax or sigmoid out"]
        return f"{self.network}: " + "; ".join([self.tensors.sentence, *unusual])

    @property
    def is_usual(self) -> bool:
        """Whether everything trains from weights by seed, every matrix is prunable, and none is pruned at the start."""
        others = (self.tensors.other, self.frozen, self.evaluating, self.masked, self.unused, self.probabilities)
        return self.seeded and not any(others)

    @property
    def _masked(self) -> str:
        count = sum(self.masked.values())
        return f"{count:,} entries of {_some(tuple(self.masked))} are 0 as given and count as pruned from the start"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def inspect_problem(problem: Problem) -> Inspection:
    """The inspection of a problem.

    Raises UsageError for a network, a loss or data that cannot be used as they are, with the fix.
    """
    model, train = problem.model, problem.train
    name = model.network.path.rpartition(":")[2]
    weights, before = model.fresh(0), model.fresh(0)
    _check_numbers(name, weights)
    if not (equal(weights.params, before.params) and equal(weights.buffers, before.buffers)):
        raise UsageError(
            f"{name} builds another network each time from the same seed: it draws from another generator than torch's "
            "default one (random, numpy), and no run could be made again; draw by torch"
        )
    x, y = train.batch(torch.tensor([0, len(train) - 1], device=train.y.device))
    apply = _Passes(problem, weights, name)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        outputs = apply(x, train=False)
        _check_outputs(name, outputs, problem)
        problem.target.require_fit(outputs, y, problem.classes)
        _check_alone(name, apply, x, outputs)
        _check_whole(name, problem, weights, x, outputs)
        training = apply(x, train=True)
        _check_pure(name, apply, x, training, (weights, before))
        if training.shape != outputs.shape:
            raise UsageError(
                f"{name} returns {list(training.shape)} in training mode and {list(outputs.shape)} in evaluation mode; "
                "it must return the same logits [N, C] in both: name them by output=, or leave the others out"
            )
        _check_loss(problem, outputs, y)
        some = torch.randperm(len(train), generator=stream(0, "losses"))[:LOSSES]
        x, y = train.batch(some.to(y.device))
        _check_single(problem, apply(x, train=False), y)
        _check_named_output(name, problem, apply, x)
    masked = {key: int((~mask).sum()) for key, mask in weights.masks.items() if not bool(mask.all())}
    frozen = tuple(sorted(model.frozen))
    return Inspection(
        name,
        outputs.shape[-1],
        problem.classes,
        model.tensors,
        frozen,
        model.evaluating,
        masked,
        _unused(problem, weights, x, y),
        model.network.given is not None or not equal(weights.params, model.fresh(1).params),
        _are_probabilities(problem, outputs),
    )


def check_trains(problem: Problem, inspection: Inspection) -> None:
    """Raises UsageError where training could change nothing, because the loss is cut off from the parameters."""
    leaves = dict(problem.model.template(train=True).named_parameters()).keys() - problem.model.frozen
    if leaves and leaves <= set(inspection.unused):
        raise UsageError(
            f"no gradient of loss {_loss_name(problem)} reaches any parameter of {inspection.network}; the outputs or "
            "the loss were made without a graph: look for detach(), .data, .item(), numpy, argmax or torch.no_grad()"
        )


def _unused(problem: Problem, weights: Weights, x: Tensor, y: Tensor) -> tuple[str, ...]:
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in weights.params.items()}
    with torch.enable_grad():
        outputs, _ = problem.model.apply(leaves, weights.buffers, x, train=True)
        losses = problem.loss(outputs, y)
        if not losses.requires_grad:
            return tuple(leaves)
        _check_registered(problem.model.network.path.rpartition(":")[2], losses, leaves)
        slopes = torch.autograd.grad(losses.sum(), list(leaves.values()), allow_unused=True)
    return tuple(name for name, slope in zip(leaves, slopes, strict=True) if slope is None)


def _are_probabilities(problem: Problem, outputs: Tensor) -> bool:
    """Whether rows sum to 1 under softmax's loss, or at least 8 outputs lie within 0 and 1 under sigmoid's."""
    if bool(((outputs < 0) | (outputs > 1)).any()):
        return False
    if problem.loss is cross_entropy:
        return bool(torch.allclose(outputs.sum(1), torch.ones(len(outputs), device=outputs.device), atol=1e-5))
    return problem.loss is mean_binary_cross_entropy and outputs.numel() >= 8


def _check_pure(name: str, apply: "_Passes", x: Tensor, training: Tensor, weights: tuple[Weights, Weights]) -> None:
    """Raises UsageError where passes change parameters, or draw from something that has no seed here."""
    now, before = weights
    if changed := [key for key, leaf in before.params.items() if not torch.equal(leaf, now.params[key])]:
        raise UsageError(
            f"{name} changes its own parameters in a pass ({_some(tuple(changed))}); leave that to the optimizer (an "
            "Embedding without max_norm)"
        )
    if not _close(apply(x, train=True), training):
        raise UsageError(
            f"{name} returns other outputs for the same examples and seed in training mode: it draws from another "
            "generator than torch's default one (random, numpy), or it changes a plain attribute, and no run could be "
            "made again; draw by torch, and keep what changes in a buffer (register_buffer)"
        )


def _check_whole(name: str, problem: Problem, weights: Weights, x: Tensor, outputs: Tensor) -> None:
    """Raises UsageError where parameters and buffers are not all that a network computes with."""
    network = problem.model.network
    if network.given is not None:
        return
    torch.default_generator.manual_seed(2**40 - 87)  # no seed that the first one may have been built under
    again = network.build(problem.model.example).eval()
    fill(places_of(again), {**weights.params, **weights.buffers})
    if not _close(again(x), outputs):
        raise UsageError(
            f"{name} computes with random numbers that are neither its parameters nor its buffers, so that no run "
            "could be made again: make tensors buffers (register_buffer), and hold layers in nn.ModuleList or "
            "nn.ModuleDict, not in a list or a dictionary"
        )


def _check_registered(name: str, losses: Tensor, leaves: Tree) -> None:
    """Raises UsageError where a gradient reaches tensors that are no parameters, which would silently not train."""
    known = {id(leaf) for leaf in leaves.values()}
    pending, seen, strange = [losses.grad_fn], set[Any](), list[Tensor]()
    while pending:
        node = pending.pop()
        if node is not None and node not in seen:
            seen.add(node)
            pending.extend(before for before, _ in node.next_functions)
            leaf = getattr(node, "variable", None)
            strange += [leaf] if leaf is not None and id(leaf) not in known else []
    if strange:
        shapes = ", ".join(str(list(leaf.shape)) for leaf in strange[:NAMES])
        raise UsageError(
            f"a gradient reaches {len(strange)} tensors that are no parameters of {name} and would not train "
            f"({shapes}): make them nn.Parameter, hold layers in nn.ModuleList or nn.ModuleDict, or detach() them"
        )


class _Passes:
    """Passes of a network, whose errors name the place in the user's code."""

    def __init__(self, problem: Problem, weights: Weights, name: str) -> None:
        self._model, self._weights, self._name = problem.model, weights, name

    def __call__(self, x: Tensor, *, train: bool) -> Tensor:
        layout = self._model.network.layout
        shape = list(x.shape) if layout is None else layout.described
        with blaming(f"{self._name} on inputs {shape}", always=True):
            return self._model.apply(self._weights.params, self._weights.buffers, x, train=train)[0]


def _check_numbers(name: str, weights: Weights) -> None:
    for key, leaf in weights.params.items():
        if leaf.dtype != torch.float32:
            raise UsageError(
                f"{key} of {name} is {str(leaf.dtype).removeprefix('torch.')}; parameters must be float32: call "
                ".float() on the module (precision='bfloat16' of a recipe trains with shorter numbers)"
            )


def _check_outputs(name: str, outputs: Tensor, problem: Problem) -> None:
    """Raises UsageError for outputs that cannot be logits; whether they fit another target is said by the target."""
    classes = problem.classes
    if outputs.ndim == 0 or len(outputs) != 2 or (isinstance(problem.target, Classes) and outputs.ndim != 2):
        raise UsageError(
            f"{name} returns a tensor {list(outputs.shape)} for 2 examples; it must return logits [N, C], here "
            f"[2, {classes}] or more columns"
        )
    if outputs.dtype != torch.float32 or outputs.layout != torch.strided:
        kind = " and ".join(str(part).removeprefix("torch.") for part in (outputs.dtype, outputs.layout))
        raise UsageError(f"{name} returns {kind}; logits must be float32 and dense (call .float(), .to_dense())")
    if bool(outputs.isnan().any()):
        raise UsageError(f"{name} returns NaN for fresh weights; look for a NaN in the inputs, or a division by 0")


def _check_named_output(name: str, problem: Problem, apply: _Passes, x: Tensor) -> None:
    """Raises UsageError where a member of the output is named and the network returns a tensor in both modes."""
    member, given = problem.model.network.output, list[Any]()
    for train in () if member is None else (False, True):
        hook = problem.model.template(train=train).register_forward_hook(
            lambda *call: given.append(call[2]), prepend=True
        )
        apply(x, train=train)
        hook.remove()
    if given and all(isinstance(output, Tensor) for output in given):
        raise UsageError(f"{name} returns a tensor, which has no member output={member!r}; leave output= out")


def _check_alone(name: str, apply: _Passes, x: Tensor, outputs: Tensor) -> None:
    if not _close(apply(x, train=False), outputs):
        raise UsageError(
            f"{name} returns other outputs for the same examples in evaluation mode: it draws or keeps something "
            "there; dropout must ask self.training"
        )
    try:
        alone = torch.cat([apply(x[:1], train=False), apply(x[1:], train=False)])
    except UsageError as problem:
        raise UsageError(
            f"{name} takes 2 examples and not 1 in evaluation mode, where examples must not influence each other: "
            f"{problem}"
        ) from problem
    if alone.shape != outputs.shape or not _close(alone, outputs):
        raise UsageError(
            f"examples of a batch influence each other in {name} in evaluation mode: 2 together have other outputs "
            "than each by itself, so no loss of an example would mean anything; use running statistics there"
        )


def _close(one: Tensor, other: Tensor) -> bool:
    finite = other[other.isfinite()]
    scale = float(finite.abs().max()) if finite.numel() else 0.0
    return torch.allclose(one, other, rtol=0, atol=TOLERANCE * scale + 1e-6, equal_nan=True)


def _loss_name(problem: Problem) -> str:
    return str(getattr(problem.loss, "__qualname__", type(problem.loss).__qualname__))


def _check_loss(problem: Problem, outputs: Tensor, y: Tensor) -> None:
    name = _loss_name(problem)
    with blaming(f"loss {name}", always=True):
        losses = problem.loss(outputs, y)
    shape = list(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
    if shape != [len(y)]:
        raise UsageError(
            f"loss {name} returns {shape} for {len(y)} examples; it must return the loss of each, [N] "
            "(reduction='none')"
        )


def _check_single(problem: Problem, outputs: Tensor, y: Tensor) -> None:
    """Raises UsageError if the losses of several examples are not those of each by itself."""
    name = _loss_name(problem)
    with blaming(f"loss {name} of one example", always=True):
        losses = problem.loss(outputs, y)
        alone = [problem.loss(outputs[row : row + 1], y[row : row + 1]).reshape(-1) for row in range(len(y))]
    if not _close(torch.cat(alone), losses):
        raise UsageError(
            f"loss {name} of {len(y)} examples is not the loss of each by itself; it must not take a mean, a median or "
            "a number of classes from the batch (reduction='none')"
        )
