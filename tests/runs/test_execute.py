import math
import re

import pytest
from specimens import contents, risk
from specimens import recipe as make_recipe

from prunescope.base.errors import PrunescopeError, UsageError, UserCodeError
from prunescope.base.reference import FINAL, Moment
from prunescope.base.streams import replicate
from prunescope.measures import LayerSparsity
from prunescope.runs.execution import ensure as execution
from prunescope.runs.execution.checkpointer import load_checkpoint
from prunescope.runs.execution.ensure import FailedRuns, Interrupted, ensure
from prunescope.runs.execution.executors.processes import Immovable
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.messages import Executor, Message
from prunescope.runs.execution.preparation import prepare, workers_for
from prunescope.runs.execution.status import Display
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import at_init, final, imp, one_shot, replicates
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.store import lease
from prunescope.runs.store.plan import plan
from prunescope.runs.store.results import Failed, Missing, StoredResults
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.training.interventions import Prune
from prunescope.training.loop import Stepper
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.schedules import Constant
from prunescope.training.stopping import LossBelow


class Notes(Display):
    def __init__(self):
        self.texts, self.last = [], None

    def note(self, text):
        self.texts.append(text)

    def update(self, status):
        self.last = status


def diverging(recipe):
    return recipe.replace(schedule=Constant(lr=1e30))


# -- what is made


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


def test_a_chain_its_readings_and_traces(store, recipe, trained):
    chain = imp(recipe, levels=2)
    curve, notes = Trace(probe=Curve(), run=chain[2]), Notes()
    results = ensure([risk(run) for run in chain], curve, store=store, workers=1, display=notes)
    assert trained == [run.id for run in chain]
    assert results[curve]["local"].tolist() == [3, 6, 9]
    assert results[curve]["error"][-1] == results[risk(chain[2])]["error"]
    assert float(results[chain[2]]["step"]) == 27
    manifest = store.manifest(chain[2].id)
    assert manifest["parents"] == [chain[1].id]
    assert manifest["resolved"] == {}
    assert manifest["sparsity"] == pytest.approx(0.36, abs=0.01)
    assert manifest["exec"]["steps"] == 9
    assert (notes.last.runs_done, notes.last.readings_done, notes.last.failed) == (3, 3, 0)


def test_what_is_stored_is_not_made_again(store, recipe, trained):
    nodes = [risk(recipe), Trace(probe=Curve(), run=recipe)]
    ensure(nodes, store=store, workers=1)
    before = contents(store.root)
    ensure(nodes, store=store, workers=1)
    assert trained == [recipe.id]
    assert contents(store.root) == before


def test_a_new_measure_of_stored_states_trains_nothing(store, recipe, monkeypatch):
    ensure(imp(recipe, levels=1), store=store, workers=1)
    monkeypatch.setattr(Workbench, "member", lambda *args, **options: pytest.fail("it trained"))
    monkeypatch.setattr(Stepper, "draw", lambda *args, **options: pytest.fail("it made a step"))
    reading = Reading(measure=LayerSparsity(), state=final(imp(recipe, levels=1)[1]))
    assert float(ensure(reading, store=store, workers=1)[reading]["sparsity"]) == pytest.approx(0.2, abs=0.01)


def test_a_missing_trace_or_moment_is_replayed_beside_the_same_state(store, recipe, trained):
    level = imp(recipe, levels=1)[1]
    ensure(risk(level), store=store, workers=1)
    before = contents(store.root)
    moment = risk(level, Moment(when="step", at="5it"))
    ensure(Trace(probe=Curve(every="1it"), run=level), moment, store=store, workers=1)
    after = contents(store.root)
    assert trained == [recipe.id, level.id, level.id]
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 3
    results = StoredResults(store)
    trace = results[Trace(probe=Curve(every="1it"), run=level)]
    assert results[moment]["loss"] == pytest.approx(float(trace["loss"][4]), rel=1e-6)


def test_a_checkpoint_that_watched_for_less_is_not_used(store, recipe):
    """Otherwise the trace would lack what the probe did not see."""
    with pytest.raises(Interrupted):
        interrupted(recipe, store, after=5)
    assert (store.root / store.partial_key(recipe.id)).exists()
    trace = Trace(probe=Curve(every="1it"), run=recipe)
    assert len(ensure(trace, store=store, workers=1)[trace]["step"]) == 9


def test_a_probe_with_nothing_to_see_has_an_empty_trace(store, recipe, trained):
    trace = Trace(probe=AroundEvents(), run=recipe)
    assert ensure(trace, store=store, workers=1)[trace] == {}
    ensure(trace, store=store, workers=1)
    assert trained == [recipe.id]


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        (Moment(when="step", at="100it"), "step 100, and the run has 9 steps"),
        (Moment(when="after", at="4it"), "nothing happens at '4it'"),
    ],
)
def test_a_moment_that_never_comes_is_the_users_mistake(moment, message, store, recipe):
    with pytest.raises(UsageError, match=message):
        ensure(risk(recipe, moment), store=store, workers=1)


def test_a_moment_behind_an_early_end_is_the_users_mistake(store, recipe):
    early = recipe.replace(stop=LossBelow(loss=100.0))
    with pytest.raises(UsageError, match="its stop rule ended it at step 0"):
        ensure(risk(early, Moment(when="step", at="4it")), store=store, workers=1)
    assert store.manifest(early.id)["steps"] == 0


@pytest.mark.parametrize("odd", [None, "run", 3, {"a": 1}, [["a"]]])
def test_what_is_no_node_is_refused(odd, store, recipe):
    with pytest.raises(UsageError, match="is no node; give readings, runs or traces"):
        ensure(odd, store=store)
    with pytest.raises(UsageError, match="no address of a store"):
        ensure(recipe, store={})


def test_60_levels(store, trained):
    base = make_recipe(length="1it", hidden=(40,))
    chain = imp(base, levels=60, prune=Prune(amount=Remaining(fraction=0.02)))
    ensure(risk(chain[-1]), store=store, workers=1)
    assert trained == [run.id for run in chain]
    manifest = store.manifest(chain[-1].id)
    assert manifest["step"] == 61
    assert manifest["sparsity"] == pytest.approx(1 - 0.98**60, abs=0.03)


def test_a_tidy_table(store, recipe):
    runs = [*replicates(recipe, 2), recipe.replace(batch=7)]
    results = ensure([risk(run) for run in runs[:2]], store=store, workers=1)
    rows = results.table(({"replicate": k, "arm": "dense"}, risk(run)) for k, run in enumerate(runs))
    assert [(row["replicate"], row["arm"]) for row in rows] == [(0, "dense"), (1, "dense"), (2, "dense")]
    assert {"replicate", "arm", "loss", "error"} <= rows[1].keys()
    assert rows[1]["error"] == float(results[risk(runs[1])]["error"])
    assert isinstance(rows[1]["error"], float)
    assert math.isnan(rows[2]["error"]) and "is not in the store" in rows[2]["missing"]
    assert "missing" not in rows[1]
    with pytest.raises(Missing, match="is not in the store"):
        results[risk(runs[2])]
    for odd, message in [
        ([({"error": 0}, risk(runs[0]))], "'error' is a label and a value"),
        ([risk(runs[0])], "a table is of pairs"),
        ([({}, final(runs[0]))], "a StateRef has no values"),
        ([({}, 3)], "3 is no node"),
    ]:
        with pytest.raises(UsageError, match=message):
            results.table(odd)


# -- what goes wrong


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


def test_no_workers_are_no_workers(store, recipe):
    with pytest.raises(UsageError, match="workers=0 is not possible"):
        ensure(recipe, store=store, workers=0)


def test_an_unknown_device_is_refused(store, recipe):
    with pytest.raises(UsageError, match="not on this machine; it has cpu"):
        ensure(recipe, store=store, device="warp:3")


# -- interruption


def interrupted(recipe, store, *, after):
    """Ctrl-C at the step number `after` of the training."""
    original, steps = Stepper.draw, 0

    def draw(self, step):
        nonlocal steps
        steps += step > 0 or steps > 0
        if steps > after:
            raise KeyboardInterrupt
        return original(self, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stepper, "draw", draw)
        patch.setattr("prunescope.runs.execution.preparation.prices", lambda left, price: dict.fromkeys(left.work, 1.0))
        ensure(recipe, store=store, workers=1)


def test_ctrl_c_keeps_what_was_reached_and_goes_on_bitwise(store, recipe, tmp_path, monkeypatch):
    ensure(recipe, store=tmp_path / "reference", workers=1)
    with pytest.raises(Interrupted, match="goes on from there"):
        interrupted(recipe, store, after=7)
    reached = load_checkpoint(store, recipe.id).progress.local
    assert 3 <= reached <= 8
    assert [*(store.root / "leases").iterdir()] == []
    original, taken = Stepper.draw, []
    monkeypatch.setattr(Stepper, "draw", lambda self, step: taken.append(step) or original(self, step))
    monkeypatch.setattr(
        "prunescope.runs.execution.preparation.prices", lambda left, price: dict.fromkeys(left.work, 1.0)
    )
    ensure(recipe, store=store, workers=1)
    assert taken == list(range(reached, 9))
    assert contents(store.root) == contents(tmp_path / "reference")
    assert not (store.root / store.partial_key(recipe.id)).exists()


def test_the_final_state_is_the_only_one_kept_unless_asked(store, recipe):
    ensure(recipe, store=store, workers=1)
    assert store.known_runs([recipe.id])[recipe.id]["states"] == {FINAL.id}


def test_a_worker_brings_a_data_set_to_its_device_once(store, recipe):
    bench = Workbench(store, device="meta")
    one, other = (bench.problem(recipe.replace(seeds=replicate(k))) for k in range(2))
    assert one is not other and one.train.inputs is other.train.inputs


def test_by_default_a_gpu_has_one_worker(store, recipe):
    left = plan([recipe.replace(seeds=replicate(k)) for k in range(9)], store)
    assert workers_for(left, None, "cuda") == 1 and workers_for(left, 3, "cuda") == 3


def test_by_default_other_processes_begin_only_for_work_that_takes_longer(store, recipe, monkeypatch):
    left = plan([recipe.replace(seeds=replicate(k)) for k in range(9)], store)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(4), raising=False)
    for seconds, workers in ((0.4, 1), (0.5, 4)):  # of each of nine runs; processes need 4 s to begin
        monkeypatch.setattr(
            "prunescope.runs.execution.preparation.prices", lambda left, price, s=seconds: dict.fromkeys(left.work, s)
        )
        assert prepare(left, store).workers == workers
        assert prepare(left, store, workers=3).workers == 3
