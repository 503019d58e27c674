"""A user's module made ready: what hooks have computed, lazy layers, modes of its parts, and the output that counts.

Belongs here: what has to happen to a module between the user's code and the first pass. Does not belong here: who
builds it (`model.py`), whether it is fit for a task (`inspection.py`).
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod

from prunescope.base.blame import blaming
from prunescope.base.errors import UsageError
from prunescope.base.tree import Masks

_WRAPPERS = {
    "OptimizedModule",
    "DataParallel",
    "DistributedDataParallel",
    "FullyShardedDataParallel",
    "_StatefulGraphModule",  # of torch.export
}
_OLD_HOOKS = {"WeightNorm": "weight_norm", "SpectralNorm": "spectral_norm"}


@dataclass(frozen=True)
class Output:
    """A forward hook that returns the one tensor of a network's output that counts.

    member: position in a tuple, or name in a dictionary or object; None stands for the tensor itself, or for the
        `logits` of an object (the models of Hugging Face). A tensor is returned as it is: some networks return
        several in training mode only.
    """

    member: int | str | None = None

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Tensor:
        """The tensor. Raises UsageError where there is none, or where it must be named."""
        if isinstance(output, Tensor):
            return output
        members = _members(output)
        chosen = "logits" if self.member is None and not _is_plain(output) else self.member
        if isinstance(leaf := members.get(chosen), Tensor):
            return leaf
        known = ", ".join(f"output={name!r}" for name, leaf in members.items() if isinstance(leaf, Tensor))
        asked = "" if self.member is None else f", which has no tensor {self.member!r}"
        raise UsageError(
            f"{type(module).__name__} returns a {type(output).__name__}{asked}; a network must return the logits, "
            + (f"a tensor [N, C]: name the member that is them, one of {known}" if known else "a tensor [N, C]")
        )


def _is_plain(output: Any) -> bool:
    return type(output) in (tuple, list, dict)


def _members(output: Any) -> dict[Any, Any]:
    if isinstance(output, Mapping):
        return dict(output)
    if hasattr(output, "_asdict"):
        return dict(output._asdict()) | dict(enumerate(output))
    if isinstance(output, tuple | list):
        return dict(enumerate(output))
    return {name: leaf for name, leaf in getattr(output, "__dict__", {}).items() if name[0] != "_"}


def checked(module: nn.Module) -> nn.Module:
    """The module itself.

    Raises UsageError for what this package cannot put tensors of its own into: wrappers that compile or distribute,
    hooks that compute a weight, tensors without numbers or in the memory of another, which others replace, and hooks
    on their gradients.
    """
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule) or {cls.__name__ for cls in type(part).__mro__} & _WRAPPERS:
            raise UsageError(
                f"{f'layer {name!r}' if name else 'the module'} is a {type(part).__name__}; give the plain module "
                "inside it, or that it was made of (prunescope compiles and distributes by itself)"
            )
    if any(leaf.is_meta for leaf in module.parameters()):
        raise UsageError(
            f"{type(module).__name__} has parameters on the device 'meta', without numbers; load them first"
        )
    leaves = [*module.named_parameters(), *module.named_buffers()]
    if odd := [name for name, leaf in leaves if not nn.parameter.is_lazy(leaf) and leaf.layout is not torch.strided]:
        raise UsageError(f"{odd[0]} of {type(module).__name__} is a sparse tensor; make it dense: .to_dense()")
    if pair := _overlapping(module):
        raise UsageError(
            f"{' and '.join(pair)} of {type(module).__name__} are two tensors in the same memory, and would go apart "
            "in training; use one nn.Parameter under both names (transposed in forward()), or clone() one"
        )
    for name, leaf in module.named_parameters():
        if leaf._backward_hooks or getattr(leaf, "_post_accumulate_grad_hooks", None):
            raise UsageError(
                f"{name} of {type(module).__name__} has a hook on its gradient, which would not be called here; do "
                "that in update() of an optimizer of your own, or freeze the tensor (requires_grad=False)"
            )
    for name, part in module.named_modules():
        for hook in part._forward_pre_hooks.values():
            kind = type(hook).__name__
            if kind in _OLD_HOOKS and type(hook).__module__.startswith("torch.nn.utils"):
                raise UsageError(
                    f"layer {name!r} has torch.nn.utils.{_OLD_HOOKS[kind]}, which computes the weight in a hook; use "
                    f"torch.nn.utils.parametrizations.{_OLD_HOOKS[kind]} instead"
                )
    return module


def _overlapping(module: nn.Module) -> tuple[str, str] | None:
    """Names of two tensors that share memory, of which one trains."""
    leaves = [
        (leaf.data_ptr(), name, leaf)
        for name, leaf in (*module.named_parameters(), *module.named_buffers())
        if not nn.parameter.is_lazy(leaf) and leaf.numel() and not leaf.is_meta
    ]
    end, last = 0, ("", torch.empty(0))
    for start, name, leaf in sorted(leaves, key=lambda entry: entry[0]):
        if start < end and (leaf.requires_grad or last[1].requires_grad):
            return last[0], name
        steps = zip(leaf.shape, leaf.stride(), strict=True)
        reach = start + leaf.element_size() * (1 + sum((size - 1) * stride for size, stride in steps))
        end, last = max((end, last), (reach, (name, leaf)), key=lambda entry: entry[0])
    return None


def copied(module: nn.Module) -> nn.Module:
    """A deep copy on the CPU, also of a module that torch.nn.utils.prune has pruned and that was used since.

    What a parametrized recurrent layer keeps of its computed weights is made anew in its next pass.

    Raises UsageError for a module that holds other tensors that were computed, or a layer that copies itself otherwise.
    """
    checked(module)
    computed = [part.__dict__.get(name) for _, part, name in _pruned(module)]
    computed += [leaf for part in module.modules() if isinstance(part, nn.RNNBase) for leaf in part._flat_weights]
    memo: dict[int, Any] = {
        id(leaf): leaf.detach().clone() for leaf in computed if isinstance(leaf, Tensor) and not leaf.is_leaf
    }
    try:
        made = copy.deepcopy(module, memo).cpu()
    except Exception as problem:  # whatever the copying of an attribute raises
        raise UsageError(
            f"the {type(module).__name__} cannot be copied ({str(problem).partition(' at the moment')[0]}): one of its "
            "attributes was computed from its parameters, or is no data (a lock, a file, a generator). Compute it in "
            "forward(), and give a class or a function rather than an instance that has been used"
        ) from problem
    originals = set(module.modules())
    for part in made.modules():  # the copies are in other modes
        if part in originals:
            raise UsageError(
                f"__deepcopy__ of {type(part).__name__} returns a layer that is there already, which would be in "
                "training and in evaluation mode at a time; leave __deepcopy__ out, or return a new layer"
            )
    return made


def made_permanent(module: nn.Module) -> Masks:
    """Turns the weights that torch.nn.utils.prune computes in hooks into parameters; returns their masks by name."""
    masks: Masks = {}
    for path, part, name in list(_pruned(module)):
        mask = part._buffers.pop(f"{name}_mask")
        original = part._parameters.pop(f"{name}_orig")
        if mask is None or original is None:
            raise UsageError(f"{path} was pruned by a method that is not torch's own; use prune.remove() first")
        part.__dict__.pop(name, None)
        for key, hook in list(part._forward_pre_hooks.items()):
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
                del part._forward_pre_hooks[key]
        weight = nn.Parameter((original * mask).detach(), requires_grad=original.requires_grad)
        part.register_parameter(name, weight)
        masks[f"{path}.{name}".removeprefix(".")] = mask != 0
    return masks


def _pruned(module: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Name of the layer, layer, and name there of every tensor that torch.nn.utils.prune computes."""
    for path, part in module.named_modules():
        for hook in part._forward_pre_hooks.values():
            if isinstance(hook, BasePruningMethod):
                yield path, part, hook._tensor_name


def initialize_lazy(module: nn.Module, example: Any) -> None:
    """Gives lazy layers their shapes by a pass over an example; other modules are not touched.

    Raises UsageError where there is no example, UserCodeError where the network fails on it.
    """
    leaves = [*module.parameters(), *module.buffers()]
    if not any(isinstance(leaf, nn.UninitializedParameter | nn.UninitializedBuffer) for leaf in leaves):
        return
    if example is None:
        raise UsageError(
            f"{type(module).__name__} has lazy layers, whose shapes are unknown; give it a pass over two examples first"
        )
    with evaluating(module), torch.no_grad(), blaming(f"{type(module).__name__} on two examples", always=True):
        module(example)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[nn.Module]:
    """The module in evaluation mode for the block; every part gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    try:
        yield module.eval()
    finally:
        for part, mode in modes.items():
            part.training = mode


def frozen_parts(module: nn.Module) -> tuple[str, ...]:
    """Names of the outermost layers that a module in training mode holds in evaluation mode.

    A module that is in evaluation mode as a whole says nothing about its layers: that is how it was saved or used.
    """
    if not module.training:
        return ()
    names = [name for name, part in module.named_modules() if not part.training]
    return tuple(name for name in names if not any(name.startswith(f"{other}.") for other in names))


def in_training(module: nn.Module) -> nn.Module:
    """The module in training mode, except for the parts that it holds in evaluation mode by itself.

    A train() of the user's own is called, as any loop of training does: it may hold layers in evaluation mode.
    """
    if not module.training:
        return module.train()
    for part in module.modules():
        if part.training and type(part).train is not nn.Module.train:
            part.train()
    return module
