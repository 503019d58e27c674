"""Every study of the paper at smoke scale, from one store, and what leave-out runs train on."""

import importlib
import json

import numpy as np
import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.measures import EL2N, ClassRisk, GraNd
from prunescope.papers.catalogue import catalogue
from prunescope.papers.jin2022 import (
    across,
    app_d,
    classes,
    column,
    fig2,
    fig3,
    fig6,
    fig7,
    given_up,
    influence,
    leave_out,
    optimum,
    subgroups,
    whole,
)
from prunescope.papers.jin2022.quantities import best_level
from prunescope.papers.jin2022.scales import COLUMNS
from prunescope.papers.jin2022.settings import SCALES, arms
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Subset
from prunescope.runs.store.plan import Job, plan
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store
from prunescope.studies import drawing
from prunescope.studies.judging import judge
from prunescope.studies.plot import Listing
from prunescope.studies.publish import publish
from prunescope.studies.study import Study
from prunescope.tasks.data.digits import digits
from prunescope.training.loop import Batches
from prunescope.training.schedules import TorchSchedule

SMALL = SCALES["smoke"].replace(epochs=1, share=0.4)
OTHERS = (
    "jin2022/lenet-preview",
    "jin2022/answers",
    "jin2022/influence",
    "jin2022/across",
    "jin2022/yours",
)
PARTS = {entry.name: entry for entry in catalogue() if entry.name.startswith("jin2022") and entry.name not in OTHERS}
WHOLES = ("jin2022", "jin2022/column")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("jin2022"))


@pytest.fixture(scope="module")
def study() -> Study:
    return whole.build(SMALL, "smoke")


@pytest.fixture(scope="module")
def results(study, store) -> StoredResults:
    return ensure(study.nodes, store=store, workers=1)


def built(name):
    module = importlib.import_module(PARTS[name].module)
    return module.build(module.Settings(**dict(SMALL)), "smoke")


def test_the_whole_paper_needs_what_its_parts_need(study):
    measured = influence.SCALES["smoke"].replace(noise=0.4, replicates=2)
    parts = [built(name) for name in PARTS if name not in WHOLES] + [influence.build(measured, "smoke")]
    size = SMALL.size("smoke")
    parts.append(across.counted([arms(size)], settings=size, scale="smoke"))
    assert {node.id for node in study.nodes} == {node.id for part in parts for node in part.nodes}
    assert len(study.figures) == sum(len(part.figures) for part in parts)
    assert {claim.name for claim in study.claims} == {claim.name for part in parts for claim in part.claims}


@pytest.mark.parametrize("name", PARTS)
def test_a_study_is_what_the_catalogue_says_and_needs_nothing_else(name, study, results, store):
    part = built(name)
    assert (part.name, part.question, part.paper) == (name, PARTS[name].question, PARTS[name].paper)
    planned = plan(part.nodes, store)
    assert not planned.work
    for figure in part.figures:
        needed = {node.id for nodes in figure.lineage.values() for node in nodes}
        assert needed <= planned.nodes.keys(), figure.name
        sheets = (
            "app-d",
            "app-e",
            "app-k",
            "app-k-precision",
            "app-k-images",
        )  # empty where nothing pruned is best
        assert figure.table(results) or figure.name in sheets, figure.name


@pytest.mark.slow
def test_the_report_shows_every_figure_and_judges_every_claim(study, results, store, tmp_path):
    page = publish(study, store, tmp_path)
    assert not page.failures and page.page.is_file()
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    pictures = [figure for figure in study.figures if not isinstance(figure.plot, Listing)]
    assert drawn == {figure.name for figure in pictures if figure.table(results)}
    verdicts = json.loads((tmp_path / "summary.json").read_text())["claims"]
    assert len(verdicts) == len(study.claims)
    assert all(verdict["by_paper"] != "not run" for verdict in verdicts)


def test_a_new_measure_on_stored_states_trains_nothing(study, results, store, monkeypatch, tmp_path):
    steps, batch_at = [], Batches.at
    monkeypatch.setattr(Batches, "at", lambda self, step: steps.append(step) or batch_at(self, step))
    bench = arms(SMALL.size("smoke"))
    reading = Reading(measure=GraNd(), state=final(bench.row("pruned", 0.0, 1)[0].recipe))
    values = ensure(reading, store=store, workers=1)[reading]["grand"]
    assert len(values) == round(0.4 * 1297) and (values > 0).all()
    assert steps == []
    do(Workbench(Store(tmp_path)), Job(bench.base.replace(length="3it")), lambda *_: True, lambda _: None)
    assert steps == [0, 1, 2]  # the count is one of training steps


def test_a_single_replicate_is_too_few_and_says_so(study, results):
    """Some claims apply the paper's rule inside; none may end the report."""
    alone = whole.build(SMALL.replace(replicates=1), "smoke")
    assert {node.id for node in alone.nodes} - {node.id for node in study.nodes} != set()  # choices among fewer
    for claim in alone.claims:
        verdict = judge(claim, results)
        assert verdict.paper in ("too few replicates", "not run", "not judgeable at this scale"), claim.name


def test_controls_at_some_noise_levels_only_need_nothing_else(store):
    part = SMALL.replace(noises=(0.0, 0.2, 0.4), controls=(0.0, 0.4), extended_levels=(1, 2))
    bench = arms(part.size("smoke"))
    assert (bench.noises_of("pruned"), bench.noises_of("extended", "width")) == ((0.0, 0.2, 0.4), (0.0, 0.4))
    assert [bench.depth("extended", noise) for noise in bench.noises] == [1, 0, 2]
    column.build(column.Settings(**dict(part)), "smoke")
    nodes = [node for fig in (fig3, fig6, fig7) for node in fig.build(part, "smoke").nodes]
    middle = [run for run in plan(nodes, store).runs if run.task.data.label_noise == 0.2]
    assert len(middle) == 2 * 3  # dense and two pruned levels, two replicates


def test_classes_and_groups_of_section_7(results):
    bench = arms(SMALL.size("smoke"))
    change = classes.changes(bench, "pruned", 2)(results)
    dense, sparse = (bench.row(arm, 0.0, level)[1] for arm, level in (("dense", 0), ("pruned", 2)))
    one, other = (
        results[Reading(measure=ClassRisk(split="test"), state=final(point.recipe))] for point in (sparse, dense)
    )
    assert change.shape == (2, 10)
    assert change[1] == pytest.approx(100 * (one["error"] - other["error"]))
    whole_error = float(results[sparse.test]["error"])
    assert float((one["error"] * one["examples"]).sum() / one["examples"].sum()) == pytest.approx(whole_error)


def test_where_the_dense_network_is_best_no_images_are_shown(results, study, monkeypatch):
    figures = [figure for figure in study.figures if figure.name in ("app-d", "app-e", "app-k", "app-k-images")]
    monkeypatch.setattr(leave_out.LeaveOut, "is_sparse", lambda self, results: False)
    assert len(figures) == 4 and not any(figure.table(results) for figure in figures)


@pytest.mark.parametrize("name", ["app-d", "app-e", "app-k", "app-k-precision"])
def test_where_pruning_helps_the_leave_out_tables_are_full_and_drawn(name, results, study, monkeypatch):
    """At this size the dense network may be the best, and then they are empty: here the choice counts as sparse."""
    monkeypatch.setattr(leave_out.LeaveOut, "is_sparse", lambda self, results: True)
    figure = next(figure for figure in study.figures if figure.name == name)
    rows = figure.table(results)
    assert {row["replicate"] for row in rows if "replicate" in row} <= {0, 1}
    series = {row["series"] for row in rows}
    named = {part for names in figure.lineage for part in names.split("; ")}
    assert len(series) > 1 and (name == "app-k-precision" or named <= series)
    assert all("<svg" in panel for panel in drawing.panels(figure.plot, rows, name=name))


def test_studies_of_label_noise_need_some(study):
    clean = SMALL.replace(noises=(0.0,))
    for name in ("fig4", "fig5", "appE", "appI"):
        module = importlib.import_module(PARTS[f"jin2022/{name}"].module)
        with pytest.raises(UsageError, match="have no label noise"):
            module.build(clean, "smoke")
    names = {figure.name for figure in whole.build(clean, "smoke").figures}
    assert {"fig3", "app-k"} <= names and not names & {"fig5", "app-e", "app-i", "across"}


def test_images_given_up_first_are_those_whose_loss_rises_most(results, study, monkeypatch):
    monkeypatch.setattr(leave_out.LeaveOut, "is_sparse", lambda self, results: True)
    figure = next(figure for figure in study.figures if figure.name == "app-k-images")
    rows = [row for row in figure.table(results) if row["panel"].startswith("40 % label noise")]
    assert len(rows) == given_up.FIRST and [row["rank"] for row in rows] == list(range(1, given_up.FIRST + 1))
    rises = [row["loss_rise"] for row in rows]
    assert rises == sorted(rises, reverse=True)
    assert all(row["marked"] == (row["label"] != row["label_before_noise"]) for row in rows)
    truth = digits().load().train_y
    assert all(int(truth[row["index"]]) == row["label_before_noise"] for row in rows)


def test_differences_are_what_the_readings_say(results):
    size = SMALL.size("smoke")
    bench = arms(size)
    sub = subgroups.subgroups(bench, size)
    (node, _) = sub.differences("pruned", 0.4, 2)
    sparse, dense = bench.row("pruned", 0.4, 2)[0], bench.row("dense", 0.4, 0)[0]
    members = [results[Reading(measure=EL2N(), state=final(run))]["el2n"] for run in sub.members(0.4, 0)]
    order = np.argsort(np.mean(members, axis=0), kind="stable")
    change = results[sparse.examples]["loss"].astype(float) - results[dense.examples]["loss"]
    top = order[-(len(order) // size.groups) :]
    assert results[node]["difference"][-1] == pytest.approx(change[top].mean(), abs=1e-6)
    labels = [run.seeds.labels for run in sub.members(0.4, 1)]
    assert labels == [1, 1] and len({run.seeds.init for number in (0, 1) for run in sub.members(0.4, number)}) == 4


def test_mislabeled_examples_score_high(results):
    """Two networks after one epoch already tell most flipped labels: the premise of the paper's method."""
    size = SMALL.size("smoke")
    bench = arms(size)
    scores = results[subgroups.subgroups(bench, size).scores(0.4, 0)]["el2n"]
    noisy = results[bench.row("dense", 0.4, 0)[0].examples]["noisy"]
    assert scores[noisy].mean() > scores[~noisy].mean() + 0.1


def test_groups_by_grand_are_readings_of_the_same_networks(results, store):
    part = fig2.build(SMALL.replace(score="grand"), "smoke")
    planned = plan(part.nodes, store)
    left = [planned.nodes[node] for node in planned.work]
    assert {type(node.measure) for node in left} == {GraNd} and len(left) == 2 * 2
    rows = part.figures[0].table(ensure(part.nodes, store=store, workers=1))
    assert len(rows) == 2 * 2 * 5 and "GraNd" in part.figures[0].caption


def test_left_out_examples_are_not_trained_on_and_steps_are_equal(results, store):
    part = app_d.build(SMALL, "smoke")
    bench = arms(SMALL.size("smoke"))
    dense = bench.row("dense", 0.0, 0)[0].recipe
    runs = {run for nodes in part.figures[0].lineage.values() for run in nodes}
    retrained = [run for run in runs if isinstance(run.examples, Subset)]
    assert len(retrained) == 2 * 2 * 2
    for run in retrained:
        rows = results.rows(run.examples)
        assert len(rows) == round(0.4 * 1297) - round(0.2 * round(0.4 * 1297))
        assert int(results[run]["steps"]) == int(results[dense]["steps"])
        assert len(Workbench(store).problem(run).train) == len(rows)


def test_schedules_in_iterations_keep_every_rate():
    bench = arms(SMALL.size("smoke"))
    for name in ("resnet20", "resnet50"):
        recipe = bench.base.replace(schedule=COLUMNS[name].schedule(90), length="90ep")
        fixed = leave_out.in_iterations(recipe)
        clock, fewer = recipe.clock(), fixed.clock(examples=200)
        assert fewer.total == clock.total and fewer.epoch_steps < clock.epoch_steps
        steps = range(0, clock.total, 7)
        assert [recipe.schedule.at(k, clock) for k in steps] == [fixed.schedule.at(k, fewer) for k in steps]
    with pytest.raises(UsageError, match="cannot be written in iterations"):
        leave_out.in_iterations(
            bench.base.replace(schedule=TorchSchedule(path="torch.optim.lr_scheduler:StepLR", lr=0.1))
        )


def test_precision_of_the_list_of_worsened_examples():
    gain = torch.tensor([0.0, -3.0, -1.0, 2.0, -2.0]).numpy()
    noisy = np.array([False, True, False, False, True])
    rows = given_up.precisions(gain, noisy)
    found = {row["examples"]: row["precision"] for row in rows if row["series"] == "given up first"}
    assert found == {1: 100.0, 2: 100.0, 4: 50.0, 5: 40.0}
    assert {row["precision"] for row in rows if row["series"] == "among all"} == {40.0}
    assert all(row["low"] <= row["precision"] <= row["high"] for row in rows if "low" in row)


def test_an_optimum_on_held_out_examples_is_another_reading():
    held_out = arms(SMALL.replace(validation=100).size("smoke"))
    (chosen, _) = held_out.chosen("pruned", 0.0)
    assert {reading.measure.split for reading in chosen.inputs} == {"validation"}
    (usual, _) = arms(SMALL.size("smoke")).chosen("pruned", 0.0)
    assert {reading.measure.split for reading in usual.inputs} == {"test"}
    assert "pruned, chosen on held-out examples" in optimum.ways(held_out, 0.0)


def test_more_groups_than_examples_are_refused_before_anything_runs():
    size = SMALL.replace(groups=600).size("smoke")
    with pytest.raises(UsageError, match="groups=600 of 519 training examples"):
        subgroups.subgroups(arms(size), size)


def test_no_level_has_no_optimum(results):
    bench = arms(SMALL.size("smoke"))
    with pytest.raises(UsageError, match="no sparse level"):
        best_level(bench, "dense", 0.0)(results)
