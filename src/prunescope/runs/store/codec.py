"""Trees of tensors as bytes, and weights as such trees.

Bytes carry at most one metadata key, because safetensors orders several at random.
"""

import json
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from prunescope.base.errors import StoreError
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.base.value import array_digest

Nested = dict[str, Any]


class Damaged(StoreError):
    """A file of the store does not hold what was written into it."""


def to_bytes(nested: Nested, facts: dict[str, Any], owner: str = "") -> bytes:
    """Nested dictionaries of tensors, and JSON facts, as one safetensors file with a digest of all of it.

    owner: whose file it is (a reading's id, "run/moment"), so that one file is not taken for another.
    """
    flat = _unshared({name: leaf.detach().cpu().contiguous() for name, leaf in _flatten(nested).items()})
    # safetensors forgets the order, and a user's sum over a tree may depend on it.
    about = json.loads(json.dumps({"facts": facts, "order": list(flat), "owner": owner}))
    return bytes(save(flat, {"prunescope": json.dumps({**about, "seal": _digest(flat, about)})}))


def from_bytes(content: bytes, name: str, owner: str = "") -> tuple[Nested, dict[str, Any]]:
    """The inverse of `to_bytes`. name: how messages name the file.

    Raises Damaged when the content is not that of such a file, is cut off, is not what its digest says, or is another
    owner's. Files of earlier versions name no owner and have a digest of tensors and facts only.
    """
    try:
        about = header(content)
        tensors = load(content)
        flat = {name: tensors[name] for name in about.get("order", sorted(tensors))}
        seal, older = about.pop("seal", None), about.pop("digest", None)
        digest = _digest(flat, about) if seal else _digest_of_facts(flat, about["facts"])
    except Exception as problem:  # flipped bits can make a reader fail in any way
        raise damaged(name, problem) from problem
    if digest != (seal or older):
        raise damaged(name, "its content is not what its digest says")
    if owner and about.get("owner", owner) != owner:
        raise damaged(name, f"it is the file of {about['owner']}")
    return _unflatten(flat), about["facts"]


def header(content: bytes) -> dict[str, Any]:
    """What a file of `to_bytes` says beside its tensors: facts, order, owner, and the digest "seal" of all of it."""
    size = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["prunescope"])
    return dict(about)


def absent(name: object) -> StoreError:
    """The error of a file that should be there."""
    return StoreError(f"{name} is not there; the same command makes it again")


def damaged(path: object, problem: object) -> Damaged:
    """The error of a file that does not hold what it should, with the fix."""
    return Damaged(f"{path} is damaged ({problem}); delete it, and the same command makes it again")


def weights_to_nested(weights: Weights) -> tuple[Nested, dict[str, Any]]:
    """Weights with packed masks; a pruned tensor stores its kept values only. And the shapes to undo it."""
    params, packed, shapes = {}, {}, {}
    for name, leaf in weights.params.items():
        mask = weights.masks.get(name)
        if mask is None or bool(mask.all()):
            params[name] = leaf
            continue
        shapes[name] = list(leaf.shape)
        params[name] = leaf[mask]
        packed[name] = torch.from_numpy(np.packbits(mask.cpu().numpy().reshape(-1)))
    facts = {"shapes": shapes, "maskable": sorted(weights.masks)}
    return {"params": params, "masks": packed, "buffers": weights.buffers}, facts


def weights_from_nested(nested: Nested, facts: dict[str, Any]) -> Weights:
    """The inverse of `weights_to_nested`."""
    params: Tree = {}
    masks: Tree = {}
    packed = nested.get("masks", {})
    for name, leaf in nested["params"].items():
        if name in packed:
            shape = facts["shapes"][name]
            bits = np.unpackbits(packed[name].numpy(), count=int(np.prod(shape)))
            masks[name] = torch.from_numpy(bits.astype(bool)).reshape(shape)
            params[name] = torch.zeros(shape, dtype=leaf.dtype).masked_scatter_(masks[name], leaf)
        else:
            params[name] = leaf
            if name in facts["maskable"]:
                masks[name] = torch.ones_like(leaf, dtype=torch.bool)
    return Weights(params, nested.get("buffers", {}), masks)


def _unshared(flat: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, none of which shares memory with another: safetensors refuses those that do.

    A held weight's mask is in a memory and in `held`; a kept state has the masks of the present one.
    """
    pointers: set[int] = set()
    unshared: dict[str, Tensor] = {}
    for name, leaf in flat.items():
        pointer = leaf.untyped_storage().data_ptr()
        unshared[name] = leaf.clone() if pointer in pointers else leaf
        pointers.add(pointer)
    return unshared


def _flatten(nested: Nested, path: tuple[str, ...] = ()) -> dict[str, Tensor]:
    flat: dict[str, Tensor] = {}
    for name, leaf in nested.items():
        if isinstance(leaf, dict):
            flat |= _flatten(leaf, (*path, name))
        else:
            flat[json.dumps([*path, name])] = leaf
    return flat


def _unflatten(flat: dict[str, Tensor]) -> Nested:
    nested: Nested = {}
    for name in flat:
        *path, last = json.loads(name)
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = flat[name]
    return nested


def _digest(flat: dict[str, Tensor], about: dict[str, Any]) -> str:
    text = np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8)
    return array_digest(text, *(flat[name] for name in sorted(flat)))


def _digest_of_facts(flat: dict[str, Tensor], facts: dict[str, Any]) -> str:
    names = np.frombuffer(json.dumps([sorted(flat), facts], sort_keys=True).encode(), dtype=np.uint8)
    return array_digest(names, *(flat[name] for name in sorted(flat)))
