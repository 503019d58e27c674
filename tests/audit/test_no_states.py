"""What holds no state of the network, or several: named, refused, and never executed."""

import os
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from files import Net, baked, dense, examples
from safetensors.torch import save_model
from torch import nn

from prunescope.base.errors import DataError, UsageError
from prunescope.runs.given.states import states

NET = "files:Net"


def masks_of(state):
    return state.run.weights.masks


class Payload:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_pickle_is_refused_with_the_way_out_and_never_executed(data, store, tmp_path):
    torch.save(dense(), "module.pt")
    torch.save({"state_dict": Payload()}, "payload.pt")
    Path("plain.pkl").write_bytes(pickle.dumps(Payload()))
    for name, code in (("module.pt", r"files\.Net"), ("payload.pt", r"\w+\.system")):
        says = rf"{name} is a pickle of more than tensors \({code}\).*state_dict\(\), path"
        with pytest.raises(UsageError, match=says):
            states({"dense": dense(), "bad": name}, data, store)
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(DataError, match=r"plain.pkl is no file of torch\.save"),
    ):
        states({"dense": dense(), "bad": "plain.pkl"}, data, store)
    assert not (tmp_path / "executed").exists()


class Packed(Net):
    """What else than tensors it keeps, a layer that is quantized keeps, too."""

    def get_extra_state(self):
        return {"dtype": torch.qint8}


def without(key):
    return {name: leaf for name, leaf in dense().state_dict().items() if name != key}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (without("fc.bias"), r"  fc\.bias \[10\] is missing"),
        (dense().state_dict() | {"head.weight": torch.ones(3)}, r"  head\.weight \[3\] is not in the network"),
        (
            dense().state_dict() | {"fc.weight": torch.ones(7, 48), "fc.bias": torch.ones(7)},
            r"  fc\.weight is \[7, 48\], the network has \[10, 48\]\n  fc\.bias is \[7\], the network has \[10\]",
        ),
        (dense().state_dict() | {"fc.bias": torch.full((10,), torch.nan)}, r"NaN or infinite entries in fc\.bias"),
        ({}, "holds no state dict: it is empty"),
        ({"model": {"a": torch.ones(1)}, "net": {"a": torch.ones(1)}}, r"several state dicts \(model, net\)"),
        ({"weights": 3}, r"no state dict: weights \(int\)"),
        ({"state_dict": {}, "state_dict_ema": dense().state_dict(), "epoch": 1}, r"\(state_dict, state_dict_ema\)"),
        ({"state_dict": dense().state_dict(), "masks": [torch.ones(10, 48)]}, r"masks beside .*\(state_dict, masks\)"),
        ({"state_dict": {}, "masks": {"fc.weight": torch.ones(10, 48, dtype=torch.bool)}}, r"\(state_dict, masks\)"),
        ({"fc._packed_params.dtype": torch.qint8}, r"of a quantized network \(fc\._packed_params\.dtype, "),
        (
            dense().state_dict() | {"fc.weight_mask": torch.ones(10, 48)},
            r"mask \[10, 48\] is not in the network\nmasks are no weights of it: multiply them into the weights",
        ),
        (nn.ModuleList([nn.Linear(64, 10)]), "bad: NotImplementedError: "),
        (Packed(), r"keeps what is no plain tensor \(_extra_state, \.\.\.\)"),
        (Packed().state_dict(), r"no state dict: _extra_state \(dict\), conv1\.weight"),
        ("nowhere.pt", "is neither a file that is here nor the beginning of a run's id"),
        ("0000dead", "no stored run begins with '0000dead'"),
        (3, "is a int; give a module, a state dict, the path of a file, or the id of a run"),
    ],
)
def test_what_cannot_be_a_state_of_the_network_is_named(data, store, bad, says):
    with pytest.raises(UsageError, match=says):
        states({"dense": dense(), "bad": bad}, data, store)


def test_files_that_are_something_else_are_named(data, store, tmp_path):
    (tmp_path / "text.pt").write_text("no tensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x00" * 20)
    torch.jit.script(nn.Linear(2, 2)).save("script.pt")
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.ones(2, 2),)), "export.pt2")
    (tmp_path / "odd.safetensors.index.json").write_text("[]")
    torch.save(torch.ones(3), "tensor.pt")
    for name, kind, says in (
        ("text.pt", DataError, "is no file of torch.save, or it is damaged"),
        ("cut.safetensors", DataError, "cannot be read"),
        ("odd.safetensors.index.json", DataError, "cannot be read"),
        ("export.pt2", UsageError, r"is a program of torch\.export; save the tensors of the module"),
        ("tensor.pt", UsageError, r"holds a Tensor; write it by torch\.save\(model\.state_dict\(\), path\)"),
        ("script.pt", UsageError, "is a TorchScript program"),
        (str(tmp_path / "data"), UsageError, "is a folder without a file model_epX_itY.pth"),
    ):
        with pytest.raises(kind, match=says):
            states({"dense": dense(), "bad": name}, data, store)


def test_a_state_dict_is_found_under_any_name_beside_an_optimizer(data, store):
    net = baked(dense())
    adam = torch.optim.Adam(net.parameters())
    net(examples(2, 0)[0]).sum().backward()
    adam.step()
    for key in ("ema", "params", "model_ema"):
        file = {key: net.state_dict(), "epoch": 3, "optimizer": adam.state_dict(), "rng": {"cpu": torch.ones(9)}}
        found = states({"dense": dense(), "plain": net, "file": file}, data, store).states
        assert found["plain"].id == found["file"].id


class Tied(nn.Module):
    """Two names of one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.out(self.b(self.a(x.flatten(1)).relu()).relu())


def test_a_file_has_one_of_the_names_of_a_tensor(data, store):
    net = Tied()
    save_model(net, "tied.safetensors")
    found = states({"dense": net, "file": "tied.safetensors"}, data, store).states
    assert found["dense"].id == found["file"].id
    lacking = {key: leaf for key, leaf in net.state_dict().items() if key not in ("a.weight", "b.weight")}
    with pytest.raises(UsageError, match=r"a\.weight \[64, 64\] is missing"):
        states({"dense": net, "bad": lacking}, data, store)


def test_tensors_without_a_network_say_so(data, store):
    with pytest.raises(UsageError, match="has tensors and no network; name the class or function"):
        states({"dense": dense().state_dict()}, data, store)


def test_a_state_without_examples_says_so(store):
    with pytest.raises(UsageError, match=r"comes without examples; give test=\(x, y\)"):
        states({"dense": dense()}, None, store)
