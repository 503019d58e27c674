"""Folders of OpenLTH: `model_epX_itY.pth` beside `mask.pth`, with its LeNets, residual networks and VGGs.

A saved model is not masked: the last step of its optimizer may have moved what is removed. So the mask is applied.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.runs.given.files import read
from prunescope.runs.given.tensors import Loaded, plain
from prunescope.runs.store.store import Store
from prunescope.tasks.model import Network, network

_MODEL = re.compile(r"model_ep(\d+)_it(\d+)\.pth")


def load(thing: Any, name: str, store: Store) -> Loaded | None:
    """The last model of a folder, or the named one, with the mask beside it.

    Raises UsageError for a folder without a model, and for masks of other tensors.
    """
    if not isinstance(thing, str | Path):
        return None
    place = Path(thing).expanduser()
    if place.is_dir():
        place = _last(place if _models(place) else place / "main", name)
    elif not (_MODEL.fullmatch(place.name) and place.is_file()):
        return None
    tensors, notes = plain(read(place, str(place)), name)
    mask_file = place.with_name("mask.pth")
    if mask_file.exists():
        masks = plain(read(mask_file, str(mask_file)), str(mask_file))[0]
        if odd := [key for key in masks if key not in tensors or masks[key].shape != tensors[key].shape]:
            raise UsageError(f"{mask_file} has masks of {', '.join(odd)}, which {place.name} has not in that shape")
        tensors = {key: leaf * (masks[key] != 0) if key in masks else leaf for key, leaf in tensors.items()}
        notes = (*notes, f"{name}: the mask of {mask_file} was multiplied in")
    return Loaded(name, tensors, own=_as_ours(tensors), notes=(*notes, f"{name}: read from {place}"))


def _models(folder: Path) -> list[tuple[int, int, Path]]:
    """Epoch, iteration and path of every model in a folder, in order."""
    found = ((_MODEL.fullmatch(path.name), path) for path in folder.glob("*.pth"))
    return sorted((int(match[1]), int(match[2]), path) for match, path in found if match)


def _last(folder: Path, name: str) -> Path:
    if models := _models(folder):
        return models[-1][2]
    raise UsageError(f"{name} is a folder without a file model_epX_itY.pth; give the folder main of a level of OpenLTH")


def _as_ours(tensors: Mapping[str, Tensor]) -> tuple[Network, Mapping[str, Tensor]] | None:
    """The network of the same kind that this package has, and the tensors by its names; None for other kinds."""
    if "fc_layers.0.weight" in tensors:
        renamed = {re.sub(r"^fc_layers\.(\d+)", lambda at: f"fc{int(at[1]) + 1}", key): tensors[key] for key in tensors}
        sizes = [len(leaf) for key, leaf in tensors.items() if re.fullmatch(r"fc_layers\.\d+\.weight", key)]
        args = {"hidden": sizes, "inputs": tensors["fc_layers.0.weight"].shape[1]}
        return _network("LeNet", tensors, **args), renamed
    if "blocks.0.conv1.weight" in tensors:
        blocks = 1 + max(int(key.split(".")[1]) for key in tensors if key.startswith("blocks."))
        renamed = {_resnet_name(key, blocks // 3): leaf for key, leaf in tensors.items()}
        return _network("CifarResNet", tensors, depth=2 * blocks + 2, width=len(tensors["conv.weight"])), renamed
    if "layers.0.conv.weight" in tensors:
        places = sorted({int(key.split(".")[1]) for key in tensors if key.startswith("layers.")})
        renamed = {_vgg_name(key, places): leaf for key, leaf in tensors.items()}
        return _network("VGG", tensors, depth=len(places) + 3), renamed
    return None


def _network(name: str, tensors: Mapping[str, Tensor], **args: Any) -> Network:
    return network(f"prunescope.tasks.nets:{name}", classes=len(tensors["fc.weight"]), **args)


def _resnet_name(key: str, blocks: int) -> str:
    """blocks.4.shortcut.0.weight -> layer2.1.shortcut.conv.weight, of so many blocks a stage."""
    key = re.sub(r"^(conv|bn)\.", r"\g<1>1.", key)
    key = key.replace("shortcut.0", "shortcut.conv").replace("shortcut.1", "shortcut.bn")
    return re.sub(r"^blocks\.(\d+)", lambda at: f"layer{1 + int(at[1]) // blocks}.{int(at[1]) % blocks}", key)


def _vgg_name(key: str, places: list[int]) -> str:
    """layers.3.conv.weight -> conv3.weight, by the place among the layers that have tensors."""
    return re.sub(r"^layers\.(\d+)\.(conv|bn)", lambda at: f"{at[2]}{1 + places.index(int(at[1]))}", key)
