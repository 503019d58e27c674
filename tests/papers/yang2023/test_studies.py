"""Every study of the folder at smoke scale, from its settings to its report."""

import importlib

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.papers.yang2023 import collapse, mild_and_over, neurons_vs_weights, phase_diagram, statements
from prunescope.papers.yang2023.catalogue import STUDIES
from prunescope.papers.yang2023.setting import Setting
from prunescope.papers.yang2023.statements import Regime
from prunescope.papers.yang2023.sweep import Sweep, is_trained
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store.results import Failed, Missing, StoredResults
from prunescope.runs.store.store import Store
from prunescope.studies.claim import judge
from prunescope.studies.load import changed
from prunescope.studies.publish import nodes_of, publish
from prunescope.tasks.data.signal_noise import DenseSignal


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def made(module, settings=None):
    study = module.build(settings or module.SCALES["smoke"], "smoke")
    return study, nodes_of(study)


def curves_of(sweep, errors, *, untrained=()):
    """Results of a sweep with these test errors [keeps, replicates] and no training."""
    results = {}
    for point in sweep.points:
        limit = sweep.setting.most_steps
        missed = (point.keep, point.replicate) in untrained
        error = errors[sweep.keeps.index(point.keep)][point.replicate]
        results[point.recipe] = {"steps": np.asarray(limit if missed else 1)}
        results[point.train] = {"loss": np.asarray(1.0 if missed else 0.0)}
        results[point.test] = {"error": np.asarray(error)}
    return results


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
    verdicts = {verdict.claim.name: verdict for verdict in done.verdicts}
    assert verdicts["noisy-mild-lowers-error"].paper == "not judgeable at this scale"
    assert "measured 0 % of replicates" in verdicts["noisy-mild-lowers-error"].why
    assert verdicts["theory-like-features-move"].paper in ("reproduced", "contradicted", "inconclusive")
    rows = study.figures[-1].table(StoredResults(store))
    missed = [r["value"] for r in rows if r["panel"] == "noisy" and r["quantity"] == "runs not trained"]
    assert missed == [100.0] * 3


class Some(dict):
    """Results by node, some of them failed."""

    def __init__(self, results, failed):
        super().__init__(results)
        self.failed = failed

    def __missing__(self, node):
        raise (Failed if node in self.failed else Missing)(f"{node.id}")


def test_one_diverged_replicate_is_untrained_and_the_rest_is_judged():
    regime = Regime("noisy", Sweep(Setting(), (1.0, 0.2, 0.01), 10), mild=0.2, over=0.01)
    results = curves_of(regime.sweep, [[0.5] * 10, [0.0] * 10, [0.5] * 10])
    gone = regime.sweep.row(0.01)[3]
    for node in (gone.recipe, gone.train, gone.test):
        del results[node]
    claim = statements.over_guesses(regime)
    verdict = judge(claim, Some(results, {gone.recipe}))
    assert (verdict.n, verdict.interval_rule) == (9, "reproduced")
    assert judge(claim, Some(results, set())).interval_rule == "not run"


def test_over_pruning_is_judged_by_the_median():
    """Eight of ten guess: the mean says nothing, the median is decided only from nine on."""
    regime = Regime("noisy", Sweep(Setting(), (1.0, 0.2, 0.01), 10), mild=0.2, over=0.01)
    for guess, outcome in ((10, "reproduced"), (9, "reproduced"), (8, "inconclusive"), (1, "contradicted")):
        over = [0.5] * guess + [0.0] * (10 - guess)
        results = curves_of(regime.sweep, [[0.5] * 10, [0.0] * 10, over])
        assert judge(statements.over_guesses(regime), results).interval_rule == outcome


def test_mild_pruning_is_judged_where_most_dense_networks_generalize():
    regime = Regime("theory", Sweep(Setting(), (1.0, 0.2, 0.01), 10), mild=0.2, over=0.01)
    for fail, judged in ((3, True), (6, False)):
        results = curves_of(regime.sweep, [[0.4] * fail + [0.0] * (10 - fail), [0.0] * 10, [0.5] * 10])
        for keep, loss in ((1.0, 0.02), (0.2, 0.01)):
            for point in regime.sweep.row(keep):
                results[point.test]["loss"] = np.asarray(loss)
        verdict = judge(statements.mild_lowers_loss(regime), results)
        assert (verdict.interval_rule == "reproduced") is judged
        assert ("most dense networks generalize" in verdict.why) is not judged


def test_with_a_dense_signal_masking_changes_no_prediction():
    dense = Setting(signal=DenseSignal())
    assert dense.race(0.01) == dense.race(1.0) == Setting().race(1.0)
    assert dense.death(0.01) == pytest.approx(0.5**50)


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
        ([[0.5], [0.3], [0.1]], 0.0 + 1.25),
        ([[0.5], [0.5], [0.25]], 2.0),
        ([[0.5, 0.5], [0.5, 0.1], [0.1, 0.1]], 1.25),  # the mean is 0.5, 0.3, 0.1
        ([[0.5, 0.5], [0.3, np.nan], [0.1, 0.1]], 1.25),  # not trained: missing
        ([[0.5], [np.nan], [0.0]], 1.0),  # nothing trained there: the line runs from its neighbours
        ([[0.5], [0.4], [0.3]], np.nan),
        ([[0.2], [0.1], [0.0]], np.nan),
    ],
)
def test_a_crossing_is_interpolated_and_never_made_up(errors, place):
    found = collapse.crossing(np.array([0.0, 1.0, 2.0]), np.array(errors), 0.25)
    assert found == pytest.approx(place, nan_ok=True)


def collapse_verdicts(errors_of_each, **changes):
    settings = collapse.SCALES["smoke"].replace(keeps=(1.0, 0.5, 0.25), replicates=3)
    study = collapse.build(settings, "smoke")
    results = {}
    for d, errors in zip(settings.dimensions, errors_of_each, strict=True):
        sweep = Sweep(settings.setting.replace(dimension=d), settings.keeps, settings.replicates)
        results |= curves_of(sweep, errors, **changes)
    return {claim.name: judge(claim, results) for claim in study.claims}


FALLS = [[0.5, 0.48, 0.5], [0.3, 0.32, 0.3], [0.0, 0.0, 0.02]]


def test_a_replicate_without_a_crossing_of_its_own_does_not_kill_the_claims():
    one_never = [[0.5, 0.48, 0.5], [0.3, 0.32, 0.3], [0.0, 0.0, 0.3]]
    verdict = collapse_verdicts([FALLS, one_never])["curves-collapse"]
    assert verdict.n == 3 and np.isfinite(verdict.values).all() and verdict.interval is not None


def test_the_jackknife_of_equal_curves_is_their_place():
    same = [[0.5] * 3, [0.3] * 3, [0.0] * 3]
    verdict = collapse_verdicts([same, same])["curves-collapse"]
    assert verdict.values == pytest.approx([-1.5] * 3)  # log2 of (40 / 80)^(3 / 2): the races at equal keep


def test_untrained_runs_are_missing_from_curves():
    strange = [[0.5, 0.48, 0.5], [0.0, 0.32, 0.3], [0.0, 0.0, 0.02]]
    verdicts = [
        collapse_verdicts([errors, FALLS], untrained={(0.5, 0)})["curves-collapse"]
        for errors in (strange, FALLS)
    ]
    assert verdicts[0].values == verdicts[1].values
    assert "measured 66.67 % of replicates" in verdicts[0].why


def test_a_curve_that_never_falls_is_not_judged():
    verdict = collapse_verdicts([FALLS, [[0.5] * 3] * 3])["curves-collapse"]
    assert verdict.interval_rule == "not judgeable at this scale" and "falls below it" in verdict.why


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


def test_a_constant_guess_does_not_agree():
    """Nearly all networks generalize, as is always predicted: nothing is learned from that."""
    sweep = Sweep(Setting(noise=0.1), (1.0, 0.5), 2)
    everywhere = curves_of(sweep, [[0.0, 0.0], [0.0, 0.0]])
    assert all(phase_diagram.expected_to_generalize(point) for point in sweep.points)
    assert len(phase_diagram.agreement(everywhere, {0.1: sweep})) == 0
    nearly = curves_of(sweep, [[0.0, 0.0], [0.0, 0.5]])
    assert phase_diagram.agreement(nearly, {0.1: sweep}) == pytest.approx([50.0])


def test_a_share_of_a_neuron_is_refused():
    settings = neurons_vs_weights.SCALES["smoke"].replace(sizes=(1.0, 0.25), judged=0.25)
    with pytest.raises(UsageError, match="whole neurons"):
        neurons_vs_weights.build(settings, "smoke")


def test_the_size_that_is_judged_must_be_run():
    with pytest.raises(UsageError, match=r"lack \[0.4\]"):
        changed(neurons_vs_weights.SCALES["smoke"], {"judged": 0.4})
