"""Updates of optimizers in one pass over memory, by torch's fused kernels.

Equal to the rules to rounding. torch's kernels know no masks: a removed weight's gradient is taken out before, its step
after. They run through memory from end to end, so tensors of one parameter must lie in the same order.
"""

import torch
from torch import Tensor

from prunescope.base.tree import Tree


def possible(params: Tree, moments: list[Tree]) -> bool:
    """Whether torch's kernels can do this update: floats on a CPU, moments in the same order."""
    return all(
        param.device.type == "cpu"
        and param.dtype in (torch.float32, torch.float64)
        and all(leaves[name].stride() == param.stride() for leaves in moments)
        for name, param in params.items()
    )


def sgd_(
    grads: Tree,
    momenta: Tree | None,
    params: Tree,
    *,
    keep: Tree,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """One step of `SGD`, changing momenta and params."""
    torch._fused_sgd_(
        list(params.values()),
        _slopes(grads, params, keep),
        [] if momenta is None else [momenta[name] for name in params],
        weight_decay=weight_decay,
        momentum=momentum,
        lr=lr,
        dampening=0.0,
        nesterov=nesterov,
        maximize=False,
        is_first_step=False,
    )
    _remove(params, keep)


def adam_(
    grads: Tree,
    moments: tuple[Tree, Tree],
    count: Tensor,
    params: Tree,
    *,
    keep: Tree,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """One step of `Adam`, or of `AdamW` where decay is decoupled, changing moments and params.

    moments: first and second. count: int64, of steps, this one included.
    """
    first, second = ([leaves[name] for name in params] for leaves in moments)
    update = torch._fused_adamw_ if decoupled else torch._fused_adam_
    update(
        list(params.values()),
        _slopes(grads, params, keep),
        first,
        second,
        [],
        [count.float()] * len(params),
        lr=lr,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=weight_decay,
        eps=eps,
        amsgrad=False,
        maximize=False,
    )
    _remove(params, keep)


def _slopes(grads: Tree, params: Tree, keep: Tree) -> list[Tensor]:
    """Gradients of what is kept, in the order in which the parameters lie in memory."""
    slopes = []
    for name, param in params.items():
        grad = grads[name] * keep[name] if name in keep else grads[name]
        slopes.append(grad if grad.stride() == param.stride() else torch.empty_like(param).copy_(grad))
    return slopes


def _remove(params: Tree, keep: Tree) -> None:
    for name, mask in keep.items():
        params[name].mul_(mask)
