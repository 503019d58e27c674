"""Random pruning on real data: what its claims rest on and where its thresholds come from."""

import numpy as np
import pytest

from prunescope.papers.atinit.methods import BERNOULLI, VARIANTS
from prunescope.papers.atinit.quantities import Arms
from prunescope.papers.yang2023 import mnist, real
from prunescope.papers.yang2023.real import SPLITS
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store.store import Store
from prunescope.studies.judging import judge

SMOKE = mnist.SCALES["smoke"]


@pytest.fixture(scope="module")
def study():
    return mnist.build(SMOKE, "smoke")


@pytest.fixture(scope="module")
def results(study, tmp_path_factory):
    return ensure(study.nodes, store=Store(tmp_path_factory.mktemp("store")), workers=1)


def test_every_claim_says_what_it_rests_on(study):
    basis = {claim.name: claim.basis for claim in study.claims}
    assert basis["improves-0"] == basis["over-guesses-0"] == basis["bernoulli-retains-0"] == "paper"
    assert basis["improves-20"] == basis["bernoulli-retains-20"] == "proposed"  # of label noise the paper says nothing
    assert basis["test-suffers-first-0"] == basis["rewound-lasts-longer-20"] == "recalled"
    assert basis["forgets-noise-20"] == "proposed" and "forgets-noise-0" not in basis
    assert "recalled-threshold" not in basis  # of MNIST, not of the digits
    assert all("proposed here" in c.place for c in study.claims if c.basis == "paper")


def test_over_pruning_that_does_not_train_is_not_judged(study, results):
    claim = next(claim for claim in study.claims if claim.name == "over-guesses-0")
    verdict = judge(claim, results)
    assert verdict.paper == verdict.interval_rule == "not judgeable at this scale"
    assert "needs at most 5, measured" in verdict.why and len(verdict.values) == 2


def test_thresholds_are_those_of_the_curves(study, results):
    arms = Arms(SMOKE.ground, (BERNOULLI,))
    rows = study.figures[-1].table(results)
    assert len(rows) == 2 * 2 * 2 * 2  # methods, splits, noise levels, replicates
    for row in rows:
        method, split = row["method"].removesuffix(" (at least)"), row["panel"].removesuffix(" error")
        noise, number = row["label_noise"] / 100, row["replicate"]
        errors = [arms.at(method, noise, e).error({"training": "train"}.get(split, split))(results) for e in (0, 2, 10)]
        limit = errors[0][number] + max(float(np.std(errors[0], ddof=1)), SMOKE.tolerance)
        suffers = [e[number] > limit for e in errors]
        least = 0.0 if suffers[1] else 35.9 if suffers[2] else 89.2
        most = 36.1 if suffers[1] else 89.3 if suffers[2] else 89.5
        assert least <= row["threshold"] <= most and row["reached"] == (suffers[1] or suffers[2])
        assert row["returns"] == (suffers[1] and not suffers[2])
    curves = [(row["panel"], row["method"]) for row in rows]
    bounds = {curve for curve, row in zip(curves, rows, strict=True) if not row["reached"]}
    assert bounds == {curve for curve in curves if curve[1].endswith(" (at least)")}


def test_a_threshold_that_is_a_lower_bound_is_not_compared_with_a_number(study):
    """Where the test error never suffers, where training suffers minus where testing does is unknown."""
    claim = next(claim for claim in study.claims if claim.name == "test-suffers-first-0")
    for suffers, why in ((0.0, "suffers at some sparsity"), (0.2, "Claimed: ")):
        values = {}
        for exponent in (0, 2, 10):
            networks = Arms(SMOKE.ground, (BERNOULLI,)).at("Bernoulli", 0.0, exponent)
            for test, train, layers in zip(*networks.risks.values(), networks.layers, strict=True):
                values[test] = {"error": np.asarray(0.1 + suffers * (exponent == 10))}
                values[train] = {"error": np.asarray(0.02 * exponent)}
                values[layers] = {"sparsity": np.asarray(1 - 0.8**exponent)}
        assert why in judge(claim, values).why


def test_variants_of_independent_masks_are_claims_of_their_own():
    more = real.study("s", "?", SMOKE.replace(variants=True), "smoke")
    names = {claim.name for claim in more.claims} - {claim.name for claim in mnist.build(SMOKE, "smoke").claims}
    assert names == {
        f"bernoulli-{variant}-changes-nothing-{noise}" for variant in ("rescaled", "output-kept") for noise in (0, 20)
    }
    (mask, rescale), (whole,), (kept,) = VARIANTS[0].make(0.25), VARIANTS[1].make(0.1), VARIANTS[1].make(0.09)
    assert (mask, rescale.by) == (BERNOULLI.make(0.25)[0], 2.0)
    assert (whole.exclude, kept.exclude) == ((), ("fc.weight",))


def test_scores_are_run_with_noise_and_thresholds_if_asked_for():
    more = real.study("s", "?", SMOKE.replace(scores=True), "smoke")
    extra = {claim.name for claim in more.claims} - {claim.name for claim in mnist.build(SMOKE, "smoke").claims}
    assert extra == {f"{name}-retains-{n}" for name in ("magnitude", "snip", "grasp", "synflow") for n in (0, 20)}
    curves = {(row.labels["panel"], len(row.nodes)) for row in more.figures[-1].rows}
    assert len(more.figures[-1].rows) == 6 * len(SPLITS) and len(curves) == len(SPLITS)
