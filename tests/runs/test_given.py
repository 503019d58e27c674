"""States that nobody trained here: named by content, kept in the store, read like those of runs."""

import copy
import pickle

import numpy as np
import pytest
import torch
from specimens import recipe as make_recipe
from specimens import risk
from torch import nn
from torch.nn.utils import prune

from prunescope.base.errors import StoreError, UsageError
from prunescope.base.reference import FINAL, Moment, StateRef
from prunescope.measures import Examples, LayerSparsity, Risk
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.graph.families import dense
from prunescope.runs.graph.given import Given, given
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.store import housekeeping
from prunescope.runs.store.index import listing
from prunescope.runs.store.plan import plan
from prunescope.tasks.model import network_of
from prunescope.tasks.nets import LeNet
from prunescope.training.interventions import TakeMasks


def module(*, zeros: int = 0, seed: int = 0) -> LeNet:
    torch.manual_seed(seed)
    net = LeNet(hidden=(8,), inputs=16, classes=4)
    with torch.no_grad():
        net.fc1.weight[:zeros] = 0
    return net


TASK = make_recipe().task


def test_a_module_and_its_state_dict_are_one_state_and_other_tensors_another():
    state = given(module(zeros=2), TASK)
    assert state.id == given(module(zeros=2).state_dict(), TASK).id
    moved = module(zeros=2).state_dict()
    moved["fc.bias"][0] += 1e-6
    assert len({state.id, given(moved, TASK).id, given(module(zeros=3), TASK).id}) == 3
    noisier = TASK.replace(data=TASK.data.replace(label_noise=0.5))
    assert given(module(zeros=2), noisier).id != state.id


class Unsaved(nn.Module):
    """A matrix that no state dict has."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 4)
        self.register_buffer("drawn", torch.randn(16, 16), persistent=False)

    def forward(self, x):
        return self.head(x.flatten(1) @ self.drawn)


def test_what_a_state_dict_lacks_is_taken_from_the_module_or_asked_for(store):
    torch.manual_seed(7)
    net, task = Unsaved(), TASK.replace(network=network_of(Unsaved))
    node = Reading(measure=Risk(), state=given(net, task))
    test = TASK.data.source.load()
    with torch.no_grad():
        right = torch.nn.functional.cross_entropy(net(test.test_x.take(torch.arange(len(test.test_y)))), test.test_y)
    assert float(ensure(node, store=store, workers=1)[node]["loss"]) == pytest.approx(float(right), rel=1e-5)
    with pytest.raises(UsageError, match=r"drawn \[16, 16\] is missing and drawn by the network: give the module"):
        given(net.state_dict(), task)


class Other(LeNet):
    def forward(self, x):
        return 2 * super().forward(x)


def test_a_module_that_computes_something_else_is_refused():
    with pytest.raises(UsageError, match=r"the Other computes other outputs than .*LeNet with its tensors"):
        given(Other(hidden=(8,), inputs=16, classes=4), TASK)


def test_masks_of_torch_that_were_not_removed_are_read_and_the_module_keeps_them():
    net = module()
    layer = next(part for part in net.modules() if isinstance(part, nn.Linear))
    prune.l1_unstructured(layer, "weight", 0.5)
    masked = given(net, TASK)
    assert prune.is_pruned(net)
    prune.remove(layer, "weight")
    assert masked.id == given(net, TASK).id


def test_negative_zeros_and_the_order_of_tensors_make_no_other_state():
    plain = module(zeros=2).state_dict()
    odd = dict(reversed(plain.items()))
    odd["fc1.weight"] = torch.where(plain["fc1.weight"] == 0, torch.tensor(-0.0), plain["fc1.weight"])
    assert given(odd, TASK).id == given(plain, TASK).id


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_is_read_of_a_given_state_is_what_the_module_itself_does(store, workers):
    net = module(zeros=3)
    state = given(net, TASK)
    readings = {measure: Reading(measure=measure, state=state) for measure in (Risk(), Examples(), LayerSparsity())}
    results = ensure(list(readings.values()), store=store, workers=workers)
    arrays = TASK.data.source.load()
    with torch.no_grad():
        logits = net(arrays.test_x.take(torch.arange(len(arrays.test_x))))
    expected = torch.nn.functional.cross_entropy(logits.double(), arrays.test_y)
    assert float(results[readings[Risk()]]["loss"]) == pytest.approx(float(expected), rel=1e-6)
    assert float(results[readings[LayerSparsity()]]["fc1.weight"]) == 3 / 8
    assert float(results[state.run]["sparsity"]) == pytest.approx(3 * 16 / (8 * 16 + 8 * 4))
    assert not plan(readings.values(), store).work


def test_a_plan_prices_a_given_state_and_stores_nothing(store):
    todo = plan([risk(given(module(), TASK).run)], store)
    prepared = prepare(todo, store, workers=1)
    assert list(todo.jobs) == [] and len(todo.readings) == 1
    assert all(seconds > 0 for seconds in prepared.seconds.values())
    assert list(store.run_ids()) == []


def test_it_is_listed_as_given_and_gc_keeps_it_while_something_pinned_is_read_of_it(store):
    first, second = given(module(), TASK), given(module(seed=1), TASK)
    readings = [Reading(measure=Risk(), state=state) for state in (first, second)]
    ensure(readings, store=store, workers=1)
    assert {(row.id, row.status) for row in listing(store)} == {(first.run.id, "given"), (second.run.id, "given")}
    housekeeping.pin(store, "one", [readings[0]])
    assert list(housekeeping.garbage(store, store.pins()).runs) == [second.run.id]
    by_reading = housekeeping.garbage(store, {"other": [readings[1].id]})
    assert list(by_reading.runs) == [first.run.id]
    assert [check.problem for check in housekeeping.verify(store, housekeeping.files(store)) if check.problem] == []


def test_another_process_that_has_only_the_id_needs_the_store(store, tmp_path):
    reading = risk(given(module(), TASK).run)
    ensure(reading, store=store, workers=1)
    elsewhere = pickle.loads(pickle.dumps(reading))
    assert elsewhere.state.run.weights is None
    sparsity = Reading(measure=LayerSparsity(), state=elsewhere.state)
    assert float(ensure(sparsity, store=store, workers=1)[sparsity]["sparsity"]) == 0
    with pytest.raises(UsageError, match=r"is not in .*give it again"):
        ensure(sparsity, store=tmp_path / "other", workers=1)


def test_a_state_whose_file_holds_another_one_is_not_read(store):
    state, other = given(module(), TASK), given(module(seed=1), TASK)
    ensure([risk(state.run), risk(other.run)], store=store, workers=1)
    path = store.root / store.state_key(state.run.id, FINAL.id)
    path.write_bytes((store.root / store.state_key(other.run.id, FINAL.id)).read_bytes())
    elsewhere = pickle.loads(pickle.dumps(state))
    with pytest.raises(StoreError):
        ensure(Reading(measure=LayerSparsity(), state=elsewhere), store=store, workers=1)


def test_a_state_that_was_deleted_is_stored_again_where_it_is_given(store):
    reading = risk(given(module(), TASK).run)
    ensure(reading, store=store, workers=1)
    (store.root / store.state_key(reading.state.run.id, FINAL.id)).unlink()
    again = Reading(measure=LayerSparsity(), state=reading.state)
    assert float(ensure(again, store=store, workers=1)[again]["sparsity"]) == 0


def test_a_run_begins_at_a_given_state_and_takes_its_masks(store):
    state = given(module(zeros=2), TASK)
    run = make_recipe(length="1ep").replace(start=state)
    ensure(risk(run), store=store, workers=1)
    weights = store.weights(run.id, FINAL.id)
    assert int((weights.params["fc1.weight"][:2] != 0).sum()) == 0
    assert not torch.equal(weights.params["fc1.weight"][2:], module(zeros=2).fc1.weight[2:])
    assert store.manifest(run.id)["parents"] == [state.run.id]
    masked = dense(make_recipe(length="1ep")).replace(interventions=(TakeMasks(of=state),))
    ensure(risk(masked), store=store, workers=1)
    assert float(store.weights(masked.id, FINAL.id).masks["fc1.weight"].float().mean()) == 6 / 8


def test_it_has_one_moment(store):
    early = StateRef(run=given(module(), TASK).run, moment=Moment(when="step", at="0it"))
    with pytest.raises(UsageError, match="a given state has no moment 'step'"):
        plan([Reading(measure=Risk(), state=early)], store)


def test_what_does_not_fit_is_named_key_by_key():
    tensors = module().state_dict()
    del tensors["fc1.bias"]
    tensors |= {"fc.weight": torch.ones(5, 8), "extra": torch.ones(2)}
    with pytest.raises(UsageError) as problem:
        given(tensors, TASK)
    lines = str(problem.value).splitlines()
    assert lines[1:4] == [
        "  fc1.bias [8] is missing",
        "  extra [2] is not in the network",
        "  fc.weight is [5, 8], the network has [4, 8]",
    ]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bad):
    net = module()
    with torch.no_grad():
        net.fc.weight[0, 0] = bad
    with pytest.raises(UsageError, match=r"NaN or infinite entries in fc\.weight"):
        given(net, TASK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w != 0, r"fc\.weight of the state is torch\.bool, and torch\.float32 in the network"),
        (lambda w: (10 * w).int(), r"is torch\.int32, and torch\.float32"),
        (lambda w: w.double() * 1e-60, "entries that float32 takes for 0, as if they had been removed"),
        (lambda w: w.double() * 1e60, "entries beyond float32"),
        (lambda w: w.to("meta"), "'meta', without numbers"),
        (lambda w: w + 0j, "complex tensors"),
    ],
)
def test_tensors_that_are_no_weights_of_the_network_are_refused(change, message):
    tensors = module().state_dict()
    with pytest.raises(UsageError, match=message):
        given(tensors | {"fc.weight": change(tensors["fc.weight"])}, TASK)


class Causal(nn.Module):
    """A mask of minus infinity, as those of attention are."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 4)
        self.register_buffer("mask", torch.tensor([float("-inf")]))

    def forward(self, x):
        return self.head(x.flatten(1)) + self.mask.exp()


def test_an_infinite_buffer_that_the_network_itself_has_is_no_damage():
    task = TASK.replace(network=network_of(Causal))
    net = Causal()
    assert given(net, task).run.weights.buffers["mask"].isinf().all()
    with pytest.raises(UsageError, match="NaN or infinite entries in mask"):
        given(net.state_dict() | {"mask": torch.tensor([float("inf")])}, task)


def test_sparse_tensors_are_what_they_hold():
    tensors = module(zeros=2).state_dict()
    for kind in (torch.float32, torch.float64):
        assert (
            given({key: leaf.to(kind).to_sparse() for key, leaf in tensors.items()}, TASK).id == given(tensors, TASK).id
        )


def test_an_output_that_is_no_number_is_neither_right_nor_wrong(store):
    tensors = {key: leaf.sign() * 3e38 for key, leaf in module().state_dict().items()}
    state = given(tensors, TASK)
    read = ensure([Reading(measure=measure, state=state) for measure in (Risk(), Examples(split="test"))], store=store)
    risk, examples = (read[Reading(measure=measure, state=state)] for measure in (Risk(), Examples(split="test")))
    assert np.isnan(risk["error"]) and not examples["correct"].any()


def test_a_given_value_without_its_tensors_equals_the_one_with_them():
    state = given(module(), TASK)
    bare = Given(task=TASK, tensors=state.run.tensors)
    assert bare == state.run and copy.deepcopy(state.run) is state.run
