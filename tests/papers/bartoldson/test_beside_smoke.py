"""Networks and parts that no smoke scale has: built, judged on made-up results, and run once, as narrow as they go."""

import pytest
from paper_items import BESIDE, item

from prunescope.papers.bartoldson import figures, v2020_app_b, v2020_app_c, v2020_fig4
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store.store import Store
from prunescope.sparsity.unit_scores import ExpectedActivation, FilterNorm, MeanActivation
from prunescope.studies.judging import judge
from prunescope.training.probes import EpochAccuracy

PAPER = {"data": "blobs", "blobs": 128, "replicates": 1}
QUICK = ("Figure 4, ResNet18",)
RUNS = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in BESIDE]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(figures, "RESAMPLES", 10)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("beside"))


@pytest.mark.parametrize("name", BESIDE)
def test_every_figure_has_a_table_and_every_claim_a_verdict(name, made_up):
    study = item(name, replicates=3)
    assert study.figures and study.claims
    for figure in study.figures:
        assert figure.table(made_up["published"]), figure.name
    for claim in study.claims:
        verdict = judge(claim, made_up["published"])
        assert verdict.interval_rule != "not run", (claim.name, verdict.why)
        assert "not finite" not in verdict.why, (claim.name, verdict.why)


@pytest.mark.parametrize("name", RUNS)
def test_it_runs_and_lacks_nothing_that_it_draws_and_claims(name, store):
    study = item(name)
    nodes = study.nodes
    results = ensure(nodes, store=store, workers=1)
    for figure in study.figures:
        assert figure.table(results), figure.name
    for claim in study.claims:
        assert "is not in the store" not in judge(claim, results).why, claim.name
    traces = [n for n in nodes if isinstance(getattr(n, "probe", None), EpochAccuracy)]
    assert any(node.run.interventions for node in traces)
    for node in traces:
        seen, clock = results[node], node.run.clock()
        onsets = {k for one in node.run.interventions for k in one.onsets(clock)}
        after = [local for local, phase in zip(seen["local"], seen["phase"], strict=True) if phase == "after"]
        assert set(after) == onsets
        assert (seen["sparsity"][-1] > 0) == bool(onsets)


def test_figure_b2_scores_resnet18_by_signed_expected_activations_and_starts_early():
    settings = v2020_app_b.Settings(**PAPER, networks=("ResNet18",))
    _, slow, fast, large = v2020_app_b.comparisons(settings)["ResNet18"].arms
    for one in (slow, fast, large):
        (cut,) = one.runs[0].interventions
        assert cut.score == ExpectedActivation(signed=True)
        assert [layer.start for layer in cut.layers] == ["4ep", "5ep", "6ep", "7ep"]
        assert [layer.fraction for layer in cut.layers] == [0.25, 0.4, 0.25, 0.95]
    assert [one.name for one in (slow, fast, large)] == ["Prune_S 1 %", "Prune_S 14 %", "Prune_L 14 %"]


def test_table_c1_scores_by_activations_and_takes_four_fifths_of_a_layer():
    study = v2020_app_c.build(v2020_app_c.Settings(**PAPER, parts=("C1",)), "paper")
    cuts = {cut for node in study.nodes if hasattr(node, "run") for cut in node.run.interventions}
    assert len(cuts) == 3
    for cut in cuts:
        assert isinstance(cut.score, MeanActivation)
        assert [layer.fraction for layer in cut.layers] == [0.25, 0.8, 0.25, 0.95]
        assert [layer.start for layer in cut.layers] == ["8ep", "9ep", "10ep", "11ep"]


def test_figure_c3_has_77_events_of_every_layer_under_sgd():
    plain, six, ten = v2020_app_c.tiny(v2020_app_c.Settings(**PAPER)).arms
    for one, share in ((six, 0.06), (ten, 0.1)):
        (run,) = one.runs
        (cut,) = run.interventions
        assert cut.score == FilterNorm(order=1) and cut.target == "smallest" and len(cut.layers) == 16
        assert {layer.fraction for layer in cut.layers} == {share}
        assert len(cut.onsets(run.clock())) == 77
        assert run.optimizer == plain.runs[0].optimizer and run.optimizer.momentum == 0.9


@pytest.mark.parametrize(("network", "layers"), [("ResNet18", 16), ("ResNet56", 54)])
def test_figure_4_prunes_every_block_at_two_rates(network, layers):
    _, three, five = v2020_fig4.comparison(network, v2020_fig4.Settings(**PAPER)).arms
    for one, events in ((three, 3), (five, 2)):
        (run,) = one.runs
        (cut,) = run.interventions
        assert len(cut.layers) == layers and len(cut.onsets(run.clock())) == events
        assert cut.score == FilterNorm(order=1) and cut.target == "smallest"
