"""Squared norms of derivatives of single examples, without holding those derivatives.

Belongs here: sums_k s_ik |J_i^T u_ik|^2, for directions u_ik [C] in the logits of example i, by parameter. Does not
belong here: which directions a measure needs.

For a linear layer with input a and output slope d the derivative is d a^T and its squared norm |d|^2 |a|^2. For a
convolution it is D A^T over positions, with A the unfolded input; its squared norm is sum(D^T D * A^T A) where
positions are few, and from D A^T itself where they are many.
Source: Goodfellow 2015 (arXiv 1510.01799) for linear layers; the sum over positions is the same identity.
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunescope.base import tree
from prunescope.base.tree import Masks, Tree
from prunescope.measures.curvature.surface import Surface, require_separate
from prunescope.tasks.functional import fill, places_of

GRADIENT_NUMBERS = 2**25
"""Numbers of whole derivatives held at once (128 MiB in float32) where a layer has no formula."""

Directions = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Logits [B, C] and labels [B] to directions u [K, B, C] and their factors s [K, B]."""
Sums = dict[str, Tensor]
"""By parameter, float64 [N]: one sum an example, over kept entries."""
BATCHNORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Call(NamedTuple):
    """What a module with parameters got and gave: input [B, ...], output [B, ...]."""

    name: str
    module: nn.Module
    input: Tensor
    output: Tensor


@torch.enable_grad()
def sums(surface: Surface, directions: Directions) -> Sums:
    """The sums for every example and parameter, by formula if all modules have one, else derivative by derivative.

    Memory: the graph of 64 examples, and for one layer at a time their unfolded inputs or derivatives.
    Raises: UsageError for normalization without running statistics.
    """
    module = copy.deepcopy(surface.model.template(train=False))
    require_separate(module)
    masks = {name: mask for name, mask in surface.masks.items() if not bool(mask.all())}
    chunk = (lambda x, y: _by_formula(surface, module, masks, x, y, directions)) if _known(module) else None
    parts: list[Sums] = []
    for x, y in surface.chunks():
        found = chunk(x, y) if chunk else None
        if found is None:  # a module that ran twice is only noticed now
            chunk = None
            found = _one_by_one(surface, x, y, directions)
        parts.append(found)
    return {name: torch.cat([part[name] for part in parts]) for name in surface.params}


def _known(module: nn.Module) -> bool:
    """Whether every parameter belongs to one module, and that module has a formula."""
    owners = [part for part in module.modules() if part._parameters]
    every = list(module.named_parameters(remove_duplicate=False))
    return len(every) == len(list(module.parameters())) and all(map(_has_formula, owners))


def _has_formula(part: nn.Module) -> bool:
    if type(part) is nn.Conv2d:
        return part.groups == 1 and part.padding_mode == "zeros" and not isinstance(part.padding, str)
    return type(part) is nn.Linear or type(part) in BATCHNORM


def _by_formula(
    surface: Surface, module: nn.Module, masks: Masks, x: Tensor, y: Tensor, directions: Directions
) -> Sums | None:
    """The sums of a chunk; None where a module ran more than once, or its input was overwritten."""
    calls, versions = _record(surface, module, x)
    logits, calls = calls[-1].output, calls[:-1]
    names = [call.name for call in calls]
    if len(set(names)) < len(names) or versions != [call.input._version for call in calls]:
        return None
    along, factors = directions(logits.detach(), y)
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    remembered: dict[str, Tensor] = {}
    for direction, factor in zip(along, factors.double(), strict=True):
        slopes = torch.autograd.grad(
            logits, [call.output for call in calls], direction, retain_graph=True, allow_unused=True
        )
        for call, slope in zip(calls, slopes, strict=True):
            if slope is not None:
                for name, square in _squares(call, slope, masks, remembered, len(along)).items():
                    if name in total:  # not of a frozen parameter
                        total[name] += factor * square.double()
    return total


def _record(surface: Surface, module: nn.Module, x: Tensor) -> tuple[list[Call], list[int]]:
    """What every module with parameters saw in one pass, the whole network last, and the inputs' versions."""
    calls: list[Call] = []

    def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def hook(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            calls.append(Call(name, part, inputs[0].detach(), output))
            return output.clone()  # what comes next may work in place

        return hook

    handles = [
        part.register_forward_hook(record(name)) for name, part in module.named_modules() if part._parameters
    ]
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in surface.params.items()}
    fill(places_of(module), {**leaves, **surface.buffers})
    logits = module(x)
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


def _one_by_one(surface: Surface, x: Tensor, y: Tensor, directions: Directions) -> Sums:
    """The sums of a chunk from whole derivatives, as many examples at once as GRADIENT_NUMBERS permits."""

    def pulled(params: Tree, example: Tensor, direction: Tensor) -> Tensor:
        return (surface.logits(params, example.unsqueeze(0)).squeeze(0) * direction).sum()

    derivative = torch.func.vmap(torch.func.grad(pulled), in_dims=(None, 0, 0))
    with torch.no_grad():
        logits = surface.logits(surface.params, x)
    along, factors = directions(logits, y)
    size = max(1, GRADIENT_NUMBERS // tree.size(surface.params))
    parts = []
    for rows in torch.split(torch.arange(len(x), device=x.device), size):
        total = {name: factors.new_zeros(len(rows), dtype=torch.float64) for name in surface.params}
        for direction, factor in zip(along, factors, strict=True):
            found = tree.masked(derivative(surface.params, x[rows], direction[rows]), surface.masks)
            for name, leaf in found.items():
                total[name] += factor[rows].double() * leaf.flatten(1).square().sum(1).double()
        parts.append(total)
    return {name: torch.cat([part[name] for part in parts]) for name in surface.params}
