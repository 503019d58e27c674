"""torch.export: a graph that PyTorch loads without the network's code (`torch.export.load(path).module()`)."""

import io
import json
from pathlib import Path

import torch
from torch import Tensor

from prunescope.sharing.network import PortableNetwork

SUFFIX = ".pt2"


def write(network: PortableNetwork, path: Path) -> Tensor:
    """Writes the graph, for any number of examples; its outputs [B, ...] when loaded again."""
    facts = {"prunescope.json": json.dumps(network.facts, sort_keys=True)}
    content = io.BytesIO()  # on a full disk torch's own writer ends the process
    torch.export.save(network.graph(), content, extra_files=facts)
    path.write_bytes(content.getbuffer())
    module = torch.export.load(path).module()
    with torch.no_grad():
        return network.outputs(module)
