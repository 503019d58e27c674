"""Tensors from elsewhere put into a network: what does not fit is named, and exact zeros of weights become masks."""

from collections.abc import Mapping

import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import masked
from prunescope.tasks.data.source import Inputs
from prunescope.tasks.functional import close
from prunescope.tasks.model import Model

LISTED = 12
"""Most tensors that a message names."""
BATCH = 250
"""Examples a pass where two networks are compared."""
COUNTER = "num_batches_tracked"


def weights_from(model: Model, tensors: Mapping[str, Tensor], *, name: str = "the state") -> Weights:
    """The tensors as a state of the network. A weight is kept exactly where it is not 0.

    Tensors of half precision become float32, which changes no value.

    Raises UsageError, with every name, for tensors that are missing, superfluous, of another shape or kind, or not
    finite.
    """
    tensors = plain_tensors(tensors, name)
    require_fit(misfits(model, tensors), name=name, network=model.network.path)
    _require_ties(model, tensors, name)
    state = model.loaded(tensors)
    for key, leaf in {**state.params, **state.buffers}.items():
        given = tensors.get(key, leaf)
        if given.is_floating_point() != leaf.is_floating_point() and not key.endswith(COUNTER):
            # Masks, or the whole numbers of a quantized network whose scales are elsewhere.
            raise UsageError(
                f"{key} of {name} is {given.dtype}, and {leaf.dtype} in the network; give the network's own tensors, "
                "not its masks or rounded numbers"
            )
    own = dict(model.template(train=False).named_buffers())  # such as an attention mask of -inf
    infinite = {key: leaf for key, leaf in {**state.params, **state.buffers}.items() if not leaf.isfinite().all()}
    if odd := [key for key, leaf in infinite.items() if key not in own or not torch.equal(leaf, own[key])]:
        raise UsageError(
            f"{name} has NaN or infinite entries in {', '.join(odd[:LISTED])}; its training diverged, or the file is "
            "damaged: give another state"
        )
    masks = {key: leaf != 0 for key, leaf in state.params.items() if key in model.maskable}
    return Weights(masked(state.params, masks), state.buffers, masks)  # which turns -0 into 0


@torch.no_grad()
def same_outputs(one: tuple[Model, Weights], other: tuple[Model, Weights], inputs: Inputs) -> bool:
    """Whether two networks with their states have the same outputs for every example: a few would not show a branch."""
    for rows in torch.split(torch.arange(len(inputs)), BATCH):
        first, second = (  # a copy for each: a pass may change its inputs in place
            model.apply(state.params, state.buffers, inputs.take(rows).clone(), train=False)[0]
            for model, state in (one, other)
        )
        if not close(second, first, tolerance=1e-4):
            return False
    return True


def plain_tensors(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors on the CPU, strided, without gradients.

    Raises UsageError for what holds no real numbers of its own, or some that float32 would make 0 or infinite.
    """
    plain = {}
    for key, leaf in tensors.items():
        if leaf.is_meta:
            raise UsageError(f"{name} has tensors on the device 'meta', without numbers ({key}, ...); load them first")
        if leaf.is_quantized or leaf.is_nested:
            raise UsageError(f"{name} has quantized or nested tensors ({key}, ...); save it as it was before, or dense")
        if leaf.is_complex():
            raise UsageError(f"{name} has complex tensors ({key}, ...), and networks here compute with real ones")
        leaf = leaf if leaf.layout is torch.strided else leaf.to_dense()
        if leaf.dtype is torch.float64 and not torch.equal(leaf.bool(), (single := leaf.float()).bool()):
            raise UsageError(
                f"{key} of {name} has entries that float32 takes for 0, as if they had been removed; set them to 0, or "
                "scale the tensor"
            )
        if leaf.dtype is torch.float64 and not torch.equal(leaf.isfinite(), single.isfinite()):
            raise UsageError(
                f"{key} of {name} has entries beyond float32 (3.4e38), in which networks compute; scale it"
            )
        plain[key] = leaf.detach().cpu()
    return plain


def _require_ties(model: Model, tensors: Mapping[str, Tensor], name: str) -> None:
    """Raises UsageError where the network has one tensor for two names whose tensors here differ."""
    for names in _tied(model).values():
        first, *others = [key for key in names if key in tensors]
        if odd := [key for key in others if not torch.equal(tensors[key], tensors[first])]:
            raise UsageError(
                f"{name} has different tensors for {first} and {odd[0]}, which are one tensor in {model.network.path}; "
                "give the module itself, or a network that does not tie them"
            )


def _tied(model: Model) -> dict[str, list[str]]:
    """All names of the tensor that each name is of; files of safetensors have one of them only."""
    names: dict[int, list[str]] = {}
    for key, leaf in model.template(train=False).named_parameters(remove_duplicate=False):
        names.setdefault(id(leaf), []).append(key)
    return {key: group for group in names.values() for key in group}


def misfits(model: Model, tensors: Mapping[str, Tensor]) -> list[str]:
    """What keeps tensors from being a state of the network, a sentence each; none if they fit."""
    template = model.template(train=False)
    wanted, tied = template.state_dict(), _tied(model)
    unsaved = {key: leaf for key, leaf in template.named_buffers() if key not in wanted}
    known = unsaved | wanted
    both = known.keys() & tensors.keys()
    return [
        *(
            f"{key} {_shape(unsaved[key])} is missing and drawn by the network: give the module, or make it persistent"
            for key in sorted(unsaved.keys() - both and model.drawn_buffers - both)
        ),
        *(
            f"{key} {_shape(wanted[key])} is missing"
            for key in wanted
            if not (
                any(name in tensors for name in tied.get(key, [key]))
                or key.endswith(COUNTER)  # which old files lack, and no output depends on
            )
        ),
        *(f"{key} {_shape(tensors[key])} is not in the network" for key in tensors if key not in known),
        *(
            f"{key} is {_shape(tensors[key])}, the network has {_shape(known[key])}"
            for key in known
            if key in both and tensors[key].shape != known[key].shape
        ),
    ]


def require_fit(faults: list[str], *, name: str, network: str) -> None:
    """Raises UsageError where there are misfits."""
    if faults:
        more = [f"and {len(faults) - LISTED} more"] if len(faults) > LISTED else []
        way = (
            "name the network that it was saved from: its class or factory, with the same arguments; of a narrower "
            "network the narrower one"
        )
        if all("mask" in fault.split()[0] for fault in faults):
            way = "masks are no weights of it: multiply them into the weights, and leave them out of what is saved"
        raise UsageError("\n  ".join([f"{name} is no state of {network}:", *faults[:LISTED], *more]) + f"\n{way}")


def _shape(leaf: object) -> str:
    return str(list(leaf.shape)) if isinstance(leaf, Tensor) else f"({type(leaf).__name__})"
