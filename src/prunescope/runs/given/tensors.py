"""State dicts: found inside a checkpoint, without what compiling and pruning added to their names.

`weight_orig` and `weight_mask` of torch.nn.utils.prune become `weight`. What parametrizations make of tensors only
their code says, see `Networks`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds
from prunescope.runs.store.store import Store
from prunescope.tasks.fitting import plain_tensors
from prunescope.tasks.model import Network
from prunescope.tasks.task import Task

WRAPPED = ("state_dict", "model_state_dict", "model", "net", "network")
"""Where checkpoints keep a state dict beside epochs, optimizers and whatever else."""
AVERAGED = "n_averaged"
"""What torch's `AveragedModel` counts by, beside the module whose weights are averages."""
FIRST = Seeds()


@dataclass(frozen=True)
class Loaded:
    """A state as it came in, made plain.

    name: what messages call it.
    tensors: float tensors as float32, by the names of its network, those of torch's state dicts.
    module: the instance that it came from, in float32.
    own: its network, where the origin knows it, and the tensors by the names that they have there.
    task, seeds: its task and the seeds of its labels, where the origin knows them.
    notes: what was done to the tensors, for people.
    """

    name: str
    tensors: Mapping[str, Tensor]
    module: nn.Module | None = None
    own: tuple[Network, Mapping[str, Tensor]] | None = None
    task: Task | None = None
    seeds: Seeds = FIRST
    notes: tuple[str, ...] = ()


def load(thing: Any, name: str, store: Store) -> Loaded | None:
    """The tensors of a mapping."""
    if not isinstance(thing, Mapping):
        return None
    tensors, notes = plain(thing, name)
    return Loaded(name, tensors, notes=notes)


def plain(thing: Mapping[Any, Any], name: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a state dict, or of the one in a checkpoint, strided, float32, by their own names; what was done.

    Raises UsageError for none or several, and as `plain_tensors`.
    """
    tensors = _state_dict(thing, name)
    kept = {key: leaf for key, leaf in plain_tensors(tensors, name).items() if key != AVERAGED}
    whole = {key.replace("_orig_mod.", ""): leaf for key, leaf in kept.items()}
    notes = list(converted(name, whole.values()))
    whole = {key: leaf.float() if leaf.is_floating_point() else leaf for key, leaf in whole.items()}
    pruned = _without_masks(whole)
    if pruned.keys() != whole.keys():
        notes.append(f"{name}: masks saved beside their weights were multiplied in")
    return pruned, tuple(notes)


def converted(name: str, leaves: Iterable[Tensor]) -> Iterator[str]:
    """What is said of tensors that become float32."""
    kinds = {leaf.dtype for leaf in leaves}
    if any(kind.is_floating_point and kind.itemsize < 4 for kind in kinds):
        yield f"{name}: tensors in half precision or less became float32, which changes none of them"
    if torch.float64 in kinds:
        yield f"{name}: tensors in double precision were rounded to float32"


def _state_dict(mapping: Mapping[Any, Any], name: str) -> Mapping[str, Tensor]:
    """The mapping itself, or the one mapping of tensors that a checkpoint holds.

    Where there are several, such as an average of the weights or masks beside them, which is meant is not guessed.
    """
    if mapping and _are_tensors(mapping):
        return mapping
    if packed := [key for key in mapping if "_packed_params" in str(key)]:
        raise UsageError(f"{name} is of a quantized network ({packed[0]}, ...); give it as it was before quantization")
    inside = [key for key, part in mapping.items() if isinstance(part, Mapping) and _may_be_state(key, part)]
    masks = [key for key, part in mapping.items() if key not in inside and _may_be_masks(key, part)]
    if len(inside) == 1 and not masks:
        return _state_dict(mapping[inside[0]], f"{name}[{inside[0]!r}]")
    odd_first = sorted(mapping.items(), key=lambda item: isinstance(item[1], Tensor))
    kinds = ", ".join(f"{key} ({type(leaf).__name__})" for key, leaf in odd_first[:12])
    what = "masks beside a state dict" if masks else "several state dicts" if inside else "no state dict"
    what += f" ({', '.join(map(str, inside + masks))})" if inside else ""
    raise UsageError(
        f"{name} holds {what}: {kinds or 'it is empty'}; save the one that is meant, by torch.save(model.state_dict(), "
        "path)"
    )


def _are_tensors(mapping: Mapping[Any, Any]) -> bool:
    return all(isinstance(leaf, Tensor) for leaf in mapping.values())


def _may_be_state(key: object, part: Mapping[Any, Any]) -> bool:
    """Whether it has the name of a state dict, or matrices and nothing but tensors."""
    return key in WRAPPED or (_are_tensors(part) and any(leaf.ndim > 1 for leaf in part.values()))


def _may_be_masks(key: object, part: object) -> bool:
    """Whether it is called masks, and has arrays."""
    return "mask" in str(key).lower() and any(isinstance(leaf, Tensor | np.ndarray) for leaf in tree_leaves(part))


def _without_masks(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with every pair of a tensor and its mask as the one tensor that the network computes with."""
    names = [key.removesuffix("_mask") for key in tensors if key.endswith("_mask")]
    pairs = {name: (f"{name}_orig", f"{name}_mask") for name in names if f"{name}_orig" in tensors}
    pairs = {name: pair for name, pair in pairs.items() if tensors[pair[0]].shape == tensors[pair[1]].shape}
    gone = {part for pair in pairs.values() for part in pair}
    made = {key: tensors[original] * tensors[mask] for key, (original, mask) in pairs.items()}
    return {key: leaf for key, leaf in tensors.items() if key not in gone} | made
