"""What a place in a program is worth, and how many fit: measured, counted, and said where it cannot be had."""

import pytest
from specimens import Notes, manifest, replicas
from specimens import recipe as make_recipe

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.streams import replicate
from prunescope.papers.yang2023.scales import Setting
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import imp
from prunescope.runs.machine import memory, pack_sizes
from prunescope.runs.machine.memory import out_of_memory
from prunescope.runs.machine.packing import ALONE
from prunescope.runs.store.plan import plan
from prunescope.training.engines.engine import Loop
from prunescope.training.interventions import At, Noise, Prune, TakeMasks
from prunescope.training.optim import SGD


def test_a_stack_that_cannot_fit_says_what_does(store, monkeypatch):
    monkeypatch.setattr(pack_sizes, "_fits", lambda member, device, workers: 3)
    runs, told = replicas(4), Notes()
    ensure(runs, store=store, workers=1, engine="loop", stack=9, display=told)
    [note] = told.texts
    assert "9 runs of prunescope.tasks.nets:LeNet do not fit" in note and "; 3 train at a time" in note
    assert all(manifest(store.root, run)["exec"]["stack"] == 3 for run in runs)
    with pytest.raises(UsageError, match="stack=0"):
        ensure(replicas(2), store=store, workers=1, stack=0)


def test_the_memory_that_is_free_decides_how_many_train_together(store, monkeypatch):
    monkeypatch.setattr(pack_sizes, "measure", lambda bench, recipe, way: pack_sizes.Worth(1.0, 0.1, 1000))
    monkeypatch.setattr(memory, "free_here", lambda: int(2.2 * 1000 / memory.SHARE))
    runs = replicas(5)
    ensure(runs, store=store, workers=1, engine="loop", stack=5)
    done = [manifest(store.root, run)["exec"] for run in runs]
    assert {facts["stack"] for facts in done} == {2} and max(max(facts["members"]) for facts in done) == 2


def test_examples_of_ones_own_count_and_shared_ones_do_not(store):
    own = Setting(dimension=40, examples=10, tests=20)
    recipes = [own.dense(number) for number in range(2)]
    assert pack_sizes.bytes_of_data(Workbench(store), recipes) == (10 + 20) * 2 * 40 * 4
    assert pack_sizes.bytes_of_data(Workbench(store), replicas(3)) == 0


def test_a_network_that_no_stack_admits_says_so_and_trains_alone(store):
    runs, told = (
        [make_recipe(path="specimens:Drawing").replace(seeds=replicate(k)) for k in range(2)],
        Notes(),
    )
    ensure(runs, store=store, workers=1, stack=4, display=told)
    [note] = told.texts
    assert note.startswith("specimens:Drawing trains one run at a time, not 4")
    assert all(manifest(store.root, run)["exec"]["stack"] == 1 for run in runs)


def test_measuring_says_what_a_place_costs_and_packs_only_where_it_wins(store, monkeypatch):
    runs = replicas(8, optimizer=SGD())
    left = plan(runs, store)
    monkeypatch.setattr(pack_sizes, "WORTH_SECONDS", 0.0)
    seconds, bench = dict.fromkeys(left.work, 1.0 / 1000), Workbench(store)
    for together_, packed in ((0.1, True), (0.99, False)):
        monkeypatch.setattr(pack_sizes, "measure", lambda b, r, way, t=together_: pack_sizes.Worth(1.0, t, 1000))
        found = pack_sizes.packing(left, seconds, bench, workers=2)
        assert (found.size(runs[0]) > 1) == packed
        for path in (store.root / "prices").glob("stacks-*"):
            path.unlink()
    pruned = replicas(8, optimizer=SGD(), interventions=(Prune(),))
    monkeypatch.setattr(
        pack_sizes, "measure", lambda b, r, way: pack_sizes.Worth(1.0, 0.1 if r.interventions else 0.99, 1000)
    )
    left = plan([*runs, *pruned], store)
    found = pack_sizes.packing(left, dict.fromkeys(left.work, 1e-3), bench, workers=2)
    assert (found.size(pruned[0]), found.size(runs[0])) == (64, 1)  # only those that gain
    assert {found.share(run) for run in pruned} == {0.1}
    assert {found.share(run) for run in runs} == {1.0}
    monkeypatch.undo()
    worth = pack_sizes.measure(bench, runs[0])
    assert 0 < worth.together < worth.alone and worth.member > 1000 and worth.way in ("layers", "vmap")
    assert ALONE.size(runs[0]) == 1 and out_of_memory(MemoryError())


def test_a_kind_with_an_event_before_every_step_can_be_measured(store):
    """With no two counts of steps to compare, the longer one is divided by its steps."""
    noisy = replicas(2, interventions=(Noise(std=0.1, length="9it", when=At(at="0it")),))
    bench = Workbench(store)
    members = pack_sizes._members(bench, noisy[0], 2)
    assert members[0].steps_until_due == 1
    assert pack_sizes._step(Loop(), members, "cpu") > 0
    assert pack_sizes.measure(bench, noisy[0]).member > 1000


def test_a_run_that_takes_the_masks_of_one_that_is_not_there_yet_is_measured_without_them(store, recipe):
    pruned = imp(recipe, levels=1)[-1]
    other = recipe.replace(interventions=(TakeMasks(of=StateRef(run=pruned)),))
    assert pack_sizes.measure(Workbench(store), other).alone > 0


def test_a_kind_that_memory_does_not_hold_while_it_is_measured_still_needs_what_can_be_counted(store, monkeypatch):
    def short(*_, **__):
        raise MemoryError

    run = replicas(1, optimizer=SGD())[0]
    counted = pack_sizes.measure(Workbench(store), run).member
    monkeypatch.setattr(pack_sizes, "_measure_pack", short)
    worth = pack_sizes.measure(Workbench(store), run)
    assert 1000 < worth.member <= counted and worth.together == worth.alone
