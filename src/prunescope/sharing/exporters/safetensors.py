"""safetensors: the tensors by their names in the module, with zeros where weights were removed."""

import copy
import json
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.sharing.network import PortableNetwork

SUFFIX = ".safetensors"


def write(network: PortableNetwork, path: Path) -> Tensor:
    """Writes the state of the module, shared tensors once; its outputs [B, ...] with what was read back.

    Raises UsageError for a network with a buffer that neither its code nor the file has.
    """
    if network.drawn:
        raise UsageError(
            f"{min(network.drawn)} is in no state dict (persistent=False), and the network's code alone does not make "
            "it; make it persistent, or export to torch.export"
        )
    # One metadata key, since safetensors orders several at random.
    save_model(network.module, str(path), {"prunescope": json.dumps(network.facts, sort_keys=True)})
    module = copy.deepcopy(network.module)
    for leaf in module.state_dict(keep_vars=True).values():
        leaf.data = torch.full_like(leaf, 7)  # so that nothing that the file lacks can pass unnoticed
    load_model(module, str(path))
    with torch.no_grad():
        return network.outputs(module)
