"""Every study of the folder at smoke scale, from its settings to its report."""

import importlib

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.papers.catalogue import catalogue
from prunescope.papers.readings import risk_on_test, risk_on_train
from prunescope.papers.yang2023 import collapse, mild_and_over, neurons_vs_weights, phase_diagram
from prunescope.papers.yang2023.mild_and_over import Regime, error_claims, loss_claims
from prunescope.papers.yang2023.quantities import sweep
from prunescope.papers.yang2023.scales import NOISY, Setting
from prunescope.runs.execution.ensure import FailedRuns, ensure
from prunescope.runs.store.results import Failed, Missing, StoredResults
from prunescope.runs.store.store import Store
from prunescope.studies.figure import Rows
from prunescope.studies.judging import judge
from prunescope.studies.load import changed
from prunescope.studies.publish import publish
from prunescope.tasks.data.signal_noise import DenseSignal


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def made(module, settings=None):
    study = module.build(settings or module.SCALES["smoke"], "smoke")
    return study, study.nodes


def curves_of(curve, errors, *, untrained=()):
    """Results of networks by keep probability with these test errors [keeps, replicates] and no training."""
    results = {}
    for (keep, networks), row in zip(curve.items(), errors, strict=True):
        for number, (run, error) in enumerate(zip(networks.runs, row, strict=True)):
            missed = (keep, number) in untrained
            results[run] = {"steps": np.asarray(networks.setting.most_steps if missed else 1)}
            results[risk_on_train(run)] = {"loss": np.asarray(1.0 if missed else 0.0)}
            results[risk_on_test(run)] = {"error": np.asarray(error)}
    return results


def claim_of(claims, name):
    return next(claim for claim in claims if claim.name == name)


QUICK = ("yang2023/mild-and-over", "yang2023/fig2", "yang2023/cifar")
STUDIES = [
    entry if entry.name in QUICK else pytest.param(entry, marks=pytest.mark.slow)
    for entry in catalogue()
    if entry.name.startswith("yang2023/")
]


@pytest.mark.parametrize("entry", STUDIES, ids=lambda entry: entry.name)
def test_a_study_runs_and_all_its_figures_are_drawn(entry, store, tmp_path):
    study, nodes = made(importlib.import_module(entry.module))
    assert (study.name, study.question) == (entry.name, entry.question)
    ensure(nodes, store=store, workers=1)
    done = publish(study, store, tmp_path)
    assert not done.failures
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {f.name for f in study.figures}
    assert all("is not in the store" not in verdict.why for verdict in done.verdicts)


def test_displacement_is_relative_to_the_weights_that_pruning_left():
    networks = sweep(Setting(), (1.0,), 1)[1.0]
    before, after, run, risk = networks.displacement.nodes
    results = {run: {"steps": np.asarray(1)}, risk: {"loss": np.asarray(0.0)}}
    results |= {node: {"weights": length * np.array([3, 4], dtype="f4")} for node, length in ((before, 1), (after, 3))}
    assert networks.displacement(results).tolist() == [2.0]


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
    networks = Regime("noisy", hopeless.noisy).networks
    assert not any(each.trained(results).any() for each in networks.values())
    verdict = judge(claim_of(study.claims, "noisy-over-guesses"), results)
    assert verdict.paper == verdict.interval_rule == "not judgeable at this scale"
    assert "measured 0 % of replicates" in verdict.why
    rows = study.figures[0].table(results)
    assert all(np.isnan(r["value"]) for r in rows if r["panel"] == "noisy" and r["quantity"] == "test error")


def test_a_step_size_that_diverges_fails_by_name_and_the_rest_goes_on(store, tmp_path):
    hopeless = changed(mild_and_over.SCALES["smoke"], {"noisy": {"setting": {"lr": 1e6}}})
    study, nodes = made(mild_and_over, hopeless)
    with pytest.warns(FailedRuns, match="6 runs failed"):
        ensure(nodes, store=store, workers=1)
    done = publish(study, store, tmp_path)
    assert len(done.failures) == 6
    assert all("at step" in why and "lower the learning rate" in why for why in done.failures.values())
    verdicts = {verdict.claim.name: verdict for verdict in done.verdicts}
    assert verdicts["noisy-mild-lowers-error"].paper == "not judgeable at this scale"
    assert "measured 0 % of replicates" in verdicts["noisy-mild-lowers-error"].why
    assert verdicts["theory-like-features-move"].interval_rule in ("reproduced", "contradicted", "inconclusive")
    rows = study.figures[-1].table(StoredResults(store))
    missed = [r["value"] for r in rows if r["panel"] == "noisy" and r["quantity"] == "runs not trained"]
    assert missed == [100.0] * 3


THREE = NOISY.replace(keeps=(1.0, 0.2, 0.01))


class Some(dict):
    """Results by node, some of them failed."""

    def __init__(self, results, failed):
        super().__init__(results)
        self.failed = failed

    def __missing__(self, node):
        raise (Failed if node in self.failed else Missing)(f"{node.id}")


def test_one_diverged_replicate_is_untrained_and_the_rest_is_judged():
    regime = Regime("noisy", THREE)
    results = curves_of(regime.networks, [[0.5] * 10, [0.0] * 10, [0.5] * 10])
    gone = regime.networks[0.01].runs[3]
    for node in (gone, risk_on_train(gone), risk_on_test(gone)):
        del results[node]
    claim = claim_of(error_claims(regime), "noisy-over-guesses")
    verdict = judge(claim, Some(results, {gone}))
    assert (verdict.n, verdict.interval_rule) == (9, "reproduced")
    assert judge(claim, Some(results, set())).interval_rule == "not run"


def test_a_run_that_is_not_there_is_a_gap_and_one_that_diverged_is_shown_as_not_trained():
    (networks,) = sweep(Setting(), (1.0,), 3).values()
    results = curves_of({1.0: networks}, [[0.1, 0.2, 0.3]])
    rows = Rows({}, {"trained": networks.trained, "error": networks.error()})
    gone = networks.runs[1]
    for node in (gone, risk_on_train(gone), risk_on_test(gone)):
        del results[node]
    assert [row["replicate"] for row in rows.table(Some(results, set()))] == [0, 2]
    diverged = rows.table(Some(results, {gone}))[1]
    assert diverged["trained"] is False and np.isnan(diverged["error"])


def test_over_pruning_is_judged_by_the_median():
    """Eight of ten guess: the mean says nothing, the median is decided only from nine on."""
    regime = Regime("noisy", THREE)
    claim = claim_of(error_claims(regime), "noisy-over-guesses")
    for guess, outcome in ((10, "reproduced"), (9, "reproduced"), (8, "inconclusive"), (1, "contradicted")):
        over = [0.5] * guess + [0.0] * (10 - guess)
        results = curves_of(regime.networks, [[0.5] * 10, [0.0] * 10, over])
        assert judge(claim, results).interval_rule == outcome


def test_mild_pruning_is_judged_where_most_dense_networks_generalize():
    regime = Regime("theory", THREE, quiet=True)
    claim = claim_of(loss_claims(regime), "theory-mild-lowers-loss")
    for fail, judged in ((3, True), (6, False)):
        results = curves_of(regime.networks, [[0.4] * fail + [0.0] * (10 - fail), [0.0] * 10, [0.5] * 10])
        for keep, loss in ((1.0, 0.02), (0.2, 0.01)):
            for run in regime.networks[keep].runs:
                results[risk_on_test(run)]["loss"] = np.asarray(loss)
        verdict = judge(claim, results)
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
    regime = Regime("noisy", settings.noisy)
    features, *_ = nodes = regime.networks[1.0].feature("signal_mean").nodes
    assert ensure([*nodes], store=store, workers=1)[features]["signal"].shape == (4,)
    assert claim_of(error_claims(regime), "noisy-over-guesses").region.than == 70.0  # 5 points below guessing


def test_claims_are_judged_only_where_something_runs():
    with pytest.raises(UsageError, match=r"lack \[0.15\]"):
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
    found = collapse.crossing(np.array([0.0, 1.0, 2.0]), np.array(errors).T, 0.25)
    assert found == pytest.approx(place, nan_ok=True)


def collapse_verdicts(errors_of_each, **changes):
    settings = collapse.SCALES["smoke"].replace(keeps=(1.0, 0.5, 0.25), replicates=3)
    study = collapse.build(settings, "smoke")
    results = {}
    for d, errors in zip(settings.dimensions, errors_of_each, strict=True):
        curve = sweep(settings.setting.replace(dimension=d), settings.keeps, settings.replicates)
        results |= curves_of(curve, errors, **changes)
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
        collapse_verdicts([errors, FALLS], untrained={(0.5, 0)})["curves-collapse"] for errors in (strange, FALLS)
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
    curve = sweep(Setting(), (1.0, 0.3, 0.01), 1)
    assert [phase_diagram.expected_to_generalize(each) for each in curve.values()] == [False, True, False]


def test_a_constant_guess_does_not_agree():
    """Nearly all networks generalize, as is always predicted: nothing is learned from that."""
    curve = sweep(Setting(noise=0.1), (1.0, 0.5), 2)
    agreement = phase_diagram.agreement([*curve.values()])
    everywhere = curves_of(curve, [[0.0, 0.0], [0.0, 0.0]])
    assert all(phase_diagram.expected_to_generalize(each) for each in curve.values())
    assert len(agreement(everywhere)) == 0
    assert agreement(curves_of(curve, [[0.0, 0.0], [0.0, 0.5]])) == pytest.approx([50.0])
    missed = curves_of(curve, [[0.0, 0.0], [0.0, 0.5]], untrained={(1.0, 1)})
    assert agreement(missed).size == 0  # of the second replicate only the one that fails is left


def test_a_cell_of_which_fewer_than_half_are_trained_is_empty():
    settings = phase_diagram.SCALES["smoke"].replace(replicates=3)
    figure = phase_diagram.build(settings, "smoke").figures[0]
    curve = sweep(settings.setting.replace(noise=0.1), settings.keeps, 3)
    results = curves_of(curve, [[0.1] * 3, [0.2] * 3], untrained={(1.0, 0), (1.0, 1), (0.3, 0)})
    errors = [row["test_error"] for row in figure.table(Some(results, set()))]
    assert errors == pytest.approx([np.nan] * 3 + [np.nan, 20.0, 20.0], nan_ok=True)


def test_a_share_of_a_neuron_is_refused():
    settings = neurons_vs_weights.SCALES["smoke"].replace(sizes=(1.0, 0.25), judged=0.25)
    with pytest.raises(UsageError, match="whole neurons"):
        neurons_vs_weights.build(settings, "smoke")


def test_the_size_that_is_judged_must_be_run():
    with pytest.raises(UsageError, match=r"lack \[0.4\]"):
        changed(neurons_vs_weights.SCALES["smoke"], {"judged": 0.4})
