"""Every study of the folder at smoke scale, from its settings to its report."""

import importlib

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.papers.yang2023 import collapse, mild_and_over, neurons_vs_weights, phase_diagram
from prunescope.papers.yang2023.catalogue import STUDIES
from prunescope.papers.yang2023.setting import Setting
from prunescope.papers.yang2023.statements import Regime
from prunescope.papers.yang2023.sweep import Sweep, is_trained
from prunescope.runs.execute import ensure
from prunescope.runs.store import Store
from prunescope.studies.claim import judge
from prunescope.studies.load import changed
from prunescope.studies.publish import nodes_of, publish


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def made(module, settings=None):
    study = module.build(settings or module.SCALES["smoke"], "smoke")
    return study, nodes_of(study)


@pytest.mark.parametrize("entry", STUDIES, ids=lambda entry: entry.name)
def test_a_study_runs_and_all_its_figures_are_drawn(entry, store, tmp_path):
    study, nodes = made(importlib.import_module(entry.module))
    assert (study.name, study.question) == (entry.name, entry.question)
    ensure(nodes, store=store, workers=1)
    done = publish(study, store, tmp_path)
    assert not done.failures
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {f.name for f in study.figures}
    assert all("is not in the store" not in verdict.why for verdict in done.verdicts)


def test_claims_of_the_abstract_have_the_paper_as_basis():
    study, _ = made(mild_and_over)
    basis = {claim.name: claim.basis for claim in study.claims}
    assert basis["noisy-mild-lowers-error"] == basis["theory-like-over-guesses"] == "paper"
    assert basis["noisy-over-loss"] == "recalled"
    assert basis["noisy-dead-guesses"] == "proposed"


def test_a_run_at_its_step_limit_is_not_trained_and_counts_for_nothing(store):
    settings = mild_and_over.SCALES["smoke"]
    hopeless = changed(settings, {"noisy": {"setting": {"most_steps": 3}}})
    study, nodes = made(mild_and_over, hopeless)
    results = ensure(nodes, store=store, workers=1)
    arm = hopeless.noisy
    sweep = Sweep(arm.setting, arm.keeps, arm.replicates)
    assert not any(is_trained(results, point) for point in sweep.points)
    claims = {claim.name: claim for claim in study.claims}
    verdict = judge(claims["noisy-over-guesses"], results)
    assert verdict.paper == verdict.interval_rule == "not judgeable at this scale"
    assert "measured 0 % of replicates" in verdict.why
    rows = study.figures[0].table(results)
    assert all(np.isnan(r["value"]) for r in rows if r["panel"] == "noisy" and r["quantity"] == "test error")


def test_a_step_size_that_diverges_fails_by_name_and_the_rest_goes_on(store, tmp_path):
    hopeless = changed(mild_and_over.SCALES["smoke"], {"noisy": {"setting": {"lr": 1e6}}})
    study, nodes = made(mild_and_over, hopeless)
    ensure(nodes, store=store, workers=1)
    done = publish(study, store, tmp_path)
    assert len(done.failures) == 6
    assert all("at step" in why and "lower the learning rate" in why for why in done.failures.values())
    outcomes = {verdict.claim.name: verdict.paper for verdict in done.verdicts}
    assert outcomes["noisy-mild-lowers-error"] == "not run"
    assert outcomes["theory-like-mild-generalizes"] in ("reproduced", "contradicted", "inconclusive")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"noisy": {"keeps": (1.0, 0.3, 1.5)}}, r"noisy\.keeps\.2=1\.5: .* less than or equal to 1"),
        ({"noisy": {"keeps": (1.0, 0.3, 0.0)}}, r"noisy\.keeps\.2=0\.0: .* greater than 0"),
        ({"noisy": {"setting": {"classes": 61}}}, "classes=61 orthogonal signals do not fit in dimension=60"),
        ({"noisy": {"setting": {"power": 0.5}}}, r"power=0\.5: .* greater than or equal to 1"),
        ({"noisy": {"setting": {"lr": 0}}}, "lr=0: .* greater than 0"),
    ],
)
def test_impossible_settings_name_field_value_and_what_is_permitted(changes, words):
    with pytest.raises(UsageError, match=words):
        changed(mild_and_over.SCALES["smoke"], changes)


def test_four_classes_are_a_setting_like_any_other(store):
    settings = changed(mild_and_over.SCALES["smoke"], {"noisy": {"setting": {"classes": 4}, "replicates": 1}})
    arm = settings.noisy
    regime = Regime("noisy", Sweep(arm.setting, arm.keeps, arm.replicates), mild=arm.mild, over=arm.over)
    results = ensure(regime.nodes, store=store, workers=1)
    assert regime.guessing == 75.0
    assert results[regime.sweep.points[0].features]["signal"].shape == (4,)


def test_claims_are_judged_only_where_something_runs():
    with pytest.raises(UsageError, match=r"lacks \[0.15\]"):
        changed(mild_and_over.SCALES["smoke"], {"noisy": {"mild": 0.15}})


@pytest.mark.parametrize(
    ("errors", "place"),
    [
        ([0.5, 0.3, 0.1], 0.0 + 1.25),
        ([0.5, 0.5, 0.25], 2.0),
        ([0.5, 0.4, 0.3], np.nan),
        ([0.2, 0.1, 0.0], np.nan),
    ],
)
def test_a_crossing_is_interpolated_and_never_made_up(errors, place):
    found = collapse._crossing(np.array([0.0, 1.0, 2.0]), np.array(errors), 0.25)
    assert found == pytest.approx(place, nan_ok=True)


def test_dynamics_stay_where_a_run_stopped(store):
    module = importlib.import_module("prunescope.papers.yang2023.dynamics")
    study, nodes = made(module)
    rows = study.figures[0].table(ensure(nodes, store=store, workers=1))
    lengths = {(row["panel"], row["replicate"], row["quantity"]): 0 for row in rows}
    for row in rows:
        lengths[row["panel"], row["replicate"], row["quantity"]] += 1
    for panel in {row["panel"] for row in rows}:
        assert len({count for (name, *_), count in lengths.items() if name == panel}) == 1


def test_predictors_place_a_network_between_memorization_and_death():
    sweep = Sweep(Setting(), (1.0, 0.3, 0.01), 1)
    assert [phase_diagram.expected_to_generalize(p) for p in sweep.points] == [False, True, False]


def test_a_share_of_a_neuron_is_refused():
    settings = neurons_vs_weights.SCALES["smoke"].replace(sizes=(1.0, 0.25), judged=0.25)
    with pytest.raises(UsageError, match="whole neurons"):
        neurons_vs_weights.build(settings, "smoke")
