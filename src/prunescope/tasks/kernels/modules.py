"""Linear layers that compute in other ways than `torch.nn.Linear`, and to rounding the same.

Belongs here: the modules and their gradients. Does not belong here: which layer gets which (`tailored.py`).

Each has a parameter `weight` and perhaps a `bias`, as the layer in whose place it stands. Outputs are views of memory
in which examples are columns; what works element by element keeps it so, and the next layer gets it without a copy.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from prunescope.tasks.kernels import products
from prunescope.tasks.kernels.products import Pattern


def _take(module: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    """Makes tensors its parameters, whatever they are: those of a module in use are no `nn.Parameter`."""
    module._parameters.update({"weight": weight, "bias": bias})  # type: ignore[dict-item]


class ColumnLinear(nn.Module):
    """X W^T + b as (W X^T + b)^T."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        _take(self, layer.weight, layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., out] of inputs [..., in]."""
        columns = x.reshape(-1, x.shape[-1]).t()
        y = self.weight @ columns
        if self.bias is not None:
            y = y + self.bias.unsqueeze(1)
        return y.t().reshape(*x.shape[:-1], len(y))


class OneDnnLinear(nn.Module):
    """X W^T + b by oneDNN, which is much faster than MKL on some processors."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        _take(self, layer.weight, layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., out] of inputs [..., in]."""
        y: Tensor = _OneDnn.apply(  # type: ignore[no-untyped-call]
            x.reshape(-1, x.shape[-1]), self.weight, self.bias
        )
        return y.reshape(*x.shape[:-1], y.shape[-1])


class SparseLinear(nn.Module):
    """X W^T + b over the weights that are kept; `weight` holds their values only, [nnz]."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, pattern: Pattern) -> None:
        super().__init__()
        self.pattern = pattern
        _take(self, pattern.pack(layer.weight.detach()), layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., out] of inputs [..., in]."""
        y: Tensor = _Sparse.apply(  # type: ignore[no-untyped-call]
            x.reshape(-1, x.shape[-1]), self.weight, self.bias, self.pattern
        )
        return y.reshape(*x.shape[:-1], y.shape[-1])


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, pattern: Pattern) -> Tensor:
        columns = x.t().contiguous()
        ctx.save_for_backward(columns, values)
        ctx.pattern, ctx.biased = pattern, bias is not None
        return products.forward(pattern, values, columns, bias).t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        columns, values = ctx.saved_tensors
        g = gradient.t().contiguous()
        slope, bias = products.weight_gradient(ctx.pattern, g, columns)
        inputs = None
        if ctx.needs_input_grad[0]:
            inputs = products.input_gradient(ctx.pattern, values, g).t()
        return inputs, slope, bias if ctx.biased else None, None


class _OneDnn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        slope = onednn(gradient.t(), x.t())
        inputs = onednn(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        return inputs, slope, gradient.sum(0) if ctx.biased else None


def onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """X W^T + b by oneDNN, [B, out], on a CPU without gradients."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


def has_onednn() -> bool:
    """Whether this torch has oneDNN's product; it is a private operator."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(there) and hasattr(torch.ops.mkldnn, "_linear_pointwise")
