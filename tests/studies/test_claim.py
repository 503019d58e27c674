import math
from dataclasses import replace

import numpy as np
import pytest

from prunescope.base.errors import Diverged, UsageError
from prunescope.studies import (
    Among,
    Claim,
    Count,
    Direction,
    Equivalence,
    MedianDirection,
    Near,
    Precondition,
    Quantity,
    Study,
    TwoSided,
    column,
    judge_all,
)
from prunescope.studies import judge as judge_by
from prunescope.studies.judging import unmet
from prunescope.studies.quantity import Estimate, Estimated, constant
from prunescope.studies.region import CorrelationDirection
from prunescope.studies.rule import OneStandardDeviation
from prunescope.studies.statistics import Interval

NOTHING: dict = {}


def judge(claim, results):
    return judge_by(claim, results, OneStandardDeviation())


def claim_of(region, values, **changes):
    return Claim("name", "says", numbers(values), region, **changes)


def numbers(values, unit=""):
    return Quantity("", unit, (), lambda results: values)


def lost(results):
    raise Diverged("run 0f3a9 diverged at step 812")


LOST = Quantity("", "", (), lost)


def outcomes(region, values):
    verdict = judge(claim_of(region, values), NOTHING)
    return verdict.paper, verdict.interval_rule


YES, NO, OPEN = "reproduced", "contradicted", "inconclusive"


@pytest.mark.parametrize(
    ("region", "values", "expected"),
    [
        (Direction("greater"), [9.1, 8.7, 9.6], (YES, YES)),
        (Direction("less"), [9.1, 8.7, 9.6], (NO, NO)),
        # two standard deviations at n = 3: enough for the paper's rule, not for the interval
        (Direction("greater"), [1.0, 2.0, 3.0], (YES, OPEN)),
        (Direction("less"), [1.0, 2.0, 3.0], (NO, OPEN)),
        (Direction("less"), [-1.0, 2.0, 0.3], (OPEN, OPEN)),
        (Direction("greater", than=9.0), [9.1, 8.7, 9.6], (OPEN, OPEN)),
        (Direction("less", than=20.0), [9.1, 8.7, 9.6], (YES, YES)),
        (Near(5.2, 1.0), [5.1, 5.2, 5.3], (YES, YES)),
        (Near(5.2, 1.0), [4.0, 5.2, 6.4], (YES, OPEN)),
        (Near(5.2, 1.0), [6.0, 6.9, 6.5], (OPEN, OPEN)),
        (Near(5.2, 1.0), [7.1, 7.2, 7.3], (NO, NO)),
        (Equivalence(0.5), [0.01, -0.02, 0.02], (YES, YES)),
        (Equivalence(0.5), [0.7, -0.8, 0.2], (YES, OPEN)),
        # a tiny difference that is always there: the paper's rule calls it different, the margin does not
        (Equivalence(0.5), [0.1, 0.11, 0.12], (NO, YES)),
        (Equivalence(0.5), [2.0, 2.1, 2.2], (NO, NO)),
        (Count(11, of=13), [1] * 13, (YES, OPEN)),
        (Count(11, of=13), [1] * 10 + [0] * 3, (NO, OPEN)),
        (Count(1, of=2), [1] * 13, (YES, YES)),
        (Count(11, of=13), [0] * 6, (NO, NO)),
        # two modes: no mean decides what nine of ten do
        (MedianDirection("greater", than=45.0), [50.0] * 9 + [0.0], (YES, YES)),
        (MedianDirection("greater", than=45.0), [50.0] * 8 + [0.0] * 2, (YES, OPEN)),
        (MedianDirection("less", than=45.0), [50.0] * 9 + [0.0], (NO, NO)),
        (MedianDirection("less", than=50.0), [50.0] * 9 + [0.0], (OPEN, OPEN)),
        (MedianDirection("less", than=50.0, or_matches=True), [50.0] * 9 + [0.0], (YES, OPEN)),
        (MedianDirection("less", than=50.0, or_matches=True, margin=1.0), [50.0] * 9 + [0.0], (YES, YES)),
        (Count(11, of=13), [True] * 11 + [False] * 2, (YES, OPEN)),
    ],
)
def test_both_rules_of_every_region(region, values, expected):
    assert outcomes(region, values) == expected


def test_verdict_carries_the_numbers():
    verdict = judge(claim_of(Direction("greater"), [1.0, 2.0, 3.0]), NOTHING)
    assert verdict.values == (1.0, 2.0, 3.0)
    assert verdict.n == 3
    # t of 97.5 % at 2 degrees of freedom is 4.3027, the standard error 1 / sqrt(3)
    assert verdict.interval.estimate == 2.0
    assert (verdict.interval.low, verdict.interval.high) == pytest.approx((-0.48414, 4.48414), abs=1e-4)
    assert verdict.p == pytest.approx(0.03709, abs=1e-5)


def test_equivalence_uses_the_ninety_percent_interval():
    verdict = judge(claim_of(Equivalence(1.0), [1.0, 2.0, 3.0]), NOTHING)
    assert verdict.interval.level == 0.90
    assert verdict.interval.high == pytest.approx(2.0 + 2.91999 / np.sqrt(3), abs=1e-4)


def test_failing_precondition_is_not_judgeable_and_names_the_measured_number():
    fits = Precondition("Training accuracy", numbers([99.5, 71.25], "%"), at_least=99.0)
    verdict = judge(claim_of(Direction("greater"), [9.1, 8.7], preconditions=(fits,)), NOTHING)
    assert verdict.paper == verdict.interval_rule == "not judgeable at this scale"
    assert "71.25 %" in verdict.why
    assert "at least 99" in verdict.why
    assert verdict.interval is not None
    assert verdict.p is None


def test_of_many_measured_numbers_those_that_fail_are_named():
    fits = Precondition("Training accuracy", numbers([100.0] * 118 + [96.4, 95.0], "%"), at_least=99.9)
    verdict = judge(claim_of(Direction("greater"), [9.1, 8.7], preconditions=(fits,)), NOTHING)
    assert verdict.why == "Training accuracy: needs at least 99.9, measured 96.4, 95 % in 2 of 120"


def test_precondition_that_cannot_be_measured_as_a_number_fails():
    broken = Precondition("Loss", numbers([np.nan]), at_most=1.0)
    verdict = judge(claim_of(Direction("less"), [1.0, 2.0], preconditions=(broken,)), NOTHING)
    assert verdict.paper == "not judgeable at this scale"


def test_holding_precondition_changes_nothing():
    fits = Precondition("Training accuracy", numbers(99.5), at_least=99.0, at_most=100.0)
    verdict = judge(claim_of(Direction("greater"), [9.1, 8.7, 9.6], preconditions=(fits,)), NOTHING)
    assert verdict.paper == "reproduced"


def test_missing_results_are_not_run_with_the_reason():
    verdict = judge(Claim("name", "says", LOST, Direction("less")), NOTHING)
    assert (verdict.paper, verdict.interval_rule, verdict.n) == ("not run", "not run", 0)
    assert "0f3a9" in verdict.why


@pytest.mark.parametrize(
    ("values", "outcome", "why"),
    [
        ([1.0], "too few replicates", "1 of at least 2 replicates"),
        ([1.0, np.nan, 2.0], "not run", "finite"),
        ([], "not run", "0 of at least 2 replicates"),
    ],
)
def test_too_few_or_broken_replicates_are_not_judged(values, outcome, why):
    verdict = judge(claim_of(Direction("less"), values), NOTHING)
    assert (verdict.paper, verdict.interval_rule) == (outcome, outcome)
    assert why in verdict.why


def test_min_replicates_of_the_claim_is_kept():
    assert judge(claim_of(Direction("less"), [-1.0, -1.1], min_replicates=3), NOTHING).paper == "too few replicates"


def test_wrong_claim_is_an_error_not_a_verdict():
    with pytest.raises(UsageError, match="0 or 1"):
        judge(claim_of(Count(1, of=2), [0.5, 1.0]), NOTHING)


def test_judge_all_adjusts_over_the_judged_claims_only():
    family = [
        claim_of(Direction("greater"), [1.0, 2.0, 3.0]),
        Claim("name", "says", LOST, Direction("less")),
        claim_of(Direction("greater"), [9.1, 8.7, 9.6]),
    ]
    verdicts = judge_all(family, NOTHING)
    assert verdicts[1].p_holm is None
    assert verdicts[2].p_holm == pytest.approx(2 * verdicts[2].p)
    assert verdicts[0].p_holm == pytest.approx(verdicts[0].p)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Direction("above"),
        lambda: Near(5.0, 0.0),
        lambda: Equivalence(-1.0),
        lambda: Count(14, of=13),
        lambda: Direction("less", than=math.nan),
        lambda: Equivalence(math.inf),
        lambda: Count(1.5, of=2),
        lambda: Among(Near(1.0, 1.0)),
        lambda: Among(TwoSided("less")),
        lambda: CorrelationDirection("less", ranked=1),
        lambda: CorrelationDirection("less", ranked=9).interval([0.1, 1.1]),
    ],
)
def test_impossible_regions_are_refused(make):
    with pytest.raises(UsageError):
        make()


def test_a_region_is_written_as_it_was_given():
    assert repr(Near(5, 1)) == "Near(value=5, tolerance=1, level=0.95)"


def test_a_failing_precondition_explains_a_sample_that_is_too_small():
    never = Precondition("runs reach their target loss", numbers(0.0, "%"), at_least=80.0)
    verdict = judge(claim_of(Direction("greater"), [], preconditions=(never,)), NOTHING)
    assert verdict.paper == verdict.interval_rule == "not judgeable at this scale"
    assert verdict.why == "runs reach their target loss: needs at least 80, measured 0 %"


def around(means, *, spread=0.1, replicates=5):
    """Replicates [R, parts] around these means."""
    steps = np.linspace(-spread, spread, replicates)[:, None]
    return np.array(means) + steps * np.linspace(0.5, 1.0, len(means))


def parts(region, values):
    verdict = judge(claim_of(region, values), NOTHING)
    return verdict.paper, verdict.interval_rule


WORSE_NOWHERE = Among(Direction("less", or_matches=True))


@pytest.mark.parametrize(
    ("region", "quantity", "over"),
    [
        (WORSE_NOWHERE, "share of groups", "groups"),
        (WORSE_NOWHERE, "share of levels, pruned minus dense", "levels"),
        (WORSE_NOWHERE, "percentage points", "parts"),
        (Count(1, of=2), "wins", "cases"),
        (Direction("less"), "share of groups", "replicates"),
    ],
)
def test_what_there_are_n_of_is_said(region, quantity, over):
    assert region.over(quantity) == over


@pytest.mark.parametrize(
    ("region", "means", "expected"),
    [
        (WORSE_NOWHERE, [-1.0] * 20, (YES, YES)),
        (WORSE_NOWHERE, [-1.0] * 19 + [1.0], (NO, NO)),
        (WORSE_NOWHERE, [-1.0] * 19 + [0.0], (YES, OPEN)),
        (Among(Equivalence(0.5)), [0.0] * 8, (YES, YES)),
        (Among(Equivalence(0.5)), [0.0] * 7 + [-2.0], (NO, NO)),
        (Among(Direction("greater"), at_least=11, of=13), [1.0] * 13, (YES, YES)),
        (Among(Direction("greater"), at_least=11, of=13), [1.0] * 11 + [-1.0] * 2, (YES, YES)),
        (Among(Direction("greater"), at_least=11, of=13), [1.0] * 10 + [-1.0] * 3, (NO, NO)),
        (Among(Direction("greater"), at_least=11, of=13), [1.0] * 10 + [0.0] * 3, (OPEN, OPEN)),
        (Among(Equivalence(0.5), chance=0.225), [0.0] * 6 + [0.4] * 2, (YES, YES)),
        (Among(Equivalence(0.5), chance=0.225), [0.0] * 3 + [0.4] * 5, (NO, YES)),
    ],
)
def test_several_parts_are_judged_both_ways_by_their_replicates(region, means, expected):
    assert parts(region, around(means)) == expected


def test_parts_that_share_their_noise_cover_the_true_number():
    """All parts move together, as groups of one network do, and half of them lie exactly on the border."""
    rng, missed = np.random.default_rng(0), 0
    region = Among(Direction("greater"))
    for _ in range(400):
        shared = rng.normal(size=(3, 1))
        interval = region.interval(np.array([0.0] * 5 + [2.0] * 5) + shared)
        missed += interval.low > 0.5
    assert missed <= 0.05 * 400


def test_a_sign_test_has_a_p_of_its_own_for_each_side_of_the_margin():
    region, values = MedianDirection("greater", or_matches=True, margin=2.0), np.array([-1.0] * 4 + [-3.0] * 2)
    assert region.p_value(values) == pytest.approx(22 / 64)
    assert region.p_outside(values) == pytest.approx(57 / 64)
    assert Among(region).interval(np.full((5, 1), -3.0)).high == 1.0  # 1 / 32 is no 2.5 %


@pytest.mark.parametrize(
    ("region", "values", "inside"),
    [
        (Direction("greater"), [0.0] * 5, 0.0),  # nothing differs, so nothing is greater
        (Direction("less"), [0.0] * 5, 0.0),
        (Direction("less", or_matches=True), [0.0] * 5, 1.0),
        (Direction("less", or_matches=True, margin=1.0), [0.5] * 5, 1.0),
        (Direction("less", or_matches=True, margin=1.0), [1.5] * 5, 0.0),
        (MedianDirection("greater"), [0.0] * 5, 0.0),
        (MedianDirection("greater", or_matches=True), [0.0] * 5, 1.0),
        (MedianDirection("greater"), [-9.0, -9.0, 1.0, 2.0, 3.0], 1.0),
        (MedianDirection("greater"), [-9.0, -9.0, 1.0, 2.0], 0.0),
        (CorrelationDirection("less", ranked=10), [0.0] * 5, 0.0),
        (Equivalence(0.5), [0.0] * 5, 1.0),
        (Equivalence(0.5), [0.6] * 5, 0.0),
    ],
)
def test_a_part_is_inside_where_its_estimate_is(region, values, inside):
    interval = Among(region).interval(np.array(values)[:, None])
    assert interval.estimate == inside
    assert interval.low <= inside <= interval.high


def test_a_caution_that_is_wrong_itself_is_an_error_and_not_left_out():
    wrong = Precondition("fits", numbers([1.0] * 3) - numbers([1.0] * 2), at_least=0.0)
    with pytest.raises(UsageError, match="not paired"):
        unmet([wrong], NOTHING)


def test_a_verdict_on_parts_lists_their_means_and_counts_them():
    verdict = judge(claim_of(WORSE_NOWHERE, around([-1.0, -2.0, -3.0])), NOTHING)
    assert verdict.values == pytest.approx((-1.0, -2.0, -3.0)) and verdict.n == 3
    assert verdict.unit == "share of 3 parts"
    assert (verdict.interval.estimate, verdict.interval.low, verdict.interval.high) == (1.0, 1.0, 1.0)


def test_parts_of_a_single_replicate_are_not_run():
    assert judge(claim_of(WORSE_NOWHERE, np.zeros((1, 20))), NOTHING).paper == "too few replicates"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Claim("c", "says", 0.5, Direction("less")), "give a Quantity"),
        (lambda: Claim("c", "says", numbers([1.0]), "less"), "give one, such as"),
        (lambda: Claim("c", "says", numbers([1.0]), Direction("less"), basis="me"), "one of paper, recalled, proposed"),
        (lambda: Claim("c", "says", numbers([1.0]), Direction("less"), preconditions=("fits",)), "a tuple of Precond"),
        (lambda: Claim("c", "says", numbers([1.0]), Direction("less"), words=("yes", "no")), "give one for each of"),
        (lambda: Precondition("fits", numbers([1.0])), "holds always or never"),
        (lambda: Precondition("fits", numbers([1.0]), at_least=2, at_most=1), "holds always or never"),
        (lambda: Precondition("fits", 0.5, at_least=0), "is no quantity"),
        (lambda: judge(claim_of(Direction("less"), [1j, 2.0]), NOTHING), "no real numbers; return floats"),
        (lambda: Study("s", "q", settings=None, claims=numbers([1.0])), "give a tuple of Claim"),
        (lambda: judge(claim_of(Direction("less"), [[1.0, 2.0]] * 2), NOTHING), r"Among\(region\)"),
        (lambda: judge(claim_of(Among(Direction("less")), [1.0, 2.0]), NOTHING), "side_by_side"),
        (lambda: (numbers([1.0] * 7) - numbers([1.0] * 2))(NOTHING), "not paired"),
        (lambda: column("abc", "error"), "'a' is no node"),
    ],
)
def test_what_is_no_claim_is_refused_with_the_fix(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_an_estimated_quantity_is_judged_by_its_own_interval_in_the_claims_own_words():
    def estimate(low, high):
        return Estimated("loss", "points", (), lambda results: Estimate(Interval(1.0, low, high, 0.95), 500))

    def said(low, high):
        claim = Claim(
            "kept", "says", estimate(low, high), Direction("less", than=2.0), words=("kept", "broken", "open")
        )
        verdict = judge(claim, NOTHING)
        assert (verdict.paper, verdict.n, verdict.values, verdict.p) == ("no such rule", 500, (), None)
        return verdict.interval_rule, verdict.said

    assert said(0.5, 1.5) == ("reproduced", "kept")
    assert said(2.5, 3.5) == ("contradicted", "broken")
    assert said(1.5, 2.5) == ("inconclusive", "open")


def test_an_estimated_quantity_without_results_is_not_run_and_its_preconditions_count():
    lost_estimate = Estimated("", "", (), lost)
    assert judge(Claim("gone", "says", lost_estimate, Direction("less")), NOTHING).said == "not run"
    condition = Precondition("enough", numbers([1.0]), at_least=2.0)
    there = Estimated("", "", (), lambda results: Estimate(Interval(1.0, 0.5, 1.5, 0.95), 500))
    verdict = judge(Claim("early", "says", there, Direction("less", than=2.0), preconditions=(condition,)), NOTHING)
    assert verdict.said == "not judgeable at this scale" and verdict.n == 500


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        (-3.0, ("reproduced", "reproduced")),
        (0.4, ("contradicted", "reproduced")),
        (2.0, ("contradicted", "contradicted")),
    ],
)
def test_matching_or_exceeding_is_one_sided(mean, expected):
    """An error that is far lower than the other is no contradiction; one that is higher counts up to the margin."""
    claim = claim_of(Direction("less", or_matches=True, margin=1.0, level=0.9), [mean - 0.1, mean, mean + 0.1])
    verdict = judge(claim, NOTHING)
    assert (claim.region.by_paper(np.array([mean - 0.1, mean, mean + 0.1])), verdict.interval_rule) == expected
    assert (verdict.p < 0.05) == (expected[1] == "reproduced")


def test_intervals_of_correlations_stay_within_one():
    region = CorrelationDirection("greater", ranked=10)
    inside = region.interval(np.array([0.321, 0.697, 0.915]))
    assert -1 < inside.low < 0.644 < inside.high < 1 and inside.estimate == pytest.approx(0.7246, abs=1e-4)
    whole = region.interval(np.array([1.0, 1.0, 1.0]))
    assert whole.low == pytest.approx(whole.high) == pytest.approx(1 - 6 / 990)
    assert region.p_value(np.array([0.9, 0.95, 0.93])) < 0.01 < region.p_value(np.array([0.321, -0.5, 0.915]))


def test_a_precondition_that_does_not_block_is_a_caution():
    soft = Precondition("noise is memorized", constant(40.0, unit="%"), at_least=50.0, blocks=False)
    verdict = judge(replace(claim_of(Direction("greater"), [1.0, 1.1, 1.2]), preconditions=(soft,)), NOTHING)
    assert verdict.interval_rule == "reproduced"
    assert verdict.why.endswith("caution: noise is memorized: needs at least 50, measured 40 %")
