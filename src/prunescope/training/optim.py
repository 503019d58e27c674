"""Optimizers as pure functions from gradients to new parameters.

Belongs here: the update rules and their state. Does not belong here: gradients, batches, learning rates
(`schedules.py`), changes of masks (`interventions/`).

Masks enter a step only here. `keep` multiplies the gradient, so that the optimizer's state sees no gradient of a
removed weight, and it multiplies the step, so that a removed weight at 0 stays at exactly 0 whatever the state still
holds for it. The second factor costs nothing, since the product is part of the same kernel.

The rules here are elementwise, so they also serve a stack (tensors with a leading axis of members), without vmap. Of a
rule that is not, a stack takes the steps of one member after the other.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.tree import Tree, clone, tree_map
from prunescope.base.value import Value
from prunescope.training.moved import moved

OptState = dict[str, Tree]
"""Optimizer state by name ("momentum"), each a tree with the names of the parameters; "count" has the one key ""."""

Moved = tuple[Tree, OptState]
"""Parameters and optimizer state after a step."""

Decay = Annotated[float, Field(ge=0)]
Average = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(Value):
    """An update rule.

    slots: names of the entries of the state that are shaped like the parameters, where they exist; pruning a weight
        clears them.
    elementwise: whether an engine may leave out removed weights, because the update of the others is the same without.
    stackable: whether `update` also serves a stack of members, each of which moves as it would alone.

    A subclass that overrides `update` trains by it in every engine; what it does not define beside it is not faster.
    """

    shortcuts: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("update_", "fused_", "shrinkage", "elementwise", "stackable"), "update"
    )
    field_hints: ClassVar[Mapping[str, str]] = {"lr": "the learning rate belongs to the schedule, as in schedule.lr"}
    slots: ClassVar[tuple[str, ...]] = ()
    elementwise: ClassVar[bool] = False
    stackable: ClassVar[bool] = False

    def bound(self, params: Mapping[str, Tensor]) -> Self:
        """The rule for a network with these parameters, where it depends on their names or shapes; called once a run.

        Raises UsageError for a rule that does not fit them.
        """
        return self

    @abstractmethod
    def init(self, params: Tree) -> OptState:
        """The state before the first step: trees of zeros on the devices of the parameters."""

    @abstractmethod
    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """Parameters and state after one step.

        Args:
            grads: gradient of the mean loss, one tensor a parameter, in nats per unit of weight.
            opt: the state that `init` or the step before returned.
            params: the parameters, 0 where `keep` is 0.
            keep: masks in the parameters' dtype, 1 kept and 0 removed; a name that is absent is dense.
            lr: learning rate: a number, a 0-D tensor, or [R] with one entry a member where every tensor has a
                leading axis of R members.

        Returns: new trees (params, opt); no argument is changed. A weight that is 0 in `params` and removed by `keep`
        is exactly 0 again.
        """

    def update_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """`update` in place with the same arithmetic, for an engine that owns the tensors.

        `opt` and `params` are changed, `grads` is not. By default the results of `update` are copied.
        """
        updated, state = moved(self, grads, opt, params, keep=keep, lr=lr)
        for name, leaf in updated.items():
            params[name].copy_(leaf)
        for part, leaves in state.items():
            if part in opt:
                for name, leaf in leaves.items():
                    opt[part][name].copy_(leaf)
            else:
                opt[part] = clone(leaves)
        for part in opt.keys() - state.keys():
            del opt[part]

    def fused_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """`update_` up to rounding, in one pass over memory if the rule has such a kernel."""
        self.update_(grads, opt, params, keep=keep, lr=lr)

    def shrinkage(self, lr: float) -> float | None:
        """The factor s if a step is w <- s w - lr g for kept weights and changes no state, else None."""
        return None


class SGD(Optimizer):
    """Stochastic gradient descent with momentum and L2 weight decay.

    With d = keep * g + weight_decay * p and u = momentum * u + d, the step is p - lr * keep * u, or with
    nesterov p - lr * keep * (d + momentum * u). Decay applies to every parameter, biases and BatchNorm included.

    momentum: factor of the previous sum, in [0, 1).
    nesterov: whether the step looks ahead.
    weight_decay: factor of the parameters.

    Source: Sutskever et al. 2013, eqs. 1-4.
    Differs from the source: the learning rate stays outside the moving sum, as in torch.optim.SGD.
    """

    slots: ClassVar[tuple[str, ...]] = ("momentum",)
    elementwise: ClassVar[bool] = True
    stackable: ClassVar[bool] = True
    momentum: Average = 0.0
    nesterov: bool = False
    weight_decay: Decay = 0.0

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True with momentum=0.0 has no effect; set momentum above 0 or nesterov=False")
        return self

    def init(self, params: Tree) -> OptState:
        """Zero momentum, or no state at all where momentum is 0."""
        return {"momentum": tree_map(torch.zeros_like, params)} if self.momentum else {}

    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """See `Optimizer.update`."""
        updated, state = _copies(params, opt)
        SGD.update_(self, grads, state, updated, keep=keep, lr=lr)
        return updated, state

    def update_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """See `Optimizer.update_`; without momentum and decay it is one kernel a parameter."""
        for name, param in params.items():
            grad, mask = grads[name], keep.get(name)
            momentum = opt["momentum"][name].mul_(self.momentum) if self.momentum else None
            _descend(param, _direction(self, momentum, grad, param, mask), mask, lr)

    def shrinkage(self, lr: float) -> float | None:
        """See `Optimizer.shrinkage`: without momentum, 1 - lr * weight_decay."""
        return None if self.momentum else 1 - lr * self.weight_decay


class _Moments(Optimizer):
    """The common part of Adam and AdamW, which differ in whether decay enters the gradient.

    betas: decay of the first and second moment, in [0, 1).
    eps: number that is added to the root of the second moment.
    weight_decay: factor of the parameters.
    """

    slots: ClassVar[tuple[str, ...]] = ("first", "second")
    elementwise: ClassVar[bool] = True
    stackable: ClassVar[bool] = True
    decoupled: ClassVar[bool]
    betas: tuple[Average, Average] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: Decay = 0.0

    def init(self, params: Tree) -> OptState:
        """Zero moments and a zero count of steps."""
        device = next(iter(params.values())).device
        first, second = (tree_map(torch.zeros_like, params) for _ in range(2))
        return {"first": first, "second": second, "count": {"": torch.zeros((), dtype=torch.int64, device=device)}}

    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """See `Optimizer.update`."""
        updated, state = _copies(params, opt)
        _Moments.update_(self, grads, state, updated, keep=keep, lr=lr)
        return updated, state

    def update_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """See `Optimizer.update_`."""
        count = opt["count"][""].add_(1)
        # float64: in float32, 1 - 0.999^t would lose four digits at t = 1.
        unbias1, unbias2 = (1 - beta ** count.double() for beta in self.betas)
        for name, param in params.items():
            mask, decay = keep.get(name), 0.0 if self.decoupled else self.weight_decay
            slope = _slope(grads[name], param, mask, decay)
            first = opt["first"][name].lerp_(slope, 1 - self.betas[0])
            second = opt["second"][name].mul_(self.betas[1]).addcmul_(slope, slope, value=1 - self.betas[1])
            # In place of 0, whose root takes a CPU ten times as long, a square whose root vanishes beside `eps`.
            least = (self.eps * torch.finfo(param.dtype).eps / 8) ** 2
            root = (second / along(unbias2, param)).clamp_min_(least).sqrt_()
            scale = root.add_(self.eps).mul_(along(unbias1, param))
            if self.decoupled:
                _descend(param, param, None, lr * self.weight_decay)
            _descend(param, first / scale, mask, lr)

    def fused_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """See `Optimizer.fused_`: torch's kernel for floats on a CPU whose moments lie in the same order.

        It knows no masks: a removed weight's gradient is taken out before, its step after. It runs through memory from
        end to end, so the gradients are laid as the parameters are.
        """
        moments = opt["first"], opt["second"]
        if isinstance(lr, Tensor) or not all(_lie_alike(leaf, name, moments) for name, leaf in params.items()):
            self.update_(grads, opt, params, keep=keep, lr=lr)
            return
        slopes = []
        for name, param in params.items():
            slope = grads[name] * keep[name] if name in keep else grads[name]
            slopes.append(slope if slope.stride() == param.stride() else torch.empty_like(param).copy_(slope))
        count = opt["count"][""].add_(1)
        update = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        update(
            list(params.values()),
            slopes,
            [moments[0][name] for name in params],
            [moments[1][name] for name in params],
            [],
            [count.float()] * len(params),
            lr=lr,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )
        for name, mask in keep.items():
            params[name].mul_(mask)


class Adam(_Moments):
    """Adam with L2 weight decay, which enters the gradient and thereby the moments.

    With d = keep * g + weight_decay * p, m = b1 m + (1 - b1) d, v = b2 v + (1 - b2) d^2 after step t:
    p - lr * keep * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).

    Source: Kingma and Ba 2015, algorithm 1; decay as in torch.optim.Adam.
    """

    decoupled: ClassVar[bool] = False


class AdamW(_Moments):
    """Adam with decoupled weight decay: p shrinks by the factor 1 - lr * weight_decay beside Adam's step.

    Source: Loshchilov and Hutter 2019, algorithm 2, in the form of torch.optim.AdamW.
    Differs from the source: the decay is multiplied by the learning rate itself, not by a separate schedule.
    """

    decoupled: ClassVar[bool] = True
    weight_decay: Decay = 0.01


def _direction(rule: SGD, momentum: Tensor | None, grad: Tensor, param: Tensor, mask: Tensor | None) -> Tensor:
    """The direction of SGD's step; the gradient is added in place to `momentum`, which is decayed already."""
    if momentum is None:
        # Without state, masking the step is enough.
        return _slope(grad, param, None, rule.weight_decay)
    direction = _add_slope(momentum, grad, param, mask, rule.weight_decay)
    if rule.nesterov:
        direction = _add_slope(direction * rule.momentum, grad, param, mask, rule.weight_decay)
    return direction


def _copies(params: Tree, opt: OptState) -> Moved:
    """What a rule that is written in place moves for `update`.

    Such an `update` calls `update_` by the name of its class: a subclass that overrides `update` may call it, and the
    subclass's own `update_` calls that.
    """
    return clone(params), {name: clone(part) for name, part in opt.items()}


def _lie_alike(param: Tensor, name: str, moments: tuple[Tree, ...]) -> bool:
    alike = all(leaves[name].stride() == param.stride() for leaves in moments)
    return alike and param.device.type == "cpu" and param.dtype in (torch.float32, torch.float64)


def _slope(grad: Tensor, param: Tensor, mask: Tensor | None, weight_decay: float) -> Tensor:
    """The masked gradient plus weight_decay times the parameter."""
    slope = grad if mask is None else grad * mask
    return slope if weight_decay == 0 else torch.add(slope, param, alpha=weight_decay)


def _add_slope(total: Tensor, grad: Tensor, param: Tensor, mask: Tensor | None, weight_decay: float) -> Tensor:
    """Adds `_slope` to `total` in place, because on a CPU an allocation costs more than the addition."""
    total = total.add_(grad) if mask is None else total.addcmul_(grad, mask)
    return total if weight_decay == 0 else total.add_(param, alpha=weight_decay)


def _descend(param: Tensor, direction: Tensor, mask: Tensor | None, lr: float | Tensor) -> None:
    """Subtracts lr * direction * mask from the parameter in place, in one kernel where lr is a number."""
    if isinstance(lr, Tensor):
        param.addcmul_(along(-lr, param), direction if mask is None else direction * mask)
    elif mask is None:
        param.add_(direction, alpha=-lr)
    else:
        param.addcmul_(direction, mask, value=-lr)


def along(scale: Tensor, leaf: Tensor) -> Tensor:
    """A 0-D tensor in the dtype of `leaf`; [R] also reshaped to act along the first axis of `leaf`."""
    scale = scale.to(leaf.dtype)
    return scale if scale.ndim == 0 else scale.reshape(-1, *[1] * (leaf.ndim - 1))
