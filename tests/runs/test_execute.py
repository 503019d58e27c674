"""What is made, what is kept, and what goes on after an interruption."""

import math

import pytest
from specimens import Notes, contents, risk
from specimens import recipe as make_recipe

from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL, Moment
from prunescope.base.streams import replicate
from prunescope.measures import LayerSparsity
from prunescope.runs.execution.checkpointer import load_checkpoint
from prunescope.runs.execution.ensure import Interrupted, ensure
from prunescope.runs.execution.preparation import prepare, workers_for
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import final, imp, replicates
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.store.plan import plan
from prunescope.runs.store.results import Missing, StoredResults
from prunescope.sparsity.select import Remaining
from prunescope.training.interventions import Prune
from prunescope.training.loop import Stepper
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.stopping import LossBelow


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


def test_a_checkpoint_that_watched_for_less_is_not_used(store, recipe, interrupted):
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


def test_ctrl_c_keeps_what_was_reached_and_goes_on_bitwise(store, recipe, interrupted, tmp_path, monkeypatch):
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
