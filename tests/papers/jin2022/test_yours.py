"""What pruning does to a network of one's own, from an import path or from a recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import prunescope as ps
from prunescope.base.errors import UsageError
from prunescope.papers import whom
from prunescope.papers.jin2022 import suspects, yours
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store
from prunescope.sparsity.select import Remaining
from prunescope.studies.judging import judge_all
from prunescope.studies.plot import NothingToShow
from prunescope.studies.subsets import without_fold
from prunescope.studies.summary import described
from prunescope.tasks.nets import LeNet
from prunescope.tasks.task import Task
from prunescope.training.interventions import Prune
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


@pytest.fixture(autouse=True)
def _data_of_its_own(tmp_path_factory, monkeypatch):
    """Groups that another test gave to equal arrays are kept beside them."""
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path_factory.mktemp("data")))


def recipe() -> Recipe:
    """A classifier of vectors, such as no setting can name."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 5, generator=generator), torch.arange(60) % 3
    task = Task.from_module(lambda: LeNet(inputs=5, classes=3, hidden=(8,)), train=(x, y), test=(x, y))
    return Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=20, length="2ep")


def test_a_recipe_of_ones_own_is_followed_to_every_figure_and_verdict(tmp_path):
    study = yours.follow(recipe(), levels=2, noises=(0.0, 0.3), replicates=2, ensemble=2, early="1ep", groups=5)
    results = ensure(study.nodes, store=Store(tmp_path), workers=1)
    tables = {figure.name: figure for figure in study.figures if not figure.name.startswith("given-up")}
    shown = {
        "error",
        "groups-0",
        "groups-30",
        "classes",
        "classes-named",
        "suspects-0",
        "suspects-30",
        "fit-30",
    }
    assert shown | {"precision-30"} == set(tables)
    assert all(figure.table(results) for figure in tables.values())
    suspects = tables["suspects-30"].table(results)
    assert [row["rank"] for row in suspects] == list(range(1, 61))
    chances = [row["probability"] for row in suspects]
    assert chances == sorted(chances) and 0 < chances[0] < chances[-1] < 1
    assert sum(bool(row["marked"]) for row in suspects) == 18
    assert "marked" not in tables["suspects-0"].table(results)[0], "without noise of ours nothing is known"
    named = tables["classes-named"].table(results)
    assert {row["panel"] for row in named} == {"best level", "level 2"}
    assert sorted(row["class"] for row in named if row["panel"] == "level 2") == [0, 1, 2]
    for claim in study.claims:
        assert claim.basis == "proposed"
        assert len(claim.quantity(results)) == 2


def test_what_the_dense_network_does_not_fit_cannot_be_given_up(tmp_path):
    study = yours.follow(recipe(), levels=1, replicates=1, ensemble=1, early="1ep", groups=5, folds=2)
    results = ensure(study.nodes, store=Store(tmp_path), workers=1)
    (figure,) = (figure for figure in study.figures if figure.name == "given-up-0")
    with pytest.raises(NothingToShow, match="fits its clean training set: needs at least 99, measured"):
        figure.table(results)
    verdicts = judge_all(study.claims, results)
    outcomes = {(verdict.paper, verdict.why) for verdict in verdicts if verdict.claim.name != "no-class-is-harmed"}
    assert ("too few replicates", "1 of at least 2 replicates") in outcomes
    assert all(paper != "not run" for paper, _ in outcomes)


def test_only_fitted_examples_are_given_up_and_none_is_said(tmp_path):
    study = yours.follow(recipe(), levels=1, replicates=1, ensemble=1, early="1ep", groups=5, folds=2, fits=0)
    results = ensure(study.nodes, store=Store(tmp_path), workers=1)
    lists = suspects.Suspects(benchmark_of(levels=1), 0.0, 2)
    dense, sparse = (results[reading] for reading in lists.examples)
    given_up = np.flatnonzero(dense["correct"] & ~sparse["correct"])
    if len(given_up):
        assert sorted(lists.given_up(results)) == given_up.tolist()
    same = {lists.examples[1].id: dense}
    with pytest.raises(NothingToShow, match="None: after 1 levels"):
        lists.given_up(Changed(results, same))


class Changed:
    """Results of which some are replaced."""

    def __init__(self, results, changes):
        self.results, self.changes = results, changes

    def __getitem__(self, node):
        return self.changes[node.id] if node.id in self.changes else self.results[node]


def benchmark_of(*, levels):
    return Benchmark(
        base=recipe(),
        noises=(0.0,),
        replicates=1,
        levels=levels,
        width_levels=0,
        rewind="0it",
        prune=Prune(amount=Remaining(fraction=0.2)),
        fits=0,
    )


def test_the_order_of_what_is_given_up_by_hand():
    dense = {"loss": np.array([0.1, 0.2, 0.3, 0.4, 0.5]), "correct": np.array([1, 1, 1, 0, 1], dtype=bool)}
    sparse = {"loss": np.array([2.1, 0.2, 3.3, 9.4, 2.5]), "correct": np.array([0, 1, 0, 0, 0], dtype=bool)}
    # 1 is still right and 3 was never fitted; 0 and 4 rise alike.
    assert suspects.given_up_order(dense, sparse).tolist() == [2, 0, 4]


def test_out_of_sample_takes_each_example_from_the_network_that_has_not_seen_it():
    folds = [
        {"seen": np.array(seen, dtype=bool), "probability": np.array(p), "prediction": np.array(k)}
        for seen, p, k in [([1, 0, 1], [0.9, 0.2, 0.9], [1, 2, 1]), ([0, 1, 0], [0.3, 0.8, 0.4], [5, 6, 7])]
    ]
    probability, prediction = suspects.out_of_sample(folds)
    assert probability.tolist() == [0.3, 0.2, 0.4] and prediction.tolist() == [5, 2, 7]


def test_the_folds_leave_every_example_out_once():
    values = {"label": np.zeros(11)}
    parts = [without_fold(values, name="label", fold=k, folds=3) for k in range(3)]
    left_out = np.concatenate([np.setdiff1d(np.arange(11), part) for part in parts])
    assert sorted(left_out.tolist()) == list(range(11))
    with pytest.raises(UsageError, match="part 3 of 3"):
        without_fold(values, name="label", fold=3, folds=3)


@pytest.mark.parametrize(("batch", "expected"), [(20, [20, 20]), (29, [30, 30]), (1, [1, 1]), (10, [10, 10])])
def test_no_fold_ends_in_a_batch_of_one(batch, expected):
    base = replace(benchmark_of(levels=1), base=recipe().replace(batch=batch))
    runs = [reading.state.run for reading in suspects.Suspects(base, 0.0, 2).held_out]
    assert [run.batch for run in runs] == expected  # 30 of 60 examples are kept


def test_precision_of_a_list_by_hand():
    rows = suspects.precision("list", np.array([3, 0, 1]), np.array([1, 0, 1, 1], dtype=bool))
    assert [(row["examples"], round(row["precision"], 2)) for row in rows] == [(1, 100), (2, 100), (3, 66.67)]
    assert all(row["low"] < row["precision"] <= row["high"] for row in rows)


def test_classes_by_name_worst_first_by_hand():
    group = np.array([0, 0, 0, 0, 2, 2, 2])
    dense = np.array([[0, 0, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0, 1]], dtype=bool)
    sparse = np.array([[1, 1, 0, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0, 1]], dtype=bool)
    worst, better, empty = whom.named(group, dense, sparse)
    # Class 0: one error of eight becomes four; example 3 is lost in one replicate and won in the other.
    counts = {"class": 0, "examples": 4, "lost": 2, "won": 0}
    assert worst == counts | {"dense": 12.5, "pruned": 50.0, "change": 37.5, "p": 0.5, "p_holm": 1.0}
    assert (better["class"], better["lost"], better["won"], better["p"]) == (2, 0, 1, 1.0)
    assert empty == {"class": 1, "examples": 0}, "without examples nothing can be said"


def test_the_smoke_scale_shows_images():
    study = yours.build(yours.SCALES["smoke"], "smoke")
    assert "given-up-images-0" in {figure.name for figure in study.figures}


def test_examples_that_are_no_images_are_listed_without_them():
    names = {figure.name for figure in yours.follow(recipe()).figures}
    assert "given-up-0" in names
    assert not any("images" in name for name in names)


@pytest.mark.parametrize("noises", [(), (0.1,), (0.0, 0.2, 0.1), (0.0, 0.0)])
def test_noise_levels_that_do_not_ascend_from_0(noises):
    with pytest.raises(UsageError, match="ascend from 0"):
        yours.follow(recipe(), noises=noises)


def test_what_cannot_be_shown_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match=r"noise 0.001 of 60 training examples changes no label"):
        yours.follow(recipe(), noises=(0.0, 0.001))
    with pytest.raises(UsageError, match="folds=61 of 60"):
        yours.follow(recipe(), folds=61)
    with pytest.raises(UsageError, match=r"Settings\.groups=4: input should be greater than or equal to 5"):
        yours.follow(recipe(), groups=4)
    labels = ps.Reading(measure=ps.Labels(split="train"), state=ps.final(recipe()))
    half = ps.Subset(source=labels, rule="prunescope.studies.subsets:without_fold", args={"name": "label", "fold": 0})
    with pytest.raises(UsageError, match="groups of a Subset are no groups"):
        yours.follow(recipe().replace(examples=half))
    x, y = torch.randn(60, 5), torch.arange(60) % 3
    task = Task.from_module(lambda: LeNet(inputs=5, classes=3, hidden=(8,)), train=(x, y), test=(x[:1], y[:1]))
    with pytest.raises(UsageError, match="1 test example cannot be halved"):
        yours.follow(recipe().replace(task=task))


def test_more_groups_than_examples():
    with pytest.raises(UsageError, match="groups=61 of 60"):
        yours.follow(recipe(), groups=61)


def test_classes_and_groups_of_ones_own_are_tables_by_name(tmp_path):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 5, generator=generator), torch.arange(60) % 3
    site = ["north" if row % 4 else "south" for row in range(60)]
    task = Task.from_module(
        lambda: LeNet(inputs=5, classes=3, hidden=(8,)),
        train=(x, y),
        test=(x, y),
        class_names=["ape", "bee", "cod"],
        groups={"site": (None, site), "only trained": (site, None)},
    )
    own = recipe().replace(task=task)
    study = yours.follow(own, levels=1, replicates=2, ensemble=1, early="1ep", groups=5, folds=2)
    figures = {figure.name: figure for figure in study.figures}
    assert "groups-named-0" not in figures, "a column without test examples says nothing of them"
    shown = [figures["classes-named"], figures["groups-named-1"]]
    results = ensure({node.id: node for figure in shown for node in figure.nodes}.values(), store=tmp_path, workers=1)
    by_class, by_site = (figure.table(results) for figure in shown)
    assert {row["class"] for row in by_class} == {"ape", "bee", "cod"}
    last = {row["site"]: row for row in by_site if row["panel"] == "level 1"}
    assert {name: row["examples"] for name, row in last.items()} == {"north": 45, "south": 15}
    errs = [results[node]["correct"] for node in figures["groups-named-1"].nodes]
    south = np.array([name == "south" for name in site])
    dense = np.mean([100 * (~np.asarray(correct)[south]).mean() for correct in errs[:2]])
    assert last["south"]["dense"] == pytest.approx(dense)


def test_two_studies_of_one_recipe_are_registered_apart():
    one, other = (yours.follow(recipe(), levels=levels) for levels in (2, 3))
    assert one.settings.id != other.settings.id
    assert described(other.settings)["how"]["levels"] == 3


def test_a_score_can_be_chosen_and_the_default_is_as_before():
    settings = yours.SCALES["smoke"]
    random = settings.replace(score=ps.Random())
    pruned = [ps.Prune(amount=ps.Remaining(fraction=0.2), score=score) for score in (ps.Magnitude(), ps.Random())]
    for chosen, prune in zip((settings, random), pruned, strict=True):
        runs = {node.id: node for node in closure(yours.build(chosen, "smoke").nodes).values()}.values()
        assert {value for run in runs if isinstance(run, ps.Recipe) for value in run.interventions} == {prune}
    assert '"score"' not in settings.canonical
