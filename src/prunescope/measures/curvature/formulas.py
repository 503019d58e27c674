"""Squared norms of one layer's derivatives of single examples, from what it got and what came back to it.

For a linear layer with input a and output slope d the derivative is d a^T and its squared norm |d|^2 |a|^2. For a
convolution it is D A^T over positions, with A the unfolded input; its squared norm is sum(D^T D * A^T A) where
positions are few, and from D A^T itself where they are many.
Source: Goodfellow 2015 (arXiv 1510.01799) for linear layers; the sum over positions is the same identity.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from prunescope.base.tree import Masks, Tree

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


def has_formula(part: nn.Module) -> bool:
    """Whether a layer with parameters is one of these."""
    if type(part) is nn.Conv2d:
        return part.groups == 1 and part.padding_mode == "zeros" and not isinstance(part.padding, str)
    return type(part) is nn.Linear or type(part) in BATCHNORM


def squares(call: Call, slope: Tensor, masks: Masks, remembered: dict[str, Tensor], times: int) -> Tree:
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


def _named(prefix: str, square: Tensor, bias: Tensor, module: nn.Module, masks: Masks) -> Tree:
    """The squares of a weight, and of the bias with derivatives [B, O] if there is one."""
    squares = {f"{prefix}weight": square}
    if module._parameters.get("bias") is not None:
        squares[f"{prefix}bias"] = _square(bias, masks.get(f"{prefix}bias"))
    return squares


def _square(derivative: Tensor, mask: Tensor | None) -> Tensor:
    return (derivative if mask is None else derivative * mask).flatten(1).square().sum(1)


def _batchnorm(call: Call, slope: Tensor, prefix: str, masks: Masks) -> Tree:
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
