"""Claims and figures of the two papers on made-up results: tables, verdicts, and what is not judged."""

from dataclasses import replace

import numpy as np
import pytest
from paper_items import STUDIES, item

from prunescope.papers.bartoldson import arms, figures, v2020_app_e, v2020_fig2, v2020_fig5, v2020_fig6
from prunescope.papers.bartoldson.quantities import ANEW, label
from prunescope.studies.events import epochs
from prunescope.studies.judging import judge
from prunescope.training.probes import RecalibratedAccuracy

SIX = v2020_fig6.SCALES["smoke"].replace(replicates=3)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(figures, "RESAMPLES", 10)


def verdicts(study, results):
    return {claim.name: judge(claim, results) for claim in study.claims}


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_has_a_table_and_every_claim_a_verdict(name, made_up):
    study = item(name)
    for figure in study.figures:
        assert figure.table(made_up["published"]), figure.name
    assert study.claims
    for claim, verdict in verdicts(study, made_up["published"]).items():
        assert verdict.interval_rule != "not run", (claim, verdict.why)
        assert "not finite" not in verdict.why, (claim, verdict.why)


@pytest.mark.parametrize("name", [name for name in STUDIES if not name.endswith(("figA1", "figA3"))])
def test_statistics_that_are_not_estimated_anew_are_not_drawn(name, made_up):
    """Networks of these studies have BatchNorm, or may have; 0 batches leave the estimate out of all figures."""
    study = item(name, recalibration=0)
    for figure in study.figures:
        table = figure.table(made_up["published"])
        assert table, figure.name
        assert not any(ANEW in str(row.get(key)) for row in table for key in ("panel", "arm"))
    found = verdicts(study, made_up["published"])
    assert all(verdict.interval_rule != "not run" for verdict in found.values())


def test_published_numbers_are_not_judged_elsewhere(made_up):
    found = verdicts(item("bartoldson2020/fig2"), made_up["published"])
    assert found["vgg11-tradeoff-r"].interval_rule == "not judgeable at this scale"
    assert "share" not in found["vgg11-tradeoff-r"].why and "width" in found["vgg11-tradeoff-r"].why
    claims = {claim.name: claim for claim in item("bartoldson2020/appE").claims}
    assert "eigenvalues" in judge(claims["top-eigenvalues-size"], made_up["published"]).why


def test_networks_that_fit_only_at_the_end_are_not_judged_by_their_best_epoch(made_up):
    """Training accuracy at the evaluated epoch counts, not that of the last one alone."""
    comparison = arms.vgg11(SIX)
    whole = made_up["published"]

    class Late(type(whole)):
        def _trace(self, node):
            rows = super()._trace(node)
            if node.probe.split == "train" and rows:  # the fit falls short at every epoch but the last
                rows["error"] = np.where(rows["local"] == rows["local"].max(), 0.0, 0.02)
            return rows

    claim = next(
        c for c in v2020_fig2.build(v2020_fig2.SCALES["smoke"], "smoke").claims if c.name == "vgg11-unstable-beats-none"
    )
    late = Late(whole.truth)
    assert (comparison.value("no pruning", "train")(late) == 100).all()
    verdict = judge(claim, late)
    assert verdict.interval_rule == "not judgeable at this scale" and "fits its training set" in verdict.why


def test_recovery_that_never_comes_is_no_recovery(made_up):
    """Means over the events that recovered would be small; the share of all events is what is claimed."""
    claim = next(c for c in v2020_fig2.build(v2020_fig2.SCALES["smoke"], "smoke").claims if c.name == "vgg11-recovers")
    assert judge(claim, made_up["published"]).interval_rule == "reproduced"
    slow = made_up["class"](lambda run: replace(made_up["published"].truth(run), wait=99))
    assert judge(claim, slow).interval_rule == "contradicted"
    calm = made_up["class"](lambda run: replace(made_up["published"].truth(run), drop=0.0))
    assert "cost accuracy" in judge(claim, calm).why


def test_there_is_nothing_to_mediate_without_a_correlation(made_up):
    study = v2020_fig6.build(SIX, "smoke")
    claim = next(c for c in study.claims if c.name == "mediation")
    opposite = judge(claim, made_up["opposite"])
    assert opposite.interval_rule == "not judgeable at this scale" and "best falls with" in opposite.why


def test_arms_that_are_equally_stable_say_nothing(made_up):
    same = made_up["class"](lambda run: made_up["truth"](drop=5.0 * bool(run.interventions), accuracy=80, sharp=9))
    claim = next(c for c in v2020_fig2.build(v2020_fig2.SCALES["smoke"], "smoke").claims if c.name == "vgg11-tradeoff")
    verdict = judge(claim, same)  # the arm without pruning is more stable, but not among these
    assert verdict.interval_rule == "not judgeable at this scale" and "differ in mean stability" in verdict.why


def test_noise_that_goes_on_is_one_event(made_up):
    noisy = v2020_fig5.comparisons(v2020_fig5.SCALES["smoke"])["Gaussian noise"]
    for run in noisy.recipes("Gaussian 2"):
        seen = epochs(made_up["published"][noisy.observables.accuracy(run)])
        (noise,) = run.interventions
        assert seen.event.sum() == len({k for layer in noise.layers for k in layer.steps(run.clock())})


def test_unreached_epsilons_are_marked_and_not_judged(made_up):
    class Far(type(made_up["published"])):
        def _reading(self, node):
            found = super()._reading(node)
            return {**found, "reached": 0.0} if "reached" in found else found

    study = v2020_app_e.build(v2020_app_e.SCALES["smoke"], "smoke")
    far = Far(made_up["published"].truth)
    (figure,) = (one for one in study.figures if one.name == "appe-epsilon-stability")
    assert all(row["arm"].endswith("at least") for row in figure.table(far))
    claim = next(c for c in study.claims if c.name == "stability-epsilon")
    assert "epsilon is reached" in judge(claim, far).why


@pytest.fixture
def halved(made_up):
    """What pruning is said to do, half of every drop of it stale statistics."""

    class Halved(made_up["class"]):
        def _trace(self, node):
            rows = super()._trace(node)
            if rows and isinstance(node.probe, RecalibratedAccuracy):
                after = np.flatnonzero(rows["phase"] == "after")  # each comes right after its "before"
                rows["error"][after] = (rows["error"][after] + rows["error"][after - 1]) / 2
            return rows

    return Halved(made_up["published"].truth)


def test_drops_are_shown_with_statistics_estimated_anew_beside_them(halved):
    comparison = arms.vgg11(SIX)
    for stale, anew in (
        ("mean_drop", "recalibrated_drop"),
        ("mean_positive_drop", "recalibrated_positive_drop"),
        ("worst_drop", "recalibrated_worst_drop"),
    ):
        for name in comparison.names:
            whole, half = (comparison.value(name, quantity)(halved) for quantity in (stale, anew))
            assert half == pytest.approx(whole / 2), (name, anew)
    figure = figures.means("means", "", {"": comparison}, ("worst_drop", "last_drop"))
    assert {row["panel"] for row in figure.table(halved)} == {
        label(quantity) for quantity in ("worst_drop", "recalibrated_worst_drop", "last_drop", "recalibrated_last_drop")
    }


def test_events_and_layers_of_ones_own_network_are_drawn(halved):
    tables = {one.name: one.table(halved) for one in item("bartoldson2020/yours").figures}
    rows = tables["events"]
    for kind, panel in (("", "stability, %"), ("recalibrated_", f"stability {ANEW}, %")):
        shown = [row for row in rows if row["panel"] == panel]
        expected = [100 * row[f"{kind}after"] / row[f"{kind}before"] for row in shown]
        assert shown and [row["value"] for row in shown] == pytest.approx(expected)
    for row in rows:
        drop, half = (row[f"{kind}before"] - row[f"{kind}after"] for kind in ("", "recalibrated_"))
        assert drop > 0 and half == pytest.approx(drop / 2)
    for name in ("layers-h", "layers-c"):
        assert {row["parameter"] for row in tables[name]} == {"a.weight", "b.weight"}
        assert {row["arm"] for row in tables[name]} == {"no pruning", *(row["arm"] for row in rows)}
    without = {one.name: one for one in item("bartoldson2020/yours", recalibration=0).figures}
    plain = without["events"].table(halved)
    assert {row["panel"] for row in plain} == {"stability, %", "epochs until recovery"}
    assert not any("recalibrated_after" in row for row in plain)
