"""Networks as files: each is read by its own library and computes what the stored network computes."""

import importlib.util
import json

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

import prunescope as ps
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.runs.machine.modules import loaded
from prunescope.sharing import exporters
from prunescope.sharing.leaves import names

needs_onnx = pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="needs the extra onnx")
EVERY = [pytest.param(name, marks=needs_onnx if name == "onnx" else ()) for name in names(exporters)]


class Filters(nn.Module):
    """Two convolutions with normalization, a depthwise one between them, and neurons behind."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.second, self.hidden, self.out = nn.Conv2d(8, 6, 3, stride=2), nn.Linear(54, 12), nn.Linear(12, 10)

    def forward(self, x):
        x = self.second(self.depthwise(self.norm(self.first(x)).relu()).relu()).relu()
        return self.out(self.hidden(x.flatten(1)).relu())


class Wide(Filters):
    """A network that computes with a width."""

    def forward(self, x):
        x = self.norm(self.first(x)).relu().reshape(len(x), 8, 64).reshape(len(x), 8, 8, 8)
        x = self.second(self.depthwise(x).relu()).relu()
        return self.out(self.hidden(x.flatten(1)).relu())


def recipe(network=Filters, **changes):
    draw = torch.Generator().manual_seed(0)
    task = ps.Task.from_module(
        network,
        train=(torch.randn(64, 1, 8, 8, generator=draw), torch.arange(64) % 10),
        test=(torch.randn(20, 1, 8, 8, generator=draw), torch.arange(20) % 10),
    )
    return ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=16, length="1ep", **changes)


def without_units(*layers, network=Filters):
    schedules = tuple(
        ps.LayerSchedule(layer=name, start="0ep", end="0ep", fraction=0.5, period="1ep") for name in layers
    )
    return recipe(network, interventions=(ps.PruneUnits(layers=schedules),))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ps.Store(tmp_path_factory.mktemp("store"))


@pytest.mark.parametrize("to", EVERY)
def test_what_is_written_computes_what_the_network_computes(to, store, tmp_path):
    run = ps.imp(recipe(), levels=1)[-1]
    ps.ensure(run, store=store, workers=1)
    path = tmp_path / "net"
    written = ps.export(run, to, path, store=store)
    x = torch.randn(5, 1, 8, 8)
    expected = written.module(x)
    torch.testing.assert_close(outputs_of(to, path, x, written.module), expected, rtol=1e-5, atol=1e-5)
    assert facts_of(to, path)["run"] == run.id
    assert [file.name for file in tmp_path.iterdir()] == ["net"]


def outputs_of(to, path, x, module):
    """By the format's own reader."""
    if to == "torch.export":
        return torch.export.load(path).module()(x)
    if to == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    fresh = Filters().eval()
    fresh.load_state_dict(load_file(path))
    removed = sum(int((leaf == 0).sum()) for leaf in fresh.state_dict().values() if leaf.ndim > 1)
    assert removed == sum(int((leaf == 0).sum()) for leaf in module.state_dict().values() if leaf.ndim > 1) > 100
    return fresh(x)


def facts_of(to, path):
    if to == "torch.export":
        extra = {"prunescope.json": ""}
        torch.export.load(path, extra_files=extra)
        return json.loads(extra["prunescope.json"])
    if to == "onnx":
        import onnx

        return json.loads(onnx.load(path).metadata_props[0].value)
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["prunescope"])


@pytest.mark.parametrize("to", EVERY)
def test_filters_that_are_gone_are_left_out(to, store, tmp_path):
    run = without_units("first", "hidden")
    ps.ensure(run, store=store, workers=1)
    whole = ps.load_module(run, store=store)
    written = ps.export(run, to, tmp_path / "net", store=store, smaller=True)
    assert written.removed == {"first": 4, "hidden": 6} and not written.kept
    assert written.module.first.out_channels == written.module.depthwise.groups == 4
    assert written.module.out.weight.shape == (10, 6)
    x = torch.randn(9, 1, 8, 8)
    torch.testing.assert_close(written.module(x), whole(x), rtol=1e-5, atol=1e-5)


def test_a_width_that_the_code_computes_with_stays(store):
    run = without_units("first", "hidden", network=Wide)
    ps.ensure(run, store=store, workers=1)
    taken = loaded(run, store=store, smaller=True)
    assert taken.removed == {"hidden": 6} and taken.kept == {"first": "the network computes with its width"}
    x = torch.randn(9, 1, 8, 8)
    whole = ps.load_module(run, store=store)
    torch.testing.assert_close(taken.module(x), whole(x), rtol=1e-5, atol=1e-5)


def test_single_weights_make_nothing_smaller(store):
    run = ps.imp(recipe(), levels=1)[-1]
    ps.ensure(run, store=store, workers=1)
    with pytest.raises(UsageError, match="no unit that can be left out"):
        ps.load_module(run, store=store, smaller=True)


def test_a_run_by_its_id_and_what_is_refused(store, tmp_path, monkeypatch):
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=(8,), inputs=64)
    run = recipe().replace(task=ps.Task(network=net, data=ps.Data(source=ps.digits())))
    local = recipe()
    ps.ensure(run, local, store=store, workers=1)
    assert torch.equal(
        ps.load_module(run.id[:8], store=store).state_dict()["fc1.weight"],
        ps.load_module(run, store=store).state_dict()["fc1.weight"],
    )
    with pytest.raises(UsageError, match=r"no 'tflite' to export to; there are onnx, safetensors, torch\.export"):
        ps.export(run, "tflite", tmp_path / "net", store=store)
    monkeypatch.setattr("prunescope.sharing.exporters.safetensors.write", lambda network, path: torch.zeros(8, 10))
    with pytest.raises(PrunescopeError, match="computes something else than the network"):
        ps.export(run, "safetensors", tmp_path / "net", store=store)

    def full(network, path):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("prunescope.sharing.exporters.safetensors.write", full)
    with pytest.raises(PrunescopeError, match=r"cannot be written as safetensors \(I/O error: No space left"):
        ps.export(run, "safetensors", tmp_path / "net", store=store)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", EVERY)
def test_a_full_disk_is_told_and_leaves_no_file(to, store, tmp_path, request):
    """In whatever way the format's own writer takes it."""
    run = ps.imp(recipe(), levels=1)[-1]
    ps.ensure(run, store=store, workers=1)
    request.getfixturevalue("little_room")
    with pytest.raises(PrunescopeError, match=f"net cannot be written as {to} .*; nothing was written"):
        ps.export(run, to, tmp_path / "net", store=store)
    assert not list(tmp_path.iterdir())


class Fixed(Filters):
    """A buffer that no state dict has, and that the code makes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", self.made(), persistent=False)

    def made(self):
        return torch.full((1, 1, 8, 8), 2.0)

    def forward(self, x):
        return super().forward(x * self.scale)


class Drawn(Fixed):
    def made(self):
        return torch.randn(1, 1, 8, 8)


def test_a_buffer_that_no_state_dict_has_must_be_made_by_the_code(store, tmp_path):
    kinds = {"fixed": (Fixed, True), "drawn": (Drawn, False), "instance": (Fixed(), False)}
    for name, (network, writes) in kinds.items():
        ps.ensure(run := recipe(network), store=store, workers=1)
        if writes:
            ps.export(run, "safetensors", tmp_path / name, store=store)
            continue
        with pytest.raises(UsageError, match=r"scale is in no state dict \(persistent=False\)"):
            ps.export(run, "safetensors", tmp_path / name, store=store)
        ps.export(run, "torch.export", tmp_path / name, store=store)
    with pytest.raises(UsageError, match="None is no state"):
        ps.load_module(None, store=store)


def test_tokens_go_in_as_the_network_takes_them(store, tmp_path):
    tokens = torch.randint(1, 20, (64, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.rand(64, 6, generator=torch.Generator().manual_seed(1)) > 0.3
    pairs = {
        "train": ({"tokens": tokens, "mask": mask}, tokens[:, 0] % 2),
        "test": ({"tokens": tokens, "mask": mask}, tokens[:, 0] % 2),
    }
    run = recipe().replace(task=ps.Task.from_module(Tokens, **pairs))
    ps.ensure(run, store=store, workers=1)
    ps.export(run, "torch.export", tmp_path / "net.pt2", store=store)
    graph = torch.export.load(tmp_path / "net.pt2").module()
    module = ps.load_module(run, store=store)
    for key in list(module._forward_pre_hooks):
        del module._forward_pre_hooks[key], module._forward_pre_hooks_with_kwargs[key]
    torch.testing.assert_close(graph(tokens=tokens[:3], mask=mask[:3]), module(tokens=tokens[:3], mask=mask[:3]))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(20, 8), nn.Linear(8, 2)

    def forward(self, tokens, mask):
        return self.out((self.embedding(tokens) * mask[..., None]).mean(1))
