"""A step of a user's own optimizer is held to its contract: all parameters, their shapes, removed weights at 0."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.installed import is_shipped
from prunescope.base.tree import Tree


def moved(rule: Any, grads: Tree, opt: Mapping[str, Tree], params: Tree, *, keep: Tree, lr: float | Tensor) -> Any:
    """`rule.update(...)`, with removed weights at 0 whatever the rule makes of them.

    Raises UsageError where a rule of a user's own returns anything but all parameters and a state.
    """
    found = rule.update(grads, opt, params, keep=keep, lr=lr)
    if _is_packages(rule):
        return found
    name = f"{type(rule).__name__}.update"
    if not (isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, Mapping) for part in found)):
        raise UsageError(f"{name} returned {type(found).__name__}; it must return (params, opt), two dictionaries")
    after, state = found
    for key in params | after:
        leaf, like = after.get(key), params.get(key)
        if not (isinstance(leaf, Tensor) and isinstance(like, Tensor) and leaf.shape == like.shape):
            shown = [list(part.shape) if isinstance(part, Tensor) else "nothing" for part in (leaf, like)]
            raise UsageError(f"{name} returned {shown[0]} for {key}, which is {shown[1]}; return every parameter moved")
    return {key: leaf * keep[key] if key in keep else leaf for key, leaf in after.items()}, state


def _is_packages(rule: Any) -> bool:
    """Whether a rule, and those that it wraps, are this package's."""
    while is_shipped(rule):
        if (rule := getattr(rule, "optimizer", None)) is None:
            return True
    return False
