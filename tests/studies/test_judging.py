"""What becomes of a claim: its verdict, and what is in the way of one."""

from dataclasses import replace

import numpy as np
import pytest
from claimed import NOTHING, claim_of, judge, numbers

from prunescope.base.errors import Diverged, UsageError
from prunescope.studies import Among, Claim, Count, Direction, Precondition, Quantity, Study, column, judge_all
from prunescope.studies.judging import unmet
from prunescope.studies.quantity import Estimate, Estimated, constant
from prunescope.studies.statistics import Interval
from prunescope.studies.summary import summary_sentence


def lost(results):
    raise Diverged("run 0f3a9 diverged at step 812")


LOST = Quantity("", "", (), lost)


def test_verdict_carries_the_numbers():
    verdict = judge(claim_of(Direction("greater"), [1.0, 2.0, 3.0]), NOTHING)
    assert verdict.values == (1.0, 2.0, 3.0)
    assert verdict.n == 3
    # t of 97.5 % at 2 degrees of freedom is 4.3027, the standard error 1 / sqrt(3)
    assert verdict.interval.estimate == 2.0
    assert (verdict.interval.low, verdict.interval.high) == pytest.approx((-0.48414, 4.48414), abs=1e-4)
    assert verdict.p == pytest.approx(0.03709, abs=1e-5)


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


def test_the_sentence_of_a_study_counts_what_became_of_its_claims():
    verdicts = [judge(claim_of(Direction("less"), values), NOTHING) for values in ([-1.0], [-1.0, -1.1, -1.2], [-2.0])]
    said = "Of 3 claims, the interval rule finds 1 reproduced and 2 with too few replicates."
    assert summary_sentence(verdicts) == said


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


def test_a_failing_precondition_explains_a_sample_that_is_too_small():
    never = Precondition("runs reach their target loss", numbers(0.0, "%"), at_least=80.0)
    verdict = judge(claim_of(Direction("greater"), [], preconditions=(never,)), NOTHING)
    assert verdict.paper == verdict.interval_rule == "not judgeable at this scale"
    assert verdict.why == "runs reach their target loss: needs at least 80, measured 0 %"


def test_a_caution_that_is_wrong_itself_is_an_error_and_not_left_out():
    wrong = Precondition("fits", numbers([1.0] * 3) - numbers([1.0] * 2), at_least=0.0)
    with pytest.raises(UsageError, match="not paired"):
        unmet([wrong], NOTHING)


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


def test_a_precondition_that_does_not_block_is_a_caution():
    soft = Precondition("noise is memorized", constant(40.0, unit="%"), at_least=50.0, blocks=False)
    verdict = judge(replace(claim_of(Direction("greater"), [1.0, 1.1, 1.2]), preconditions=(soft,)), NOTHING)
    assert verdict.interval_rule == "reproduced"
    assert verdict.why.endswith("caution: noise is memorized: needs at least 50, measured 40 %")
