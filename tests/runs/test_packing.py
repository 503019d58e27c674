"""Runs that train in one program: which, how many, and what their end means."""

import pytest
import torch
from specimens import contents, manifest, replicas, risk
from specimens import recipe as make_recipe

from prunescope.base.streams import replicate
from prunescope.runs.execution.checkpointer import load_checkpoint
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.messages import Message
from prunescope.runs.execution.packed_runs import train_pack
from prunescope.runs.execution.queue import WorkQueue
from prunescope.runs.execution.status import Display
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import imp
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.machine import pack_sizes
from prunescope.runs.machine.memory import DoesNotFit
from prunescope.runs.machine.packing import Kind, Pack, Packing, choose_pack, common, like
from prunescope.runs.store.lease import acquire as take_lease
from prunescope.runs.store.plan import Job, plan
from prunescope.runs.store.store import Store
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.stack import Stack
from prunescope.training.interventions import Prune
from prunescope.training.optim import Adam
from prunescope.training.probes import Curve
from prunescope.training.schedules import Constant
from prunescope.training.stopping import LossBelow


def test_what_runs_must_share(recipe):
    same = [
        recipe.replace(seeds=replicate(3)),
        recipe.replace(schedule=Constant(lr=1.0), length="9ep", stop=LossBelow(loss=0.1)),
        recipe.replace(interventions=(Prune(),)),
        imp(recipe, levels=1)[1],
    ]
    others = [
        recipe.replace(optimizer=Adam()),
        recipe.replace(batch=16),
        recipe.replace(precision="bfloat16"),
        make_recipe(hidden=(9,)),
        recipe.replace(task=recipe.task.replace(data=recipe.task.data.replace(validation=10))),
    ]
    assert {common(one) for one in same} == {common(recipe)}
    assert len({common(one) for one in (recipe, *others)}) == 1 + len(others)


def test_a_pack_takes_its_share_and_the_like_first(recipe):
    prune = (Prune(),)
    jobs = {run.id: Job(run) for run in (*replicas(6), *replicas(6, interventions=prune), recipe.replace(batch=8))}
    first = next(key for key, job in jobs.items() if job.recipe.interventions)
    taken = choose_pack(first, list(jobs), jobs.__getitem__, most=8, workers=1)
    assert len(taken) == 8 and taken[0] == first and len(set(taken)) == 8
    assert all(jobs[key].recipe.interventions == prune for key in taken[:6])
    third = choose_pack(first, list(jobs), jobs.__getitem__, most=8, workers=3)
    assert [bool(jobs[key].recipe.interventions) for key in third] == [True, True, False, False]


@pytest.mark.filterwarnings("ignore:a run failed")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_runs_in_one_program_equal_those_alone(tmp_path, workers):
    runs = [level for run in replicas(3) for level in imp(run, levels=2)]
    runs += replicas(1, schedule=Constant(lr=1e30))
    nodes = [*runs, *map(risk, runs[:9])]
    ensure(nodes, store=tmp_path / "alone", workers=1, engine="loop", stack=1)
    ensure(nodes, store=tmp_path / "packed", workers=workers, engine="loop", stack=3)
    stores = [Store(tmp_path / name) for name in ("alone", "packed")]
    rounded = ("exec", "files")  # states are equal to rounding, and so have other digests
    for run in runs[:9]:
        alone, packed = (store.manifest(run.id) for store in stores)
        assert packed["exec"]["stack"] == 3 and alone["exec"]["stack"] == 1
        assert alone["exec"]["members"] == [1] and set(packed["exec"]["members"]) <= {1, 2, 3}
        assert {k: v for k, v in packed.items() if k not in rounded} == {
            k: v for k, v in alone.items() if k not in rounded
        }
        left, right = (float(store.reading(risk(run).id)["loss"]) for store in stores)
        assert left == pytest.approx(right, rel=1e-4)
    assert [store.manifest(runs[9].id)["status"] for store in stores] == ["failed", "failed"]
    assert not list((tmp_path / "packed" / "leases").iterdir())


def test_a_run_that_another_process_holds_or_has_stored_is_left_to_it(store):
    runs = replicas(3)
    ensure(runs[1], store=store, workers=1)
    lease, told = take_lease(store, runs[0].id), []
    pack = Pack(tuple(map(Job, runs)), 4)
    assert train_pack(Workbench(store), pack, lambda node, steps: True, told.append)
    lease.release()
    assert {message.node: message.kind for message in told} == {
        runs[0].id: "busy",
        runs[1].id: "done",
        runs[2].id: "done",
    }


def test_a_stop_leaves_a_checkpoint_of_every_run_that_goes_on_to_the_same_bits(store, tmp_path, monkeypatch):
    monkeypatch.setattr(pack_sizes, "METHODS", ["layers"])  # not by measuring, whose answer may differ
    runs, told = replicas(3), []
    pack = Pack(tuple(map(Job, runs)), 4)
    assert not train_pack(Workbench(store), pack, lambda node, steps: steps < 2, told.append)
    assert told == [] and not list((store.root / "leases").iterdir())
    kept = [load_checkpoint(store, run.id) for run in runs]
    assert all(found.progress.local >= 2 and found.setting.stack == 4 for found in kept)
    ensure(runs, store=store, workers=1, stack=4)
    assert all(manifest(store.root, run)["steps"] == 9 for run in runs)
    ensure(runs, store=tmp_path / "at-once", workers=1, engine="loop", stack=4)
    assert contents(store.root) == contents(tmp_path / "at-once")


def test_too_little_memory_splits_the_program_and_loses_nothing(store, monkeypatch):
    plain, asked = Stack.advance, []

    def advance(self, replicas, steps):
        asked.append(len(replicas))
        if len(replicas) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, replicas, steps)

    monkeypatch.setattr(Stack, "advance", advance)
    runs = replicas(5)
    ensure(runs, store=store, workers=1, engine="loop", stack=5)
    assert {5, 2} <= set(asked)
    assert all(manifest(store.root, run)["exec"]["stack"] <= 2 for run in runs)


def test_what_happened_before_memory_ran_out_does_not_happen_again(store, tmp_path, monkeypatch):
    plain, failures = Stack.advance, []

    def advance(self, replicas, steps):
        if len(replicas) == 4 and not failures:
            failures.append(len(replicas))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, replicas, steps)

    prune = Prune()
    nodes = [Trace(probe=Curve(split="test", every="1ep"), run=run) for run in replicas(4, interventions=(prune,))]
    ensure(nodes, store=tmp_path / "whole", workers=1, engine="loop", stack=2)
    monkeypatch.setattr(Stack, "advance", advance)
    ensure(nodes, store=store, workers=1, engine="loop", stack=4)
    assert failures == [4]
    whole = Store(tmp_path / "whole")
    for node in nodes:
        found, wanted = (shop.trace(node.run.id, node.probe.id) for shop in (store, whole))
        assert list(found["step"]) == list(wanted["step"])
        assert store.manifest(node.run.id)["sparsity"] == whole.manifest(node.run.id)["sparsity"] > 0.15


def greedy(monkeypatch, hungry):
    """Engines whose steps run out of memory as soon as a run with this seed of the order is among them."""
    for engine in (Stack, Loop):

        def advance(self, replicas, steps, plain=engine.advance):
            if any(replica.stepper.program.seeds.order in hungry for replica in replicas):
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
            return plain(self, replicas, steps)

        monkeypatch.setattr(engine, "advance", advance)


def test_a_run_that_does_not_fit_by_itself_says_so_and_the_others_go_on(store, tmp_path, monkeypatch):
    runs = replicas(4)
    hungry = runs[1].seeds.order
    with monkeypatch.context() as patch:
        greedy(patch, {hungry})
        with pytest.raises(DoesNotFit, match=r"seed 1 .*even by itself \(Default") as problem:
            ensure(runs, store=store, workers=1, engine="loop", stack=4)
    assert "more" not in str(problem.value).partition("use a smaller")[0] and "Traceback" not in str(problem.value)
    assert [manifest(store.root, run) is None for run in runs] == [False, True, False, False]
    ensure(runs, store=store, workers=1, engine="loop", stack=4)
    ensure(runs[1], store=tmp_path / "alone", workers=1, engine="loop")
    assert manifest(store.root, runs[1])["steps"] == manifest(tmp_path / "alone", runs[1])["steps"]


def test_a_run_that_is_not_packed_and_does_not_fit_says_so(store, monkeypatch):
    greedy(monkeypatch, {0})
    with pytest.raises(DoesNotFit, match="even by itself") as problem:
        ensure(replicas(1), store=store, workers=1, engine="loop")
    assert "Traceback" not in str(problem.value)


def test_who_finds_no_room_enters_when_the_others_have_left(store, monkeypatch):
    plain, entered, refused = Workbench.member, [], []

    def member(self, recipe, *rest, **options):
        if len(entered) - len(refused) >= 2 and not refused:
            refused.append(recipe)
            raise torch.OutOfMemoryError("CUDA out of memory")
        entered.append(recipe)
        return plain(self, recipe, *rest, **options)

    monkeypatch.setattr(Workbench, "member", member)
    runs = replicas(3)
    ensure(runs, store=store, workers=1, engine="loop", stack=3)
    assert refused == entered[2:] and [manifest(store.root, run)["exec"]["members"] for run in runs].count([2]) == 2


def test_who_never_finds_room_says_so(store, monkeypatch):
    def member(self, recipe, *rest, **options):
        raise MemoryError

    monkeypatch.setattr(Workbench, "member", member)
    with pytest.raises(DoesNotFit, match=r"even by itself \(MemoryError\).*and 1 more"):
        ensure(replicas(2), store=store, workers=1, engine="loop", stack=2)
    assert not list((store.root / "leases").iterdir())


def test_a_bug_in_the_network_is_told_of_every_run(store):
    runs = [make_recipe(path="specimens:Failing").replace(seeds=replicate(k)) for k in range(2)]
    told = []
    assert train_pack(Workbench(store), Pack(tuple(map(Job, runs)), 2), lambda node, steps: True, told.append)
    assert [message.kind for message in told] == ["error", "error"]
    assert "ZeroDivisionError" in told[0].why


class Recorder:
    """An executor whose first piece of work ends with the death of its worker."""

    def __init__(self):
        self.workers, self.given, self.said = 1, [], []

    def start(self, worker, work):
        jobs = work.jobs if isinstance(work, Pack) else [work]
        self.given.append([job.id for job in jobs])
        if len(jobs) > 2:
            self.said += [Message(job.id, "died") for job in jobs]
        else:
            self.said += [Message(job.id, "done") for job in jobs]
        self.said.append(Message("", "free"))

    def wait(self, seconds):
        said, self.said = self.said, []
        return said


def test_a_pack_whose_worker_dies_is_taken_up_in_smaller_ones(store):
    runs = replicas(6)
    left = plan(runs, store)
    packing = Packing({common(runs[0]): Kind(5, "layers", {like(run): 1.0 for run in runs})})
    schedule, recorder = WorkQueue(left, dict.fromkeys(left.work, 1.0), Display(), packing), Recorder()
    schedule.run(recorder)
    assert len(recorder.given[0]) == 5 and all(len(keys) <= 2 for keys in recorder.given[2:])
    assert schedule.ended == {run.id: True for run in runs} and not schedule.errors
