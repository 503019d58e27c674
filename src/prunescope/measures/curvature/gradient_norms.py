"""Squared norms of derivatives of single examples, without holding those derivatives.

Belongs here: sums_k s_ik |J_i^T u_ik|^2, for directions u_ik [C] in the logits of example i, by parameter. Does not
belong here: which directions a measure needs.

For a linear layer with input a and output slope d the derivative is d a^T and its squared norm |d|^2 |a|^2. For a
convolution it is D A^T over positions, with A the unfolded input; its squared norm is sum(D^T D * A^T A) where
positions are few, and from D A^T itself where they are many.
Source: Goodfellow 2015 (arXiv 1510.01799) for linear layers; the sum over positions is the same identity.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError
from prunescope.base.tree import Masks, Tree
from prunescope.measures.curvature.network import twice_differentiable
from prunescope.measures.curvature.surface import Surface, require_separate

GRADIENT_NUMBERS = 2**25
"""Numbers of whole derivatives held at once (128 MiB in float32) where a layer has no formula."""


class Directions(NamedTuple):
    """Directions in the logits of some examples.

    count: how many there are, at most.
    pairs: each direction u [B, C] and its factor s [B], one after the other.
    """

    count: int
    pairs: Iterable[tuple[Tensor, Tensor]]


Along = Callable[[Tensor, Tensor], Directions]
"""Logits [B, C] and labels [B] to directions."""
Batches = Iterable[tuple[Tensor, Tensor]]
Sums = dict[str, Tensor]
"""By parameter, float64 [N]: one sum an example, over kept entries."""
BATCHNORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Call(NamedTuple):
    """What a module with parameters got and gave.

    name: the module's, in the network.
    module: itself.
    input, output: [B, ...].
    """

    name: str
    module: nn.Module
    input: Tensor
    output: Tensor


@torch.enable_grad()
def sums(surface: Surface, along: Along, batches: Batches | None = None) -> Sums:
    """The sums for every example and parameter, by formula if all modules have one, else derivative by derivative.

    batches: inputs and labels to take instead of the surface's sample.
    Memory: the graph of 64 examples, and for one layer at a time their unfolded inputs or derivatives.
    Raises: UsageError where examples mix.
    """
    require_separate(surface)
    masks = {name: mask for name, mask in surface.masks.items() if not bool(mask.all())}
    formula = _known(surface.module) and _agrees(surface, masks)
    parts: list[Sums] = []
    for x, y in surface.chunks() if batches is None else batches:
        part = _by_formula(surface, masks, x, y, along) if formula else None
        if part is None:  # the first chunk can differ from a later one where a network looks at its data
            part = _whole(surface, x, y, along)
        parts.append(part)
    return {name: torch.cat([part[name] for part in parts]) for name in surface.params}


def _agrees(surface: Surface, masks: Masks) -> bool:
    """Whether formulas give what whole derivatives do, for one direction and two examples.

    They do not where a weight acts outside of its module, a module's first dimension is not that of examples, or a
    hook changes what a module gives. In float64 if the network computes in it, so that rounding is no reason.
    """

    def along(logits: Tensor, _: Tensor) -> Directions:
        row = torch.linspace(1, 2, logits[0].numel(), dtype=logits.dtype, device=logits.device)
        return Directions(1, [(row.view_as(logits[0]).expand_as(logits), logits.new_ones(len(logits)))])

    double = {name: leaf.double() for name, leaf in surface.params.items()}
    buffers = {n: leaf.double() if leaf.is_floating_point() else leaf for n, leaf in surface.buffers.items()}
    x = surface.x[:2]
    exact = replace(surface, params=double, buffers=buffers, x=x.double() if x.is_floating_point() else x)
    for trial, tolerance in ((exact, 1e-6), (surface, 1e-2)):
        try:
            formula = _by_formula(trial, masks, trial.x[:2], trial.y[:2], along)
            whole = _alone(trial, trial.x[:2], trial.y[:2], along)
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
    return len(every) == len(list(module.parameters())) and all(map(_has_formula, owners))


def _has_formula(part: nn.Module) -> bool:
    if type(part) is nn.Conv2d:
        return part.groups == 1 and part.padding_mode == "zeros" and not isinstance(part.padding, str)
    return type(part) is nn.Linear or type(part) in BATCHNORM


def _by_formula(surface: Surface, masks: Masks, x: Tensor, y: Tensor, along: Along) -> Sums | None:
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
                for name, square in _squares(call, slope, masks, remembered, directions.count).items():
                    total[name] += factor.double() * square.double()
    return total


def _record(surface: Surface, x: Tensor) -> tuple[list[Call], list[int]]:
    """What every module with parameters saw in one pass, the whole network last, and the inputs' versions."""
    calls: list[Call] = []

    def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], dict[str, Tensor], Tensor], Tensor]:
        def hook(
            part: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor
        ) -> Tensor:
            calls.append(Call(name, part, (*inputs, *named.values())[0].detach(), output))
            return output.clone()  # what comes next may work in place

        return hook

    module = surface.module
    handles = [
        part.register_forward_hook(record(name), with_kwargs=True)
        for name, part in module.named_modules()
        if part._parameters
    ]
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in surface.params.items()}
    try:
        logits = surface.logits(leaves, x)
    finally:
        for handle in handles:
            handle.remove()
    return [*calls, Call("", module, x, logits)], [call.input._version for call in calls]


def _squares(call: Call, slope: Tensor, masks: Masks, remembered: dict[str, Tensor], times: int) -> Sums:
    """Squared norms [B] of one module's derivatives, by parameter; times: how often this is asked of one input."""
    prefix = f"{call.name}." if call.name else ""
    mask = masks.get(f"{prefix}weight")
    rows, columns = slope, call.input
    if isinstance(call.module, nn.Linear):
        if slope.ndim == 2:
            square = _outer(slope.square(), columns.square(), mask)
            return _named(prefix, square, slope, call.module, masks)
        rows, columns = slope.flatten(1, -2).mT, call.input.flatten(1, -2).mT
        square = _summed_outer(rows, columns, mask, call.name, remembered, times)
        return _named(prefix, square, rows.sum(2), call.module, masks)
    if isinstance(call.module, nn.Conv2d):
        rows = slope.flatten(2)
        if call.name in remembered and _few(rows, call.module.weight[0].numel(), times) and mask is None:
            columns = rows.new_empty(0)  # its products are remembered
        else:
            m = call.module
            columns = F.unfold(columns, m.kernel_size, m.dilation, m.padding, m.stride)  # type: ignore[arg-type]
        flat = None if mask is None else mask.flatten(1)
        square = _summed_outer(rows, columns, flat, call.name, remembered, times)
        return _named(prefix, square, rows.sum(2), call.module, masks)
    return _batchnorm(call, slope, prefix, masks)


def _outer(rows: Tensor, columns: Tensor, mask: Tensor | None) -> Tensor:
    """sum_oi mask_oi rows_bo columns_bi of squares [B, O], [B, I]."""
    if mask is None:
        return rows.sum(1) * columns.sum(1)
    return ((rows @ mask.to(rows.dtype)) * columns).sum(1)


def _few(rows: Tensor, inputs: int, times: int) -> bool:
    """Whether products over positions take less work than the derivative: L^2 (O + I / times) against O I L."""
    outputs, positions = rows.shape[1:]
    return bool(positions * (outputs + inputs / times) < outputs * inputs)


def _summed_outer(
    rows: Tensor, columns: Tensor, mask: Tensor | None, key: str, remembered: dict[str, Tensor], times: int
) -> Tensor:
    """|sum_l rows_bol columns_bil|^2 over kept (o, i), [B]; rows [B, O, L], columns [B, I, L]."""
    if mask is None and (key in remembered or _few(rows, columns.shape[1], times)):
        if key not in remembered:
            remembered[key] = columns.mT @ columns
        return ((rows.mT @ rows) * remembered[key]).sum((1, 2))
    derivative = rows @ columns.mT
    if mask is not None:
        derivative = derivative * mask
    return derivative.flatten(1).square().sum(1)


def _named(prefix: str, square: Tensor, bias: Tensor, module: nn.Module, masks: Masks) -> Sums:
    """The squares of a weight, and of the bias with derivatives [B, O] if there is one."""
    found = {f"{prefix}weight": square}
    if module._parameters.get("bias") is not None:
        found[f"{prefix}bias"] = _square(bias, masks.get(f"{prefix}bias"))
    return found


def _square(derivative: Tensor, mask: Tensor | None) -> Tensor:
    return (derivative if mask is None else derivative * mask).flatten(1).square().sum(1)


def _batchnorm(call: Call, slope: Tensor, prefix: str, masks: Masks) -> Sums:
    """Squares for scale and shift of a normalization by running statistics."""
    buffers, shape = call.module._buffers, (1, -1) + (1,) * (slope.ndim - 2)
    mean, var = buffers["running_mean"], buffers["running_var"]
    assert mean is not None and var is not None and isinstance(call.module, BATCHNORM)
    scaled = (call.input - mean.view(shape)) * (var + call.module.eps).rsqrt().view(shape)
    weight = (slope * scaled).flatten(2).sum(2) if slope.ndim > 2 else slope * scaled
    bias = slope.flatten(2).sum(2) if slope.ndim > 2 else slope
    return {
        f"{prefix}weight": _square(weight, masks.get(f"{prefix}weight")),
        f"{prefix}bias": _square(bias, masks.get(f"{prefix}bias")),
    }


def _whole(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Sums:
    """The sums of a chunk from whole derivatives: of many examples at once, or alone where the network forbids it."""
    try:
        return _vectorized(surface, x, y, along)
    except (PrunescopeError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as problem:
        _say_slow(surface.model.network.path, str(problem).partition("\n")[0])
        return _alone(surface, x, y, along)


@cache
def _say_slow(path: str, reason: str) -> None:
    """Says once a process why a measure takes its time."""
    warnings.warn(f"{path} is differentiated one example at a time, which is slow: {reason}", stacklevel=2)


def _vectorized(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Sums:
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
                warnings.filterwarnings("error", "There is a performance drop")
                slopes = derivative(surface.params, x[rows], direction[rows])
            for name, leaf in tree.masked(slopes, surface.masks).items():
                square = leaf.flatten(1).square().sum(1).double()
                total[name][rows] += factor[rows].double() * square
    return total


def _alone(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Sums:
    """One example after the other, by `torch.autograd`."""
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in surface.params.items()}
    for row in range(len(x)):
        logits = surface.logits(leaves, x[row : row + 1]).reshape(1, *surface.outputs)
        for direction, factor in along(logits.detach(), y[row : row + 1]).pairs if logits.requires_grad else ():
            slopes = torch.autograd.grad(
                logits, list(leaves.values()), direction, retain_graph=True, allow_unused=True
            )
            slope = {
                name: leaf.to_dense() for name, leaf in zip(leaves, slopes, strict=True) if leaf is not None
            }
            for name, leaf in tree.masked(slope, surface.masks).items():
                total[name][row] += factor[0].double() * leaf.square().sum().double()
    return total
