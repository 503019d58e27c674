"""Any optimizer of torch, by import path: slower than prunescope's own, because every step makes it anew.

Its state is taken out after each step as plain tensors and put back before the next, so a run can be stopped anywhere.
"""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import torch
from pydantic import Field, JsonValue, model_validator
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree
from prunescope.tasks.model import resolve
from prunescope.training.optim import Moved, Optimizer, OptState

NUMBERS = {int: ("int", torch.int64), float: ("float", torch.float64), bool: ("bool", torch.bool)}


class TorchOptimizer(Optimizer):
    """A `torch.optim.Optimizer`, of torch itself or of another package.

    It sees gradients of kept weights only, and removed weights are 0 again after its step. A stack takes the steps of
    one member after the other, and sparse layers are computed densely.

    path: import path "module:Class", as in "torch.optim:RAdam".
    args: its arguments but for the parameters and the learning rate, which the schedule gives.
    """

    slow_because: ClassVar[str] = "makes torch's optimizer anew at every step, and sparse layers are computed densely"
    path: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    args: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _works(self) -> "TorchOptimizer":
        if "lr" in self.args:
            raise ValueError("args names lr, which the schedule gives; leave it out")
        try:
            _slots(self)
        except UsageError as problem:
            raise ValueError(str(problem)) from None
        return self

    @cached_property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # known once it has taken a step
        """See `Optimizer`: the states that are shaped like the parameters."""
        return _slots(self)

    def init(self, params: Tree) -> OptState:
        """No state: torch makes it in the first step."""
        return {}

    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """See `Optimizer.update`."""
        leaves = {name: nn.Parameter(leaf.detach().clone()) for name, leaf in params.items()}
        for name, leaf in leaves.items():
            leaf.grad = (grads[name] * keep[name] if name in keep else grads[name]).detach().clone()
        optimizer = _made(self, list(leaves.values()), float(lr))
        for part, tree in opt.items():
            key, _, kind = part.partition(":")
            for name in tree.keys() & leaves.keys():
                optimizer.state[leaves[name]][key] = tree[name].item() if kind else tree[name].clone()
        _step(self, optimizer)
        with torch.no_grad():
            for name, mask in keep.items():
                if name in leaves:
                    leaves[name].mul_(mask)
        state = _state(self, optimizer, leaves)
        return {name: leaf.detach() for name, leaf in leaves.items()}, state


def subclass_of(thing: object, parent: type) -> bool:
    """Whether a thing is a class, and one of these."""
    return isinstance(thing, type) and issubclass(thing, parent)


def _made(rule: TorchOptimizer, leaves: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    make: Callable[..., torch.optim.Optimizer] = resolve(rule.path)
    if not subclass_of(make, torch.optim.Optimizer):
        raise UsageError(f"{rule.path} is no torch.optim.Optimizer; name a class of one")
    args: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in rule.args.items()}
    try:
        return make(leaves, lr=lr, **args)
    except (TypeError, ValueError) as problem:
        raise UsageError(f"{rule.path} refuses its arguments {rule.args}: {problem}") from problem


def _step(rule: TorchOptimizer, optimizer: torch.optim.Optimizer) -> None:
    """Raises UsageError for a rule that asks for losses, or keeps a state where none can be stored."""
    before = _settings(optimizer)
    try:
        optimizer.step()
    except (TypeError, RuntimeError) as problem:
        raise UsageError(
            f"{rule.path} cannot take a step from dense gradients alone ({problem}); use a rule that needs no closure"
        ) from problem
    leaves = {leaf for group in optimizer.param_groups for leaf in group["params"]}
    if _settings(optimizer) != before or optimizer.state.keys() - leaves:
        raise UsageError(
            f"{rule.path} keeps a state that is of no parameter (an attribute, in its parameter groups, or in state "
            "by another key), which no checkpoint has; use another optimizer"
        )


def _settings(optimizer: torch.optim.Optimizer) -> list[dict[str, str]]:
    """The attributes, and what every group of parameters has besides these."""
    parts = (vars(optimizer), *optimizer.param_groups)
    return [{k: repr(v) for k, v in part.items() if k not in ("params", "param_groups", "state")} for part in parts]


def _state(rule: TorchOptimizer, optimizer: torch.optim.Optimizer, leaves: dict[str, nn.Parameter]) -> OptState:
    """Tensors as they are, numbers as tensors under a name that says so; None is left out, as torch takes it."""
    state: OptState = {}
    for name, leaf in leaves.items():
        for key, value in optimizer.state[leaf].items():
            if isinstance(value, Tensor):
                state.setdefault(key, {})[name] = value.detach()
            elif type(value) in NUMBERS:
                kind, dtype = NUMBERS[type(value)]
                state.setdefault(f"{key}:{kind}", {})[name] = torch.tensor(value, dtype=dtype)
            elif value is not None:
                raise UsageError(
                    f"{rule.path} keeps {key!r}, a {type(value).__name__}, which no checkpoint can hold; use another"
                )
    return state


@lru_cache(256)
def _slots(rule: TorchOptimizer) -> tuple[str, ...]:
    """Found by a step of one small parameter, whose shape no other state has."""
    leaf = nn.Parameter(torch.ones(2, 3))
    leaf.grad = torch.full((2, 3), 0.5)
    optimizer = _made(rule, [leaf], 0.1)
    _step(rule, optimizer)
    state = _state(rule, optimizer, {"": leaf})
    return tuple(part for part, tree in state.items() if tree[""].shape == leaf.shape)
