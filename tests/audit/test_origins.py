"""Whatever holds a state: the same pair is the same pair, and what cannot be read or fits nothing is said."""

import copy
import os
import re
from collections import OrderedDict

import pytest
import torch
from files import MaskedLinear, Net, Sized, baked, dense, examples, parametrized, pruned, weights
from safetensors.torch import save_file, save_model
from torch import nn
from torch.nn.utils import parametrizations

import prunescope as ps
from prunescope.audit.states import Examples, states
from prunescope.base.errors import DataError, UsageError
from prunescope.base.reference import FINAL
from prunescope.base.streams import Seeds, replicate
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.data.tensors import tensors
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

NET = "files:Net"


@pytest.fixture
def data():
    return Examples(Data(source=tensors(examples(60, 1), examples(40, 2))))


def masks_of(state):
    return state.run.weights.masks


def ways(net):
    """One network, pruned, in every way in which people keep it."""
    plain, masked = baked(net).state_dict(), pruned(net)
    torch.save(plain, "baked.pt")
    torch.save(masked.state_dict(), "masks.pth")
    save_file(plain, "baked.safetensors")
    compiled = {f"module._orig_mod.{key}": leaf for key, leaf in masked.state_dict().items()}
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, "state_dict": compiled}, "wrapped.ckpt")
    torch.save({"model": {f"model.{key}": leaf for key, leaf in plain.items()}}, "lightning.pt")
    torch.save({key: leaf.to_sparse() if key.endswith("v1.weight") else leaf for key, leaf in plain.items()}, "coo.pt")
    half = {key: leaf.half() if leaf.is_floating_point() else leaf for key, leaf in plain.items()}
    used = pruned(net)
    used.eval()(examples(2, 0)[0])
    return {
        "files": [
            "baked.pt",
            "masks.pth",
            "baked.safetensors",
            "wrapped.ckpt",
            "lightning.pt",
            "coo.pt",
        ],
        "modules": [masked, used, baked(net), nn.DataParallel(masked), parametrized(net), torch.compile(baked(net))],
        "dicts": [masked.state_dict(), OrderedDict(reversed(plain.items()))],
        "half": half,
    }


def test_one_network_is_one_state_by_all_origins_and_nobody_is_changed(data, store):
    kinds = ways(dense())
    net = kinds["modules"][0]
    before = copy.deepcopy([module.state_dict() for module in kinds["modules"]])
    things = [*kinds["files"], *kinds["modules"], *kinds["dicts"]]
    named = states({"dense": dense(), **{str(n): thing for n, thing in enumerate(things)}}, data, store, network=NET)
    ids = {state.id for name, state in named.states.items() if name != "dense"}
    assert len(ids) == 1
    for module, tensors_before in zip(kinds["modules"], before, strict=True):
        now = module.state_dict()
        assert list(now) == list(tensors_before)
        assert all(torch.equal(now[key], tensors_before[key]) for key in now)
    unnamed = states({"dense": dense(), "module": net, "file": "masks.pth"}, data, store)
    assert {unnamed.states["module"].id, unnamed.states["file"].id} == ids
    kept = masks_of(named.states["0"])
    for name, mask in net.named_buffers():
        if name.endswith("_mask"):
            assert torch.equal(kept[name.removesuffix("_mask")], mask != 0)


def test_what_was_done_to_a_state_is_said(data, store):
    kinds = ways(dense())
    things = {"a": pruned(dense()), "b": "masks.pth", "c": parametrized(dense()), "d": kinds["half"]}
    said = "\n".join(states({"dense": dense(), **things}, data, store).notes)
    count = sum(int((layer.weight == 0).sum()) for layer, _ in weights(baked(dense())))
    assert f"a: {count:,} weights (70.0 %) are exactly 0 and count as removed" in said
    assert "a: the masks of torch.nn.utils.prune were multiplied in" in said
    assert "masks.pth: masks saved beside their weights were multiplied in" in said
    assert "c: the parametrizations of conv1.weight, conv2.weight, fc.weight were multiplied in" in said
    assert "d: tensors in half precision became float32" in said
    assert "b is the very same state as a" in said


def test_a_mask_that_a_layer_of_the_users_own_multiplies_with_is_a_mask(data, store):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), MaskedLinear(64, 10))
    net[1].kept[:3] = 0
    state = states({"dense": net}, data, store).states["dense"]
    assert masks_of(state)["1.weight"][:3].sum() == 0 and masks_of(state)["1.weight"][3:].all()
    ignored = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    ignored[1].register_buffer("kept", net[1].kept.clone())
    assert masks_of(states({"dense": ignored}, data, store).states["dense"])["1.weight"].all()


def test_a_file_of_before_batches_were_counted_is_a_state(data, store):
    old = {key: leaf for key, leaf in dense().state_dict().items() if "num_batches" not in key}
    state = states({"dense": dense(), "old": old}, data, store).states["old"]
    new = states({"dense": dense()}, data, store).states["dense"]
    assert torch.equal(state.run.weights.buffers["bn1.running_mean"], new.run.weights.buffers["bn1.running_mean"])


def test_weight_norm_of_the_class_itself_stays(data, store):
    def build():
        return nn.Sequential(nn.Flatten(), parametrizations.weight_norm(nn.Linear(64, 10)))

    net = build()
    state = states({"dense": net.state_dict()}, data, store, network=build).states["dense"]
    assert set(masks_of(state)) == {"1.parametrizations.weight.original1"}


def narrower(net):
    """What is left of a network when half of its filters are removed, with the layers changed in place."""
    narrow = copy.deepcopy(net)
    first, second = slice(0, 3), slice(0, 8)
    cuts = {"conv1": (first, slice(None)), "bn1": (first,), "conv2": (second, first), "bn2": (second,)}
    for name, cut in cuts.items():
        layer = getattr(narrow, name)
        layer.weight = nn.Parameter(layer.weight[cut].detach().clone())
        for key in ("bias", "running_mean", "running_var"):
            if getattr(layer, key, None) is not None:
                part = getattr(layer, key)[cut[0]].detach().clone()
                setattr(layer, key, nn.Parameter(part) if key == "bias" else part)
    narrow.fc.weight = nn.Parameter(narrow.fc.weight[:, : 8 * 4].detach().clone())
    narrow.conv1.out_channels = narrow.bn1.num_features = narrow.conv2.in_channels = 3
    narrow.conv2.out_channels = narrow.bn2.num_features = 8
    narrow.fc.in_features = 32
    return narrow


@pytest.mark.parametrize("module_first", [True, False])
def test_narrower_layers_are_understood_with_or_without_the_module(data, store, module_first):
    net = narrower(dense())
    torch.save(net.state_dict(), "narrow.pt")
    things = {"module": net, "file": "narrow.pt"}
    order = ("module", "file") if module_first else ("file", "module")
    found = states({"dense": dense(), **{name: things[name] for name in order}}, data, store)
    assert found.states["module"].id == found.states["file"].id
    problem = found.states["file"].run.task.load(found.states["file"].run.seeds, data.data.source.load())
    weights_ = found.states["file"].run.weights
    x = examples(40, 2)[0]
    outputs = problem.model.apply(weights_.params, weights_.buffers, x, train=False)[0]
    assert torch.allclose(outputs, net.eval()(x), atol=1e-5)


class Heads(nn.Module):
    """Two layers with numbers of its own between them: how the pruned network has them no state dict says."""

    def __init__(self, hidden: int = 12, **numbers) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, hidden), nn.Linear(hidden, 10)
        self.numbers, self.note = list(numbers), "text"
        vars(self).update(numbers)

    def forward(self, x):
        x = self.first(x.flatten(1))
        x = x * self.scale if "scale" in self.numbers else x
        return self.last(x.view(len(x), self.heads, -1).softmax(1).flatten(1) if "heads" in self.numbers else x)


@pytest.mark.parametrize(
    ("numbers", "read"), [({"scale": 0.25}, "scale"), ({"heads": 2}, "heads"), ({"unread": 3}, "")]
)
def test_a_narrower_state_dict_is_refused_where_the_forward_pass_computes_with_numbers(data, store, numbers, read):
    torch.manual_seed(0)
    net, narrow = Heads(**numbers), Heads(hidden=6, **numbers)
    things = {"dense": net, "narrow": narrow.state_dict()}
    if not read:
        assert states(things, data, store, network=lambda: Heads(**numbers)).states["narrow"].run.weights
        return
    with pytest.raises(UsageError, match=rf"computes with {read}; .* give the narrower module itself"):
        states(things, data, store, network=lambda: Heads(**numbers))
    assert states(things | {"narrow": narrow}, data, store).states["narrow"]


def test_a_state_dict_of_parametrizations_needs_a_network_that_has_them(data, store):
    def build():
        return parametrized(dense())

    saved = parametrized(dense(1)).state_dict()
    with pytest.raises(UsageError, match=r"parametrizations of conv1, conv2, fc, and only their code says"):
        states({"dense": saved}, data, store, network=NET)
    found = states(
        {"dense": saved, "module": parametrized(dense(1)), "baked": baked(dense(1))}, data, store, network=build
    )
    assert len({state.id for state in found.states.values()}) == 1


def test_a_dense_network_of_another_width_than_named_is_refused(data, store):
    with pytest.raises(UsageError, match=r"conv1\.weight is \[6, 1, 3, 3\], the network has \[9, 1, 3, 3\]"):
        states({"dense": dense().state_dict()}, data, store, network=lambda: Net(9))


def test_torch_prunings_network_is_understood(data, store):
    tp = pytest.importorskip("torch_pruning")
    net = dense()
    pruner = tp.pruner.MagnitudePruner(
        net,
        examples(2, 0)[0],
        importance=tp.importance.MagnitudeImportance(p=2),
        pruning_ratio=0.5,
        ignored_layers=[net.fc],
    )
    pruner.step()
    found = states({"dense": dense(), "dict": net.state_dict(), "module": net}, data, store)
    assert found.states["dict"].id == found.states["module"].id
    assert found.states["dict"].run.task.network.id != found.states["dense"].run.task.network.id


def test_a_module_whose_class_needs_arguments_lends_its_network_to_the_others(data, store):
    net = dense(cls=Sized, width=6)
    found = states({"dense": net, "module": pruned(net), "file": baked(net).state_dict()}, data, store)
    assert found.states["module"].id == found.states["file"].id
    networks = {state.run.task.network.id for state in found.states.values()}
    assert len(networks) == 1
    wide = states({"dense": net, "wide": dense(cls=Sized, width=9)}, data, store)
    assert wide.states["wide"].run.task.network.id not in networks


def test_a_network_that_was_frozen_to_be_used_is_counted_like_any_other(data, store):
    frozen = pruned(dense(cls=Sized, width=6)).eval().requires_grad_(False)
    state = states({"dense": frozen}, data, store).states["dense"]
    assert state.run.weights.sparsity == pytest.approx(0.7, abs=0.01)
    assert not any(leaf.requires_grad for leaf in frozen.parameters())


def test_another_function_behind_the_same_names_is_another_network(data, store):
    class Other(Net):
        def forward(self, x):
            return super().forward(-x)

    found = states({"dense": dense(), "other": dense(cls=Other)}, data, store)
    assert len({state.run.task.network.id for state in found.states.values()}) == 2


def test_outputs_of_hugging_face_and_named_members_are_logits(data, store):
    class Answer:
        def __init__(self, logits):
            self.logits, self.loss = logits, None

    class Model(Net):
        def forward(self, x):
            return Answer(super().forward(x))

    found = states({"dense": dense(cls=Model), "pruned": baked(dense(cls=Model))}, data, store)
    assert len({state.run.task.network.id for state in found.states.values()}) == 1


def test_runs_of_a_store_by_the_first_digits_of_their_ids(data, store):
    task = Task(network=network(NET), data=data.data)
    run = Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=30, length="1ep")
    ensure(run, store=store, workers=1)
    exported = store.weights(run.id, FINAL.id)
    copied = {**exported.params, **exported.buffers}
    found = states({"dense": run.id[:6], "copy": copied, "recipe": run}, data, store)
    assert found.states["dense"].id == found.states["copy"].id
    assert found.states["recipe"].run == run
    for first in (run.id[:6], run, ps.final(run)):
        alone = states({"dense": first, "copy": copied}, None, store)
        assert alone.states["copy"].id == found.states["dense"].id


def test_a_run_brings_its_data_with_its_noise_and_what_it_held_out(store):
    source = synthetic(train=96, test=64)
    task = Task(
        network=network("prunescope.tasks.nets:LeNet", hidden=(8,), inputs=16, classes=4),
        data=Data(source=source, label_noise=0.25, validation=16),
    )
    run = Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=30, length="1ep", seeds=replicate(3))
    ensure(run, store=store, workers=1)
    state = states({"dense": run.id[:8]}, None, store).states["dense"]
    assert state.run.task == task and state.run.seeds == Seeds(labels=3)
    readings = [
        ps.Reading(measure=ps.Risk(split=split), state=reference)
        for split in ("train", "validation", "test")
        for reference in (state, ps.final(run))
    ]
    results = ensure(readings, store=store, workers=1)
    for given, trained in zip(readings[::2], readings[1::2], strict=True):
        assert results[given] == results[trained]


def test_a_run_whose_code_changed_since_is_refused(data, store, monkeypatch):
    task = Task(network=network(NET), data=data.data)
    run = Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=30, length="1ep")
    ensure(run, store=store, workers=1)
    before = Net.forward
    monkeypatch.setattr(Net, "forward", lambda self, x: -before(self, x))
    with pytest.raises(UsageError, match=rf"the code behind run {run.id[:12]} changed since it was trained"):
        states({"dense": run.id[:8]}, None, store)


def lenet_of_open_lth(folder, *, masked=True):
    """A level of OpenLTH, whose saved model still has weights where the mask is 0."""
    torch.manual_seed(0)
    sizes = [("fc_layers.0", 64, 12), ("fc_layers.1", 12, 8), ("fc", 8, 10)]
    model = {}
    for name, inputs, outputs in sizes:
        model |= {f"{name}.weight": torch.randn(outputs, inputs) / inputs**0.5, f"{name}.bias": torch.randn(outputs)}
    folder.mkdir(parents=True)
    torch.save({key: leaf + 1 for key, leaf in model.items()}, folder / "model_ep0_it0.pth")
    torch.save(model, folder / "model_ep9_it0.pth")
    torch.save({key: leaf + 2 for key, leaf in model.items()}, folder / "model_ep10_it5.pth")
    masks = {key: (torch.rand(leaf.shape) < 0.4).int() for key, leaf in model.items() if leaf.ndim > 1}
    if masked:
        torch.save(masks, folder / "mask.pth")
    return {key: leaf + 2 for key, leaf in model.items()}, masks


@pytest.mark.parametrize("place", ["level_3", "level_3/main", "level_3/main/model_ep10_it5.pth"])
def test_open_lth_has_its_last_model_its_mask_and_its_network(data, store, tmp_path, place):
    model, masks = lenet_of_open_lth(tmp_path / "level_3" / "main")
    found = states({"dense": str(tmp_path / place)}, data, store)
    weights_ = found.states["dense"].run.weights
    for number, name in enumerate(("fc1", "fc2")):
        key = f"fc_layers.{number}.weight"
        assert torch.equal(weights_.params[f"{name}.weight"], model[key] * masks[key])
    assert any("model_ep10_it5.pth" in note for note in found.notes) and any("mask.pth" in note for note in found.notes)
    x = examples(40, 2)[0].flatten(1)
    for name in ("fc_layers.0", "fc_layers.1"):
        x = torch.relu(x @ (model[f"{name}.weight"] * masks[f"{name}.weight"]).T + model[f"{name}.bias"])
    expected = x @ (model["fc.weight"] * masks["fc.weight"]).T + model["fc.bias"]
    problem = found.states["dense"].run.task.load(found.states["dense"].run.seeds, data.data.source.load())
    outputs = problem.model.apply(weights_.params, weights_.buffers, examples(40, 2)[0], train=False)[0]
    assert torch.allclose(outputs, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("path", "args", "renames"),
    [
        (
            "CifarResNet",
            {"depth": 8, "width": 4},
            [
                (r"^conv1\.", "conv."),
                (r"^bn1\.", "bn."),
                (r"shortcut\.conv", "shortcut.0"),
                (r"shortcut\.bn", "shortcut.1"),
            ],
        ),
        ("VGG", {"depth": 11}, []),
    ],
)
def test_residual_networks_and_vggs_of_open_lth_keep_every_tensor(store, tmp_path, path, args, renames):
    from prunescope.audit.origins.open_lth import load

    ours = network(f"prunescope.tasks.nets:{path}", **args).build()
    theirs = {}
    places = iter(range(100))
    for key, leaf in ours.state_dict().items():
        for pattern, name in renames:
            key = re.sub(pattern, name, key)
        key = re.sub(r"^layer(\d)\.(\d)", lambda at: f"blocks.{int(at[1]) - 1 + int(at[2])}", key)
        if path == "VGG" and (at := re.match(r"(conv|bn)(\d+)\.(.*)", key)):  # pooling takes places among the layers
            key = f"layers.{int(at[2]) - 1 + int(at[2]) // 2}.{at[1]}.{at[3]}"
        theirs[key] = leaf + next(places) / 7 if leaf.is_floating_point() else leaf
    torch.save(theirs, tmp_path / "model_ep1_it0.pth")
    found, named = load(tmp_path, "it", store).own
    assert {key: list(leaf.shape) for key, leaf in named.items()} == {
        key: list(leaf.shape) for key, leaf in found.build().state_dict().items()
    }
    assert [leaf.flatten()[0] for leaf in named.values()] == [leaf.flatten()[0] for leaf in theirs.values()]


def test_masks_of_other_tensors_are_refused(data, store, tmp_path):
    lenet_of_open_lth(tmp_path / "main")
    torch.save({"fc9.weight": torch.ones(2, 2)}, tmp_path / "main" / "mask.pth")
    with pytest.raises(UsageError, match=r"mask\.pth has masks of fc9\.weight, which model_ep10_it5\.pth has not"):
        states({"dense": str(tmp_path)}, data, store)


class Payload:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_pickle_is_refused_with_the_way_out_and_never_executed(data, store, tmp_path):
    torch.save(dense(), "module.pt")
    torch.save({"state_dict": Payload()}, "payload.pt")
    for name, code in (("module.pt", r"files\.Net"), ("payload.pt", r"\w+\.system")):
        with pytest.raises(
            UsageError, match=rf"{name} is a pickle of more than tensors \({code}\).*state_dict\(\), path"
        ):
            states({"dense": dense(), "bad": name}, data, store)
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
        ({"state_dict": {}, "masks": {"fc.weight": torch.ones(10, 48, dtype=torch.bool)}}, r"\(state_dict, masks\)"),
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
    torch.save(torch.ones(3), "tensor.pt")
    for name, kind, says in (
        ("text.pt", DataError, "is no file of torch.save, or it is damaged"),
        ("cut.safetensors", DataError, "cannot be read"),
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
