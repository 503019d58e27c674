"""What goes wrong: runs that fail, users' mistakes, workers that die."""

import re
from functools import partial

import pytest
from specimens import Notes, risk
from specimens import recipe as make_recipe

from prunescope.base.errors import PrunescopeError, UsageError, UserCodeError
from prunescope.base.reference import FINAL
from prunescope.runs.execution import ensure as execution
from prunescope.runs.execution.ensure import FailedRuns, Interrupted, ensure
from prunescope.runs.execution.executors.processes import Immovable, Processes
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.messages import Executor, Message
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import at_init, imp, one_shot, replicates
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.store import lease
from prunescope.runs.store.plan import plan
from prunescope.runs.store.results import Failed, Missing, StoredResults
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.training.interventions import Prune
from prunescope.training.probes import Curve
from prunescope.training.schedules import Constant


def diverging(recipe):
    return recipe.replace(schedule=Constant(lr=1e30))


class Unreadable(Executor):
    """A worker that cannot read what it is given."""

    workers = 1

    def start(self, worker, work):
        self.said = [Message("", "error", why="no such class", error=Immovable), Message("", "free")]

    def wait(self, seconds):
        return self.said

    def stop(self):
        pass


def test_what_no_other_process_can_read_is_made_here_and_failures_are_warned_of(store, recipe, monkeypatch):
    """Nodes that come one by one can be asked for once only."""
    real, executors = execution._executor, [Unreadable()]
    monkeypatch.setattr(execution, "_executor", lambda *args: executors.pop() if executors else real(*args))
    runs = (recipe, diverging(recipe))
    with pytest.warns(FailedRuns, match="a run failed"):
        results = ensure((risk(run) for run in runs), store=store)
    assert risk(runs[0]) in results and risk(runs[1]) not in results


def test_a_run_that_diverges_is_stored_as_failed_and_the_others_go_on(store, recipe, trained):
    bad = imp(diverging(recipe), levels=1)
    notes = Notes()
    results = ensure([risk(run) for run in (*bad, recipe)], store=store, workers=1, display=notes)
    assert risk(recipe) in results
    assert risk(bad[0]) not in results
    assert bad[1].id not in trained, "what depends on it is not tried"
    assert store.manifest(bad[0].id)["error"] == "Diverged"
    assert "lower the learning rate" in notes.texts[0]
    assert notes.last.failed == 4
    assert trained.count(bad[0].id) == 1
    with pytest.warns(FailedRuns, match=f"a run failed.*run {bad[0].id[:8]} failed: .*lower the learning rate"):
        again = ensure([risk(run) for run in bad], store=store, workers=1)
    assert trained.count(bad[0].id) == 1, "it would fail again"
    with pytest.raises(Missing, match="training loss is"):
        again[bad[0]]


def test_whatever_needs_a_failed_run_says_why(store, recipe):
    bad = imp(diverging(recipe), levels=2)
    ensure(bad, store=store, workers=1, display=Notes())
    trace, results = Trace(probe=Curve(), run=bad[0]), StoredResults(store)
    for node in (risk(bad[0]), risk(bad[2]), trace, bad[1], bad[0]):
        with pytest.raises(Failed, match=f"run {bad[0].id[:8]} failed: the training loss is"):
            results[node]
    rows = results.table(({"level": k}, risk(run)) for k, run in enumerate(bad))
    assert [row["level"] for row in rows] == [0, 1, 2]
    assert all("the training loss is" in row["missing"] for row in rows)


def test_a_lost_layer_is_told_with_level_step_size_and_what_avoids_it(store, recipe):
    chain = imp(recipe, levels=40, prune=Prune(amount=Remaining(fraction=0.3)))
    notes = Notes()
    ensure(chain, store=store, workers=1, display=notes)
    failed = next(k for k, run in enumerate(chain) if store.manifest(run.id)["status"] == "failed")
    before = store.weights(chain[failed - 1].id, FINAL.id).masks
    with pytest.raises(Failed) as caught:
        StoredResults(store)[chain[-1]]
    says = str(caught.value)
    layer = next(name for name in before if f"{name} (its last" in says)
    assert f"at level {failed}, Prune at step 0 of the run: no weight would remain" in says
    assert f"{layer} (its last {int(before[layer].sum())} of {before[layer].numel()} would go)" in says
    assert "remove fewer weights" in says and "allow_collapse=True" in says
    assert f"level {failed}" in notes.texts[0]


@pytest.mark.filterwarnings("ignore:a run failed")
def test_a_failure_that_another_process_stored_is_not_repeated(store, recipe, trained):
    bad = diverging(recipe)
    before = plan([risk(bad)], store)
    ensure(bad, store=store, workers=1)
    assert trained == [bad.id]
    told = []
    assert do(Workbench(store), before.jobs[bad.id], lambda node, steps: True, told.append)
    said, _ = told
    assert (said.kind, trained) == ("failed", [bad.id])


@pytest.mark.filterwarnings("ignore:2 runs failed")
@pytest.mark.parametrize(
    ("prune", "error"),
    [
        (Prune(amount=Sparsity(final=0.994)), "LayerCollapse"),  # one of 160 weights in two layers
        (Prune(amount=Sparsity(final=0.5), exclude=("fc1.weight",)), "Unreachable"),  # 80 of the other 32
    ],
)
def test_a_sparsity_that_cannot_be_names_the_layer(prune, error, store, recipe):
    chain = [*one_shot(recipe, prune=prune), at_init(recipe, prune)]
    ensure(chain, store=store, workers=1)
    assert store.manifest(recipe.id)["status"] == "done"
    for bad in chain[1:]:
        manifest = store.manifest(bad.id)
        assert (manifest["status"], manifest["error"]) == ("failed", error)
        assert "fc1.weight" in manifest["why"] or "fc.weight" in manifest["why"]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_users_mistake_is_reported_with_the_users_line_and_the_others_are_done(store, recipe, workers):
    broken = make_recipe(path="specimens:Failing")
    with pytest.raises(UserCodeError, match="the user's own mistake") as problem:
        ensure(risk(broken), risk(recipe), store=store, workers=workers)
    says = str(problem.value)
    assert "Failing, noise 20 %, level 0" in says and "Traceback" not in says
    assert re.search(r"specimens\.py, line \d+: raise ", says)
    log = store.root / "logs" / f"{broken.id}.txt"
    assert str(log) in says
    assert log.read_text().startswith("Traceback") and "the user's own mistake" in log.read_text()
    assert risk(recipe) in StoredResults(store)


@pytest.mark.slow
def test_a_worker_that_dies_is_tried_twice_and_then_reported(store, recipe):
    deadly, notes = make_recipe(path="specimens:Deadly"), Notes()
    with pytest.raises(PrunescopeError, match=r"Deadly.* its worker process ended twice"):
        ensure(risk(deadly), risk(recipe), store=store, workers=2, display=notes)
    assert sum("ended unexpectedly" in text for text in notes.texts) == 1
    assert risk(recipe) in StoredResults(store)
    leases = lease.held(store)  # that of the worker that died, which whoever comes next takes over
    assert lease.dead(store, leases) == leases.keys()


@pytest.mark.slow
def test_a_worker_that_is_stopped_on_a_full_disk_says_so_in_a_line(store, capfd, little_room):
    class Impatient(Notes):
        def update(self, status):
            if len(status.running) == 2 and all(share for _, share in status.running.values()):
                raise KeyboardInterrupt

    runs = replicates(make_recipe(length="100000ep", hidden=(40,)), 2)
    with pytest.raises(Interrupted, match="a worker could not store what it reached"):
        ensure(runs, store=store, workers=2, display=Impatient())
    said = capfd.readouterr().err
    assert "Traceback" not in said and said.count("\n") == 2
    assert said.startswith("prunescope: cannot write") and "partial" in said


def test_workers_that_are_stopped_before_they_begin_have_lost_nothing(store):
    assert Processes(partial(Workbench, store), workers=2).stop()


def test_no_workers_are_no_workers(store, recipe):
    with pytest.raises(UsageError, match="workers=0 is not possible"):
        ensure(recipe, store=store, workers=0)


def test_an_unknown_device_is_refused(store, recipe):
    with pytest.raises(UsageError, match="not on this machine; it has cpu"):
        ensure(recipe, store=store, device="warp:3")
