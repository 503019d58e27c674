"""ONNX: a graph for other runtimes; needs the extra `onnx`."""

import json
import warnings
from pathlib import Path

import torch
from torch import Tensor

from prunescope.sharing.leaves import require
from prunescope.sharing.network import PortableNetwork

SUFFIX = ".onnx"


def write(network: PortableNetwork, path: Path) -> Tensor:
    """Writes the graph, for any number of examples, in one file; its outputs [B, ...] by ONNX Runtime."""
    onnx, _, runtime = require("onnx", "onnx", "onnxscript", "onnxruntime")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own making
        program = torch.onnx.export(network.graph(), dynamo=True, verbose=False)
    assert program is not None
    model = program.model_proto
    model.metadata_props.append(onnx.StringStringEntryProto(key="prunescope", value=json.dumps(network.facts)))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    arrays = {name: leaf.numpy() for name, leaf in zip(names, network.tensors, strict=True)}
    return torch.from_numpy(session.run(None, arrays)[0])
