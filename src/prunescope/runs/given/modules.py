"""Modules in memory, also those that torch.nn.utils.prune or a parametrization has pruned."""

from typing import Any

from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.runs.given.tensors import Loaded, converted
from prunescope.runs.store.store import Store
from prunescope.tasks.building import copied, made_permanent
from prunescope.tasks.fitting import plain_tensors

_WRAPPERS = ("module", "_orig_mod")
"""Where DataParallel, DistributedDataParallel and torch.compile keep the module that they wrap."""


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
    if folded := _computed_zeros(module):
        notes.append(f"{name}: the parametrizations of {', '.join(folded)} were multiplied in, as they make zeros")
    module = module.float().requires_grad_()  # what was frozen to be used is pruned and flat like the rest
    return Loaded(name, module.state_dict() | dict(module.named_buffers()), module=module, notes=tuple(notes))


def _computed_zeros(module: nn.Module) -> list[str]:
    """Makes plain the layers whose weights have zeros only as a parametrization computes them; the weights' names."""
    names = []
    for path, layer in list(module.named_modules()):
        lists = getattr(layer, "parametrizations", {})
        values = {key: getattr(layer, key).detach() for key in lists}
        if any(_zeros(values[key]) > max(map(_zeros, lists[key]._parameters.values())) for key in lists):
            # Not torch's own remove_parametrizations: it changes the class, which copies share with the user's module.
            del layer.parametrizations
            layer.__class__ = type(layer).__bases__[0]
            for key, value in values.items():
                setattr(layer, key, nn.Parameter(value))
            names += [f"{path}.{key}".removeprefix(".") for key in values]
    return names


def _zeros(leaf: Tensor | None) -> int:
    return 0 if leaf is None else int((leaf == 0).sum())


def _unwrapped(module: nn.Module) -> nn.Module:
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while isinstance(module, wrappers) or type(module).__name__ == "OptimizedModule":
        module = next(getattr(module, key) for key in _WRAPPERS if key in module._modules)
    return module
