"""Tensors from elsewhere put into a network: what does not fit is named, and exact zeros of weights become masks.

Belongs here: names and shapes against a network. Does not belong here: where tensors come from (`audit/origins/`).
"""

from collections.abc import Iterator, Mapping

from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import masked
from prunescope.tasks.model import Model

LISTED = 12
"""Most tensors of one kind of fault that a message names."""


def weights_from(model: Model, tensors: Mapping[str, Tensor], *, name: str = "the state") -> Weights:
    """The tensors as a state of the network. A weight is kept exactly where it is not 0.

    Tensors of half precision become float32, which changes no value.

    Raises UsageError, with every name, for tensors that are missing, superfluous, of another shape, or not finite.
    """
    require_fit(misfits(model, tensors), name=name, network=model.network.path)
    state = model.loaded(tensors)
    if odd := [key for key, leaf in {**state.params, **state.buffers}.items() if not _is_finite(leaf)]:
        raise UsageError(
            f"{name} has NaN or infinite entries in {', '.join(odd[:LISTED])}; its training diverged, or the file is "
            "damaged: give another state"
        )
    masks = {key: leaf != 0 for key, leaf in state.params.items() if key in model.maskable}
    return Weights(masked(state.params, masks), state.buffers, masks)  # which turns -0 into 0


def misfits(model: Model, tensors: Mapping[str, Tensor]) -> list[str]:
    """What keeps tensors from being a state of the network, a line each; none if they fit."""
    wanted = model.template(train=False).state_dict()
    lines = [
        *_line("missing", (f"{key} {_shape(wanted[key])}" for key in wanted if key not in tensors)),
        *_line("not in the network", (f"{key} {_shape(leaf)}" for key, leaf in tensors.items() if key not in wanted)),
    ]
    others = (
        f"{key} is {_shape(tensors[key])}, the network has {_shape(leaf)}"
        for key, leaf in wanted.items()
        if key in tensors and tensors[key].shape != leaf.shape
    )
    return [*lines, *_line("of another shape", others)]


def require_fit(faults: list[str], *, name: str, network: str) -> None:
    """Raises UsageError where there are misfits."""
    if faults:
        raise UsageError(
            f"{name} is no state of {network}:\n  " + "\n  ".join(faults) + "\n"
            "name the network that it was saved from (its class or factory, with the same arguments)"
        )


def _line(kind: str, entries: Iterator[str]) -> list[str]:
    names = list(entries)
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return [f"{kind}: {', '.join(names[:LISTED])}{more}"] if names else []


def _shape(leaf: object) -> str:
    return str(list(leaf.shape)) if isinstance(leaf, Tensor) else f"({type(leaf).__name__})"


def _is_finite(leaf: Tensor) -> bool:
    return not leaf.is_floating_point() or bool(leaf.isfinite().all())
