"""Every study of the two papers at smoke scale, from one store: runs, figures, claims, reports."""

import importlib

import numpy as np
import pytest
from paper_items import ENTRIES as PARTS

from prunescope.base.errors import UsageError
from prunescope.papers.bartoldson import arms, figures, v2020_fig2, v2020_fig6, yours
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store.plan import plan
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store
from prunescope.studies.events import epochs
from prunescope.studies.judging import judge
from prunescope.studies.plot import Listing
from prunescope.studies.publish import publish
from prunescope.studies.study import Study
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import LayerSchedule

pytestmark = pytest.mark.slow

WHOLE = ("bartoldson2019", "bartoldson2020")


def built(name) -> Study:
    module = importlib.import_module(PARTS[name].module)
    return module.build(module.SCALES["smoke"], "smoke")


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("bartoldson"))


@pytest.fixture(scope="module")
def results(store) -> StoredResults:
    nodes = [node for name in (*WHOLE, "bartoldson2020/yours") for node in built(name).nodes]
    return ensure(nodes, store=store, workers=1)


@pytest.mark.parametrize("paper", WHOLE)
def test_the_whole_paper_needs_what_its_parts_need(paper):
    whole = built(paper)
    parts = [built(name) for name in PARTS if name.startswith(f"{paper}/") and not name.endswith("/yours")]
    assert {node.id for node in whole.nodes} == {node.id for part in parts for node in part.nodes}
    assert len(whole.figures) == sum(len(part.figures) for part in parts)
    assert len(whole.claims) == sum(len(part.claims) for part in parts)


@pytest.mark.parametrize("name", [name for name in PARTS if name not in WHOLE])
def test_a_study_is_what_the_catalogue_says_and_needs_nothing_else(name, results, store):
    part = built(name)
    assert (part.name, part.question) == (name, PARTS[name].question)
    if name != "bartoldson2020/yours":
        assert part.paper == PARTS[name].paper
    nodes = plan(part.nodes, store)
    assert not nodes.work and not nodes.failed
    for figure in part.figures:
        needed = {node.id for made in figure.lineage.values() for node in made}
        assert needed and needed <= nodes.nodes.keys(), figure.name
        assert figure.table(results), figure.name
    for claim in part.claims:
        verdict = judge(claim, results)
        assert "is not in the store" not in verdict.why, claim.name


@pytest.mark.parametrize("name", ["bartoldson2019/figA3", "bartoldson2020/yours"])
def test_a_report_draws_every_figure(name, results, store, tmp_path):
    study = built(name)
    done = publish(study, store, tmp_path)
    assert not done.failures
    drawn = {figure.name for figure in study.figures if not isinstance(figure.plot, Listing)}
    assert drawn and {path.stem for path in (tmp_path / "figures").iterdir()} == drawn


def test_figure_6_repeats_the_runs_of_figure_2():
    two, six = (built(f"bartoldson2020/fig{n}").nodes for n in (2, 6))
    runs = [set(plan_runs(nodes)) for nodes in (two, six)]
    assert len(runs[0]) == 8 and runs[0] < runs[1] and len(runs[1]) == 12


def plan_runs(nodes):
    return (node.run.id for node in nodes if hasattr(node, "run"))


def test_stability_in_a_figure_is_that_of_the_trace(results):
    comparison = arms.vgg11(v2020_fig2.SCALES["smoke"])
    points = comparison.points(results, "mean_stability", "best")
    trace = results[comparison.observables.accuracy(comparison.arms[3].runs[1])]
    error = {(row, phase): e for row, phase, e in zip(trace["local"], trace["phase"], trace["error"], strict=True)}
    after = [row for row, phase in error if phase == "after"]
    stability = [100 * (1 - error[row, "after"]) / (1 - error[row, "step"]) for row in after]
    assert points.x[7] == pytest.approx(np.mean(stability)) and points.seed[7] == 1
    assert points.x[:2].tolist() == [100.0, 100.0] and points.arm[0] == "no pruning"


def test_scratch_is_pruned_before_its_first_step_and_perfectly_stable(results):
    comparison = arms.six(v2020_fig6.SCALES["smoke"], {})
    scratch = comparison.recipes("scratch")
    assert comparison.value("scratch", "mean_stability")(results).tolist() == [100.0, 100.0]
    trace = results[comparison.observables.accuracy(scratch[0])]
    others = results[comparison.observables.accuracy(comparison.arms[2].runs[0])]
    assert not epochs(trace).event.any()
    (pruned,) = np.flatnonzero(trace["phase"] == "after")
    assert trace["local"][pruned] == 0
    assert trace["sparsity"][pruned:] == pytest.approx(others["sparsity"][-1])


def test_every_arm_ends_at_the_same_widths(results):
    comparison = arms.six(v2020_fig6.SCALES["smoke"], {})
    ends = {arm.name: {float(results[run]["sparsity"]) for run in arm.runs} for arm in comparison.arms}
    assert ends.pop("no pruning") == {0.0}
    assert len(set().union(*ends.values())) == 1


def test_a_paper_of_some_parts_only():
    whole = importlib.import_module(PARTS["bartoldson2019"].module)
    study = whole.build(whole.Settings(parts=("fig2", "figA3"), replicates=3), "smoke")
    assert {figure.name for figure in study.figures} >= {"fig2", "figa3-left"}
    with pytest.raises(UsageError, match=r"\['fig9'\] are not in the paper"):
        whole.build(whole.Settings(parts=("fig9",)), "smoke")


def test_your_own_recipe_in_one_call(tmp_path):
    from prunescope.runs.graph.recipe import Recipe
    from prunescope.training.optim import SGD
    from prunescope.training.schedules import Constant

    source = synthetic(classes=3, shape=(8,), train=30, test=15)
    net = network("prunescope.tasks.nets:LeNet", hidden=(6, 5), inputs=8, classes=3)
    recipe = Recipe(
        task=Task(network=net, data=Data(source=source)),
        optimizer=SGD(),
        schedule=Constant(lr=0.1),
        batch=10,
        length="5ep",
    )
    layers = (LayerSchedule(layer="fc1", start="1ep", end="3ep", fraction=0.5, period="2ep"),)
    study = yours.follow(
        recipe, layers, targets=("largest",), replicates=2, observables=yours.Observables(), settings=recipe
    )
    results = ensure(study.nodes, store=Store(tmp_path), workers=1)
    events = next(figure for figure in study.figures if figure.name == "events").table(results)
    assert {(row["epoch"], row["panel"]) for row in events} == {
        (epoch, panel) for epoch in (1.0, 3.0) for panel in ("stability, %", "epochs until recovery")
    }
