"""The network that a curvature measure works on: a copy of its own, looked at before anything is measured."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from prunescope.base.errors import UsageError
from prunescope.tasks.model import Model


class _SharedTensors(TorchFunctionMode):
    """Lets `deepcopy` take tensors over as they are."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is Tensor.__deepcopy__:
            return args[0]
        return func(*args, **(kwargs or {}))


def private_copy(model: Model) -> Model:
    """A copy whose modules nobody else fills; it can be made whatever the last pass left in the original.

    What that leaves are results with a graph, or wrappers of `torch.func`, in the places of parameters or in a
    network's own attributes. Neither can be copied, and a pass never reads the former: it fills all places anew.
    """
    plain = copy.copy(model)
    vars(plain).pop("compiled", None)  # a compiled pass of the original's own module
    with _SharedTensors():
        return copy.deepcopy(plain)


class _PlainWeightNorm(TorchFunctionMode):
    """Weight normalization by its formula: the second derivative of PyTorch's kernel takes the norm as fixed."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch._weight_norm:
            direction, length, *dim = (*args, *(kwargs or {}).values())
            return direction * (length / torch.norm_except_dim(direction, 2, *dim))
        return func(*args, **(kwargs or {}))


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Attention and weight normalization take kernels inside that have a (right) second derivative."""
    with sdpa_kernel(SDPBackend.MATH), _PlainWeightNorm():
        yield


def plain_recurrence(module: nn.Module, x: Tensor) -> Any:
    """A context in which LSTM and GRU have a backward pass in evaluation mode, and a second one; cuDNN's have not."""
    recurrent = x.is_cuda and any(isinstance(part, nn.RNNBase) for part in module.modules())
    return torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()


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
