"""ResNet-20's column on made-up images, and memorization by retraining."""

import json
from dataclasses import replace

import numpy as np
import pytest

from prunescope.papers.jin2022 import column, fig6, influence
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.quantities import rank_correlation
from prunescope.papers.jin2022.scales import COLUMNS
from prunescope.papers.jin2022.settings import SCALES, arms
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store.store import Store
from prunescope.studies.judging import judge
from prunescope.studies.publish import publish
from prunescope.studies.rule import OneStandardDeviation
from prunescope.tasks.data.synthetic import synthetic

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("influence"))
    study = influence.build(influence.SCALES["smoke"], "smoke")
    return study, ensure(study.nodes, store=store, workers=1), store


def test_influence_from_retraining_to_the_report(measured, tmp_path):
    study, _, store = measured
    done = publish(study, store, tmp_path)
    assert not done.failures and {path.stem for path in (tmp_path / "figures").glob("*.svg")} == {
        figure.name for figure in study.figures
    }
    verdicts = json.loads((tmp_path / "summary.json").read_text())["claims"]
    of = {verdict["name"]: verdict["by_paper"] for verdict in verdicts}
    assert of.pop("flipped-are-memorized-40") in ("contradicted", "inconclusive")  # with a caution: hardly any are
    assert set(of.values()) == {"not judgeable at this scale"}


def test_every_network_lacks_another_share_of_the_same_examples(measured):
    study, results, _ = measured
    members = [run for run in study.figures[2].lineage["measured; by chance"] if run.task.data.label_noise == 0]
    assert len(members) == 2 * 6 and len({run.id for run in members}) == 12
    pool = round(0.2 * 1297)
    kept = [tuple(results.rows(run.examples)) for run in members]
    assert {len(rows) for rows in kept} == {pool - round(0.3 * pool)} and len(set(kept)) == 12
    assert {run.seeds.labels for run in members} == {0, 1} and len({run.seeds.init for run in members}) == 12


def test_correlations_are_over_examples_that_have_both_numbers():
    x = np.array([1.0, 2.0, np.nan, 4.0])
    assert rank_correlation(x, np.array([10.0, 20.0, -5.0, 40.0])) == 1.0
    assert np.isnan(rank_correlation(x, np.ones(4)))


def test_the_column_of_resnet20_runs_and_says_that_its_network_fits_nothing(monkeypatch, tmp_path):
    source = synthetic(classes=10, shape=(3, 32, 32), train=96, test=40)
    monkeypatch.setitem(COLUMNS, "resnet20", replace(COLUMNS["resnet20"], source=lambda: source, batch=48))
    settings = column.SCALES["smoke"].replace(
        benchmark="resnet20", network_scale=0.25, share=1.0, levels=1, epochs=4, parts=("fig2", "fig3", "fig4")
    )
    study = column.build(settings, "smoke")
    store = Store(tmp_path / "store")
    ensure(study.nodes, store=store, workers=1)
    done = publish(study, store, tmp_path / "report")
    by_paper = {verdict.claim.name: verdict.paper for verdict in done.verdicts}
    assert not done.failures and by_paper["better-training"] == "not judgeable at this scale"
    assert "needs at least" in next(v.why for v in done.verdicts if v.claim.name == "better-training")


def test_an_optimum_beyond_extended_training_is_not_judgeable(tmp_path):
    size = SCALES["smoke"].replace(epochs=1, share=0.1, replicates=2).size("smoke")
    bench = replace(arms(size), name="lenet", extended_levels=1)
    results = Fake(bench, best=2)
    claims = {claim.name: claim for claim in fig6.numbers(bench)}
    verdict = judge(claims["extended-gap-equal-40"], results)
    assert verdict.paper == "not judgeable at this scale" and "run as long as pruning" in verdict.why
    rule = OneStandardDeviation()
    assert judge(claims["extended-gap-best-40"], results, rule).paper in ("reproduced", "contradicted")
    nearer = judge(claims["extended-gap-equal-40"], Fake(bench, best=1), rule)
    assert nearer.paper in ("reproduced", "contradicted")


class Fake:
    """Errors of every network: 30 % but for the pruned one of the best level, 10 %; noise memorized."""

    def __init__(self, bench: Benchmark, *, best: int) -> None:
        self.values = {}
        for p in bench.points:
            good = p.arm == "pruned" and p.level == best
            self.values[p.test.id] = {"error": 0.1 + 0.001 * p.replicate if good else 0.3}
            self.values[p.train.id] = {"error": 0.0, "noisy_error": 0.0}

    def __getitem__(self, node):
        return {name: np.asarray(value) for name, value in self.values[node.id].items()}

    def __contains__(self, node):
        return node.id in self.values
