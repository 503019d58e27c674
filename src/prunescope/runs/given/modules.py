"""Modules in memory, also those that torch.nn.utils.prune or a parametrization has pruned."""

from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from prunescope.base.errors import UsageError
from prunescope.runs.given.tensors import Loaded, converted
from prunescope.runs.store.store import Store
from prunescope.tasks.building import copied, made_permanent
from prunescope.tasks.fitting import plain_tensors
from prunescope.tasks.prunable import keeps_zeros

_WRAPPERS = ("module", "_orig_mod")
"""Where DataParallel, DistributedDataParallel, AveragedModel and torch.compile keep the module that they wrap."""


def load(thing: Any, name: str, store: Store | None = None) -> Loaded | None:
    """The state of a module; the module itself is not changed."""
    if not isinstance(thing, nn.Module):
        return None
    state = thing.state_dict()
    if odd := [key for key, leaf in state.items() if not isinstance(leaf, Tensor) or leaf.is_quantized]:
        raise UsageError(
            f"{name} keeps what is no plain tensor ({odd[0]}, ...), so it is not read; give it as it was before"
        )
    plain_tensors(state, name)
    module = copied(_unwrapped(thing))
    notes = list[str]()
    if made_permanent(module):
        notes.append(f"{name}: the masks of torch.nn.utils.prune were multiplied in")
    notes += converted(name, module.parameters())
    if folded := _made_plain(module):
        notes.append(
            f"{name}: the parametrizations of {', '.join(folded)} were multiplied in, as zeros of what is stored are "
            "not those of the weights"
        )
    module = module.float().requires_grad_()  # what was frozen to be used is pruned and flat like the rest
    return Loaded(name, module.state_dict() | dict(module.named_buffers()), module=module, notes=tuple(notes))


def _made_plain(module: nn.Module) -> list[str]:
    """Makes plain the layers whose weights have other zeros than what is stored of them; the weights' names."""
    names = []
    for path, layer in list(module.named_modules()):
        lists = getattr(layer, "parametrizations", {})
        values = {key: getattr(layer, key).detach() for key in lists}
        if any(_has_other_zeros(lists[key], value) for key, value in values.items()):
            # Not torch's own remove_parametrizations: it changes the class, which copies share with the user's module.
            del layer.parametrizations
            layer.__class__ = type(layer).__bases__[0]
            for key, value in values.items():
                setattr(layer, key, nn.Parameter(value))
            names += [f"{path}.{key}".removeprefix(".") for key in values]
    return names


def _has_other_zeros(made_by: nn.Module, weight: Tensor) -> bool:
    """Whether a parametrization makes zeros, or keeps none: what is stored would then count too much, or nothing."""
    stored = made_by._parameters
    kept = weight.ndim < 2 or any(keeps_zeros(made_by, key) for key in stored)
    return bool(stored) and (not kept or _zeros(weight) > max(map(_zeros, stored.values())))


def _zeros(leaf: Tensor | None) -> int:
    return 0 if leaf is None else int((leaf == 0).sum())


def _unwrapped(module: nn.Module) -> nn.Module:
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
    while isinstance(module, wrappers) or type(module).__name__ == "OptimizedModule":
        module = next(getattr(module, key) for key in _WRAPPERS if key in module._modules)
    return module
