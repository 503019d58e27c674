import time

import pytest
from specimens import recipe as make_recipe
from specimens import risk

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment
from prunescope.base.streams import replicate
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import imp, replicates
from prunescope.runs.graph.nodes import Chosen, Combined, Trace, runs_of
from prunescope.runs.machine.pricing import Prices, cost, prices
from prunescope.runs.store.plan import plan
from prunescope.training.optimizers.torch_optimizer import TorchOptimizer
from prunescope.training.optimizers.wrapper import Averaged
from prunescope.training.probes import Curve


def test_of_an_empty_store_everything_is_left(store, recipe):
    chain = imp(recipe, levels=2)
    left = plan([risk(run) for run in chain], store)
    assert list(left.jobs) == [run.id for run in chain]
    assert set(left.readings) == {risk(run).id for run in chain}
    assert left.waits[chain[0].id] == set()
    assert left.waits[chain[2].id] == {chain[1].id}
    assert left.waits[risk(chain[2]).id] == {chain[2].id}
    assert left.runs == chain


def test_of_a_full_store_nothing_is_left(store, recipe):
    nodes = [risk(recipe), Trace(probe=Curve(), run=recipe), risk(recipe, Moment(when="step", at="4it"))]
    ensure(nodes, store=store, workers=1)
    assert plan(nodes, store).work == {}


def test_a_trace_or_a_moment_that_is_missing_is_a_job_of_its_own(store, recipe):
    level = imp(recipe, levels=1)[1]
    ensure(level, store=store, workers=1)
    moment = Moment(when="step", at="4it")
    left = plan([Trace(probe=Curve(), run=recipe), risk(recipe, moment), risk(level)], store)
    assert list(left.jobs) == [recipe.id]
    assert left.jobs[recipe.id].moments == (moment,)
    assert left.jobs[recipe.id].probes == (Curve(),)
    assert left.waits[risk(level).id] == set(), "what is stored waits for nothing"


def test_what_waits_for_a_choice_waits_for_its_inputs(store, recipe):
    runs = replicates(recipe, 3)
    chosen = Chosen(among=tuple(runs), inputs=tuple(risk(run) for run in runs), rule="specimens:best")
    after = imp(recipe, levels=1)[1].replace(start=risk(chosen).state)
    left = plan([after], store)
    assert left.waits[after.id] == {*(run.id for run in runs), *(risk(run).id for run in runs)}
    assert runs_of(risk(chosen)) == runs


def test_combinations_are_no_work(store, recipe):
    both = Combined(function="specimens:gap", inputs=(risk(recipe), risk(recipe.replace(seeds=replicate(1)))))
    left = plan([both], store)
    assert len(left.work) == 4
    assert both.id in left.nodes


def test_the_longest_path_counts_what_comes_behind(store, recipe):
    chain = imp(recipe, levels=2)
    left = plan([risk(chain[2]), risk(chain[0])], store)
    seconds = dict.fromkeys(left.work, 1.0) | {risk(chain[0]).id: 10.0}
    path = left.longest_paths(seconds)
    assert [path[run.id] for run in chain] == [11.0, 3.0, 2.0]


def test_prices_are_measured_once_and_kept(store, recipe):
    nodes = [risk(run) for run in replicates(recipe, 3)]
    left = plan(nodes, store)
    seconds = prices(left, Prices(Workbench(store)))
    assert seconds.keys() == left.work.keys()
    assert min(seconds.values()) > 0
    assert prices(left, Prices(Workbench(store))) == seconds
    total, alone = (cost(left, Prices(Workbench(store)), seconds, workers=workers) for workers in (2, 1))
    assert alone.longest <= alone.clock == alone.work == total.work < total.clock  # two processes have to start
    assert total.disk > 3 * 4 * recipe.steps


def test_an_impossible_recipe_is_refused_before_anything_runs(store, recipe, trained):
    with pytest.raises(UsageError, match="no training"):
        ensure(recipe, recipe.replace(length="0.001ep"), store=store, workers=1)
    assert trained == []


def planning_seconds(chains, store):
    nodes = [run for k in range(chains) for run in imp(make_recipe().replace(seeds=replicate(k)), levels=99)]
    began = time.process_time()
    left = plan(nodes, store)
    assert len(left.jobs) == 100 * chains
    return time.process_time() - began


def test_planning_is_fast_and_linear(store):
    """10,000 recipes in 1 s on an idle machine (see the benchmarks); here 4,000, with room for a busy one."""
    few, many = (min(planning_seconds(chains, store) for _ in range(2)) for chains in (10, 40))
    assert many < 3.0
    assert many < 4 * 4 * few


def test_waits_of_one_deep_chain_are_linear(store):
    deep = imp(make_recipe(), levels=2000)[-1]
    left = plan([risk(deep)], store)
    assert max(len(before) for before in left.waits.values()) == 1


def test_what_is_slow_is_said_before_it_runs(store):
    slow = make_recipe().replace(optimizer=Averaged(optimizer=TorchOptimizer(path="torch.optim:RAdam"), decay=0.9))
    notes = prepare(plan([slow, slow.replace(length="1ep"), make_recipe()], store), store, workers=1).notes
    assert [note for note in notes if "slow" in note] == [f"TorchOptimizer is slow: it {TorchOptimizer.slow_because}"]
    assert not prepare(plan([make_recipe()], store), store, workers=1).notes
