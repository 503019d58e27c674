"""A network with the narrower layers of a pruned one: filters and neurons removed for good, as torch-pruning does."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from prunescope.base.errors import UsageError

_Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
_Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
_BatchNorm = nn.modules.batchnorm._BatchNorm


def resize(module: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Gives the layers of a module the shapes that tensors have; the names of the layers that became narrower.

    Linear layers, convolutions and batch normalization are changed, in place, with their tensors and attributes.

    Raises UsageError for a tensor that is no narrower one of such a layer.
    """
    changed = []
    for path, layer in module.named_modules():
        names = {key: f"{path}.{key}".removeprefix(".") for key in (*layer._parameters, *layer._buffers)}
        wanted = {key: tensors[name] for key, name in names.items() if name in tensors}
        if all(getattr(layer, key).shape == leaf.shape for key, leaf in wanted.items()):
            continue
        for key, leaf in wanted.items():
            old = getattr(layer, key)
            if leaf.ndim != old.ndim or any(new > before for new, before in zip(leaf.shape, old.shape, strict=True)):
                raise UsageError(f"{names[key]} is {list(leaf.shape)}, which is no part of {list(old.shape)}")
            empty = torch.zeros(leaf.shape, dtype=old.dtype)
            is_parameter = isinstance(old, nn.Parameter)
            setattr(layer, key, nn.Parameter(empty, requires_grad=old.requires_grad) if is_parameter else empty)
        _tell(layer, path)
        changed.append(path)
    return changed


def _tell(layer: nn.Module, path: str) -> None:
    """Makes the attributes of a layer say what the shapes of its tensors say."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, _Conv | _Transposed):
        ends = (layer.weight.shape[0], layer.weight.shape[1])
        if layer.groups == layer.in_channels > 1:  # one group a channel
            layer.groups = ends[0]
        outer = ends[1] * layer.groups
        transposed = isinstance(layer, _Transposed)
        layer.in_channels, layer.out_channels = (ends[0], outer) if transposed else (outer, ends[0])
    elif isinstance(layer, _BatchNorm) and layer.running_mean is not None:
        layer.num_features = len(layer.running_mean)
    else:
        raise UsageError(f"{path} is a {type(layer).__name__}, which is not made narrower by itself")
