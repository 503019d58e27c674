"""A linear layer that computes with its kept weights only, and to rounding the same as `torch.nn.Linear`.

It has a parameter `weight` and perhaps a `bias`, as the layer in whose place it stands. Outputs are views of memory
in which examples are columns; what works element by element keeps it so, and the next layer gets it without a copy.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from prunescope.tasks.kernels import products
from prunescope.tasks.kernels.products import Pattern


class SparseLinear(nn.Module):
    """X W^T + b over the weights that are kept; `weight` holds their values only, [nnz]."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, pattern: Pattern) -> None:
        super().__init__()
        self.pattern = pattern
        # Tensors become its parameters whatever they are: those of a module in use are no `nn.Parameter`.
        tensors = {"weight": pattern.pack(layer.weight.detach()), "bias": layer.bias}
        self._parameters.update(tensors)  # type: ignore[arg-type]

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
