"""Squared norms of derivatives of single examples: sums_k s_ik |J_i^T u_ik|^2, by parameter.

u_ik [C] are directions in the logits of example i, s_ik their factors; which ones is up to the measure.
"""

import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError
from prunescope.base.tree import Masks, Tree
from prunescope.measures.curvature.formulas import Call, has_formula, squares
from prunescope.measures.curvature.surface import Surface, require_separate
from prunescope.tasks.twice import twice_differentiable

GRADIENT_NUMBERS = 2**25
"""Numbers of whole derivatives held at once (128 MiB in float32)."""


class Directions(NamedTuple):
    """Directions in the logits of some examples.

    most: at most so many.
    pairs: each direction u [B, C] and its factor s [B], one after the other.
    """

    most: int
    pairs: Iterable[tuple[Tensor, Tensor]]


Along = Callable[[Tensor, Tensor], Directions]
"""Logits [B, C] and labels [B] to directions."""
Batches = Iterable[tuple[Tensor, Tensor]]


@torch.enable_grad()
def sums(surface: Surface, along: Along, batches: Batches | None = None) -> Tree:
    """The sums of every example by parameter, float64 [N], over kept entries.

    By formula if all modules have one, else from whole derivatives.
    batches: inputs and labels to take instead of the surface's sample.
    Memory: the graph of 64 examples, and for one layer at a time their unfolded inputs or derivatives.
    Raises: UsageError where examples mix.
    """
    require_separate(surface)
    masks = {name: mask for name, mask in surface.masks.items() if not bool(mask.all())}
    formula = _known(surface.module) and _agrees(surface, masks)
    parts: list[Tree] = []
    for x, y in surface.chunks() if batches is None else batches:
        part = _by_formula(surface, masks, x, y, along) if formula else None
        if part is None:  # the first chunk can differ from a later one where a network looks at its data
            part = _whole(surface, x, y, along)
        parts.append(part)
        surface.beat()
    return {name: torch.cat([part[name] for part in parts]) for name in surface.params}


def _agrees(surface: Surface, masks: Masks) -> bool:
    """Whether formulas give what whole derivatives do, for one direction and two examples.

    They do not where a weight acts outside of its module, a module's first dimension is not that of examples, or a
    hook changes what a module gives. In float64 if the network computes in it, so that rounding is no reason.
    """

    def along(logits: Tensor, _: Tensor) -> Directions:
        row = torch.linspace(1, 2, logits[0].numel(), dtype=logits.dtype, device=logits.device)
        return Directions(1, [(row.view_as(logits[0]).expand_as(logits), logits.new_ones(len(logits)))])

    for trial, tolerance in surface.trials:
        try:
            formula = _by_formula(trial, masks, trial.x, trial.y, along)
            whole = _one_by_one(trial, trial.x, trial.y, along)
        except RuntimeError:  # it does not compute in float64
            continue
        if formula is None:
            return False
        scale = torch.stack(list(whole.values())).sum()
        return all(
            bool(((formula[name] - square).abs() <= tolerance * (square + 1e-3 * scale)).all())
            for name, square in whole.items()
        )
    return False


def _known(module: nn.Module) -> bool:
    """Whether every parameter belongs to one module, and that module has a formula."""
    owners = [part for part in module.modules() if part._parameters]
    every = list(module.named_parameters(remove_duplicate=False))
    return len(every) == len(list(module.parameters())) and all(map(has_formula, owners))


def _by_formula(surface: Surface, masks: Masks, x: Tensor, y: Tensor, along: Along) -> Tree | None:
    """The sums of a chunk; None where a module ran more than once or on other than a batch, or its input changed."""
    calls, versions = _record(surface, x)
    logits, calls = calls[-1].output, calls[:-1]
    names = [call.name for call in calls]
    if len(set(names)) < len(names) or versions != [call.input._version for call in calls]:
        return None
    if any(len(call.output) != len(x) for call in calls):
        return None
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    calls = [call for call in calls if call.output.requires_grad]
    directions, remembered = along(logits.detach(), y), dict[str, Tensor]()
    for direction, factor in directions.pairs if calls and logits.requires_grad else ():
        slopes = torch.autograd.grad(
            logits, [call.output for call in calls], direction, retain_graph=True, allow_unused=True
        )
        for call, slope in zip(calls, slopes, strict=True):
            if slope is not None:
                for name, square in squares(call, slope, masks, remembered, directions.most).items():
                    if name in total:  # not of a frozen parameter
                        total[name] += factor.double() * square.double()
    return total


def _record(surface: Surface, x: Tensor) -> tuple[list[Call], list[int]]:
    """What every module with parameters saw in one pass, the whole network last, and the inputs' versions."""
    calls: list[Call] = []

    def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], dict[str, Tensor], Tensor], Tensor]:
        def hook(part: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor) -> Tensor:
            calls.append(Call(name, part, (*inputs, *named.values())[0].detach(), output))
            return output.clone()  # what comes next may work in place

        return hook

    module = surface.module
    handles = [
        part.register_forward_hook(record(name), with_kwargs=True)
        for name, part in module.named_modules()
        if part._parameters
    ]
    leaves = tree.leaves_of(surface.params)
    try:
        logits = surface.logits(leaves, x)
    finally:
        for handle in handles:
            handle.remove()
    return [*calls, Call("", module, x, logits)], [call.input._version for call in calls]


def _whole(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Tree:
    """The sums of a chunk from whole derivatives: of many examples at once, or alone where the network forbids it."""
    try:
        return _vectorized(surface, x, y, along)
    except (PrunescopeError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as problem:
        _say_slow(surface.model.network.path, str(problem).partition("\n")[0])
        return _one_by_one(surface, x, y, along)


@cache
def _say_slow(path: str, reason: str) -> None:
    """Says once a process why a measure takes its time."""
    warnings.warn(f"{path} is differentiated one example at a time, which is slow: {reason}", stacklevel=2)


def _vectorized(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Tree:
    """As many examples at once as GRADIENT_NUMBERS permits. Raises what `torch.func` does where it cannot."""

    def pulled(params: Tree, example: Tensor, direction: Tensor) -> Tensor:
        return (surface.logits(params, example.unsqueeze(0)).squeeze(0) * direction).sum()

    derivative = torch.func.vmap(torch.func.grad(pulled), in_dims=(None, 0, 0))
    with torch.no_grad():
        logits = surface.logits(surface.params, x)
    size = max(1, GRADIENT_NUMBERS // tree.size(surface.params))
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    for direction, factor in along(logits, y).pairs:
        for rows in torch.split(torch.arange(len(x), device=x.device), size):
            with twice_differentiable(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")
                slopes = derivative(surface.params, x[rows], direction[rows])
            for name, leaf in tree.masked(slopes, surface.masks).items():
                square = leaf.flatten(1).square().sum(1).double()
                total[name][rows] += factor[rows].double() * square
    return total


def _one_by_one(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Tree:
    """One example after the other, by `torch.autograd`."""
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    leaves = tree.leaves_of(surface.params)
    shape = (1, *surface.outputs)  # asked for before, as it takes a pass with other tensors
    for row in range(len(x)):
        logits = surface.logits(leaves, x[row : row + 1]).reshape(shape)
        directions = along(logits.detach(), y[row : row + 1])
        for direction, factor in directions.pairs if logits.requires_grad else ():
            slopes = torch.autograd.grad(logits, list(leaves.values()), direction, retain_graph=True, allow_unused=True)
            slope = {name: leaf.to_dense() for name, leaf in zip(leaves, slopes, strict=True) if leaf is not None}
            for name, leaf in tree.masked(slope, surface.masks).items():
                total[name][row] += factor[0].double() * leaf.square().sum().double()
    return total
