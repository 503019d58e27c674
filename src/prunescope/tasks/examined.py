"""What a network and data must not show with a few examples, each with one message and the fix.

Belongs here: single checks. Does not belong here: those of a loss (`examined_losses.py`), their order, and what is
unusual but right (`inspection.py`).
"""

import re
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from prunescope.base.blame import blaming
from prunescope.base.code import value_digest
from prunescope.base.errors import UsageError, UserCodeError
from prunescope.base.state import Weights
from prunescope.base.tree import Tree, leaves_of
from prunescope.tasks.functional import close, fill, places_of
from prunescope.tasks.model import Model
from prunescope.tasks.targets import Classes
from prunescope.tasks.task import Problem, Split

TOLERANCE = 1e-3
"""Relative to the largest output; examples that influence each other differ by more, rounding by less."""
MOST_NUMBERS, MOST_TOKENS = 2**24, 64
"""Tokens of up to so many numbers are looked at for the largest, of which so many examples try the tables' sizes."""
NAMES = 4
"""Most names in a sentence."""
nearly = partial(close, tolerance=TOLERANCE, least=1e-6)
"""Whether outputs or losses are equal but for rounding."""
_MOVES = {"View", "UnsafeView", "ReshapeAlias", "Alias", "Clone", "ToCopy", "T", "Transpose", "Permute"}
_MOVES |= {"Squeeze", "Unsqueeze", "Expand", "Select", "Slice", "Index", "Clamp", "ClampMin", "ClampMax"}
_OF_EVERY_MODULE = vars(nn.Module()).keys()


def some(names: tuple[str, ...]) -> str:
    """At most `NAMES` names, and how many more there are."""
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def plain_attributes(module: nn.Module) -> dict[str, str]:
    """Digests of what the layers of a module keep beside parameters, buffers and one another, by name."""
    layers = list(module.modules())
    return {
        f"{path}.{key}".removeprefix("."): value_digest(value, layers)
        for path, layer in module.named_modules()
        for key, value in vars(layer).items()
        if key not in _OF_EVERY_MODULE
    }


def check_pure(name: str, apply: "Passes", x: Tensor, training: Tensor, weights: tuple[Weights, Weights]) -> None:
    """Raises UsageError where passes change what they are given, or draw from something that has no seed here."""
    now, before = ({**state.params, **state.buffers} for state in weights)
    if changed := [key for key, leaf in before.items() if not torch.equal(leaf, now[key])]:
        raise UsageError(
            f"{name} changes its own parameters or, in evaluation mode, buffers in a pass ({some(tuple(changed))}); "
            "leave parameters to the optimizer (an Embedding without max_norm), and buffers alone unless self.training"
        )
    if not nearly(apply(x, train=True), training):
        raise UsageError(
            f"{name} returns other outputs for the same examples and seed in training mode: it draws from another "
            "generator than torch's default one (random, numpy), or it changes a plain attribute, and no run could be "
            "made again; draw by torch, and keep what changes in a buffer (register_buffer)"
        )


class _Unread:
    """Stands for what the pass before left behind; whoever looks at it fails."""

    def __bool__(self) -> bool:
        raise TypeError("a pass looks at what the one before left")

    __len__, __iter__, __hash__ = __bool__, __bool__, None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return bool(self)


def check_forgets(name: str, apply: "Passes", x: Tensor, outputs: dict[bool, Tensor]) -> None:
    """Raises UsageError for attributes that passes change and look at: no stored state has them, nor what is evaluated.

    outputs: of x in training mode and in evaluation mode. What is only written, such as attention to be looked at
    later, may be anything, and what the first pass leaves for good, such as positions, stays.
    """
    changed = dict[str, None]()
    for train in outputs:
        module = apply.model.template(train=train)
        before = plain_attributes(module)
        apply(x[[0, 0]], train=train)
        after = plain_attributes(module)
        changed |= dict.fromkeys(key for key in before if before[key] != after.get(key))
    for train, known in outputs.items():
        layers = dict(apply.model.template(train=train).named_modules())
        places = [(layers[path].__dict__, key) for path, _, key in (entry.rpartition(".") for entry in changed)]
        backups = [dict(held) for held, _ in places]
        for held, key in places:
            held[key] = tree_map(lambda _: _Unread(), held.get(key))
        try:
            kept = not nearly(apply(x, train=train), known)
        except UsageError:
            kept = True
        for (held, _), left in zip(places, backups, strict=True):
            held.clear()
            held.update(left)
        if kept:
            raise UsageError(
                f"every pass of {name} changes {some(tuple(changed))}, which no stored state has, and looks at it: "
                "keep what changes in a buffer (register_buffer), or leave it out"
            )


def check_first(name: str, problem: Problem, weights: Weights, x: Tensor, outputs: dict[bool, Tensor]) -> None:
    """Raises UsageError where what the first pass leaves for good depends on its examples. outputs: as above."""
    fresh = Passes(problem, weights, name, problem.model.copy())
    for train, known in outputs.items():
        fresh(x[[0, 0]], train=train)
        if not nearly(fresh(x, train=train), known):
            raise UsageError(
                f"the first pass of {name} in {'training' if train else 'evaluation'} mode leaves something of its "
                "examples in the module, which no stored state has: make a buffer of it in __init__ (register_buffer), "
                "and set it in training, or compute it before from the data"
            )


def check_whole(name: str, problem: Problem, weights: Weights, x: Tensor, outputs: Tensor) -> None:
    """Raises UsageError where parameters and buffers are not all that a network computes with."""
    network = problem.model.network
    if network.given is not None:
        return
    torch.default_generator.manual_seed(2**40 - 87)  # no seed that the first one may have been built under
    again = network.build(problem.model.example).eval()
    fill(places_of(again), {**weights.params, **weights.buffers})
    if not nearly(again(x), outputs):
        raise UsageError(
            f"{name} computes with random numbers that are neither its parameters nor its buffers, so that no run "
            "could be made again: make tensors buffers (register_buffer), and hold layers in nn.ModuleList or "
            "nn.ModuleDict, not in a list or a dictionary"
        )


def largest_tokens(problem: Problem, split: Split) -> Tensor:
    """Inputs of the examples with the largest number of each column of whole numbers, [B, F]; none of large data."""
    sizes = [(part.numbers == "int", prod(part.shape)) for part in getattr(problem.model.network.layout, "parts", ())]
    columns = torch.tensor([whole for whole, size in sizes for _ in range(size)], dtype=torch.bool)
    if not columns.any() or len(split) * len(columns) > MOST_NUMBERS:
        return torch.empty(0)
    x = split.inputs.take(split.index)
    rows = sorted(set(x[:, columns.to(x.device)].argmax(0).tolist()))
    return x[rows[:MOST_TOKENS]]


def check_registered(name: str, losses: Tensor, leaves: Tree) -> None:
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


class Passes:
    """Passes of a network, whose errors name the place in the user's code."""

    def __init__(self, problem: Problem, weights: Weights, name: str, model: Model | None = None) -> None:
        self.model, self._weights, self._name = model or problem.model, weights, name

    def __call__(self, x: Tensor, *, train: bool) -> Tensor:
        """The outputs. Raises UserCodeError, with the user's line."""
        layout = self.model.network.layout
        shape = list(x.shape) if layout is None else layout.described
        try:
            with blaming(f"{self._name} on inputs {shape}", always=True):
                return self.model.apply(self._weights.params, self._weights.buffers, x, train=train)[0]
        except UserCodeError as problem:
            if layout is None or "Long" not in str(problem):
                raise
            raise UserCodeError(f"{problem}; whole numbers are given as tokens: make features x.float()") from None


def check_numbers(name: str, weights: Weights) -> None:
    """Raises UsageError for parameters that are not float32, or not finite."""
    for key, leaf in weights.params.items():
        if leaf.dtype != torch.float32:
            raise UsageError(
                f"{key} of {name} is {str(leaf.dtype).removeprefix('torch.')}; parameters must be float32: call "
                ".float() on the module (precision='bfloat16' of a recipe trains with shorter numbers)"
            )
        if not bool(leaf.isfinite().all()):
            raise UsageError(f"{key} of {name} has NaN or infinite entries before any training; give finite ones")


def check_outputs(name: str, outputs: Tensor, problem: Problem) -> None:
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


def check_logits(name: str, problem: Problem, weights: Weights, x: Tensor) -> None:
    """Raises UsageError where outputs are probabilities already, which would be read as logits."""
    squashed, leaves = problem.target.squashed, leaves_of(weights.params)
    for train in (False, True) if squashed else ():
        with torch.enable_grad():
            outputs, _ = problem.model.apply(leaves, weights.buffers, x, train=train)
        made = "Softmax" if squashed == "Softmax" and _sum_to_one(outputs.detach()) else _last_operation(outputs)
        if made in ("Softmax", "Sigmoid"):
            raise UsageError(
                f"{name} returns probabilities in {'training' if train else 'evaluation'} mode, and loss and answers "
                f"are read from logits: leave {made.lower()} out of forward(), or wrap a network that has it and "
                f"return {'their logarithm' if made == 'Softmax' else 'torch.logit of them'}"
            )


def _sum_to_one(outputs: Tensor) -> bool:
    """Whether every row [C] is of numbers from 0 whose sum is 1."""
    if outputs.ndim != 2 or bool((outputs < 0).any()):
        return False
    return torch.allclose(total := outputs.sum(1), torch.ones_like(total), atol=1e-5)


def _last_operation(outputs: Tensor) -> str:
    """What made the values of a tensor, as autograd names it; what only moves or bounds them is passed over."""
    node, name = outputs.grad_fn, ""
    while node is not None:
        name = re.sub(r"Backward\d*$", "", type(node).__name__)
        if name not in _MOVES:
            break
        node = node.next_functions[0][0]
    return name


def check_named_output(name: str, problem: Problem, apply: Passes, x: Tensor) -> None:
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


def check_alone(name: str, apply: Passes, x: Tensor, outputs: Tensor) -> None:
    """Raises UsageError where examples influence each other in evaluation mode, or outputs are drawn."""
    given = x.clone()
    again = apply(x, train=False)
    if not torch.equal(x, given):
        raise UsageError(f"{name} changes its inputs in place; make new ones in forward(): x = x - 1, not x -= 1")
    if not nearly(again, outputs):
        raise UsageError(
            f"{name} returns other outputs for the same examples in evaluation mode: it draws or keeps something "
            "there; dropout must ask self.training"
        )
    try:
        alone = torch.cat([apply(row, train=False) for row in torch.split(x, 1)])
    except UsageError as problem:
        raise UsageError(
            f"{name} takes {len(x)} examples and not 1 in evaluation mode, where examples must not influence each "
            f"other: {problem}"
        ) from problem
    if alone.shape != outputs.shape:
        raise UsageError(
            f"{name} returns {list(outputs.shape)} for {len(x)} examples and no row for 1: squeeze(1), never squeeze()"
        )
    if not nearly(alone, outputs):
        raise UsageError(
            f"examples of a batch influence each other in {name} in evaluation mode: {len(x)} together have other "
            "outputs than each by itself, so no loss of an example would mean anything; use running statistics there, "
            "and mask what is padded"
        )
