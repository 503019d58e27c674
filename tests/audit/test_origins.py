"""Whatever holds a state: the same pair is the same pair, and what cannot be read or fits nothing is said."""

import copy
import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from files import MaskedLinear, Net, Sized, baked, dense, examples, parametrized, pruned, weights
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.optim.swa_utils import AveragedModel

import prunescope as ps
from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL
from prunescope.base.streams import Seeds, replicate
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.given.states import states
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

NET = "files:Net"


def masks_of(state):
    return state.run.weights.masks


def ways(net):
    """One network, pruned, in every way in which people keep it."""
    plain, masked = baked(net).state_dict(), pruned(net)
    torch.save(plain, "baked.pt")
    torch.save(masked.state_dict(), "masks.pth")
    save_file(plain, "baked.safetensors")
    places = {key: f"{len(key) % 2}.safetensors" for key in plain}
    for shard in set(places.values()):
        save_file({key: leaf for key, leaf in plain.items() if places[key] == shard}, shard)
    Path("baked.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
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
            "baked.safetensors.index.json",
            "wrapped.ckpt",
            "lightning.pt",
            "coo.pt",
        ],
        "modules": [
            masked,
            used,
            baked(net),
            nn.DataParallel(masked),
            parametrized(net),
            torch.compile(baked(net)),
            AveragedModel(baked(net)),
        ],
        "dicts": [masked.state_dict(), OrderedDict(reversed(plain.items())), AveragedModel(baked(net)).state_dict()],
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
    assert "d: tensors in half precision or less became float32" in said
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


class LowRank(nn.Module):
    """Adds a product of two matrices to a weight, as an adapter does."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(10, 1)), nn.Parameter(torch.randn(1, 48))

    def forward(self, weight):
        return weight + self.a @ self.b


@pytest.mark.parametrize(
    "change",
    [lambda fc: parametrize.register_parametrization(fc, "weight", LowRank()), parametrizations.orthogonal],
    ids=["low rank", "orthogonal"],
)
def test_a_weight_that_keeps_no_zero_of_what_is_stored_is_counted_as_it_is_made(data, store, change):
    """What is stored of it is not prunable: without its weights the network would pass for sparser than it is."""
    net, plain = baked(dense()), baked(dense())
    change(net.fc)
    plain.fc.weight = nn.Parameter(net.fc.weight.detach())
    found = states({"dense": dense(), "made": net, "plain": plain}, data, store)
    assert found.states["made"].id == found.states["plain"].id
    assert torch.equal(masks_of(found.states["made"])["fc.weight"], net.fc.weight != 0)
    assert any("made: the parametrizations of fc.weight were multiplied in" in note for note in found.notes)


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
