"""Networks that are differentiated twice: kernels that have a right second derivative."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from prunescope.base.errors import UsageError
from prunescope.tasks.model import Model


class _Replacing(TorchFunctionMode):
    """Calls other functions in the place of some of PyTorch's."""

    def __init__(self, functions: dict[Any, Callable[..., Any]]) -> None:
        super().__init__()
        self.functions = functions

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.functions.get(func, func)(*args, **(kwargs or {}))


def _weight_norm(direction: Tensor, length: Tensor, dim: int = 0) -> Tensor:
    """By its formula: the second derivative of PyTorch's kernel takes the norm as fixed."""
    return direction * (length / torch.norm_except_dim(direction, 2, dim))


def _hard_sigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """By its formula: PyTorch's kernel has no second derivative."""
    result = nn.functional.relu6(input + 3.0) / 6.0
    return input.copy_(result) if inplace else result


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Attention, weight normalization and hard sigmoids are computed by what has a (right) second derivative."""
    formulas: dict[Any, Callable[..., Any]] = {
        torch._weight_norm: _weight_norm,
        nn.functional.hardsigmoid: _hard_sigmoid,
    }
    with sdpa_kernel(SDPBackend.MATH), _Replacing(formulas):
        yield


@contextmanager
def explained(model: Model) -> Iterator[None]:
    """Turns PyTorch's refusal to differentiate twice into a UsageError."""
    try:
        yield
    except RuntimeError as problem:
        text = str(problem)
        if not any(word in text for word in ("derivative for", "differentiate twice", "double backward")):
            raise
        raise UsageError(
            f"{model.network.path} has no second derivative in PyTorch ({text.splitlines()[0]}); GradientTrace and "
            "AdaptiveSharpness need first derivatives only, or replace that operation"
        ) from problem
