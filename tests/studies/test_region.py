"""What is claimed of a number or of several, and how each kind of region decides."""

import math

import numpy as np
import pytest
from claimed import NOTHING, claim_of, judge

from prunescope.base.errors import UsageError
from prunescope.studies import Among, Count, Direction, Equivalence, MedianDirection, Near, TwoSided
from prunescope.studies.region import CorrelationDirection


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


def test_equivalence_uses_the_ninety_percent_interval():
    verdict = judge(claim_of(Equivalence(1.0), [1.0, 2.0, 3.0]), NOTHING)
    assert verdict.interval.level == 0.90
    assert verdict.interval.high == pytest.approx(2.0 + 2.91999 / np.sqrt(3), abs=1e-4)


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


def around(means, *, spread=0.1, replicates=5):
    """Replicates [R, parts] around these means."""
    steps = np.linspace(-spread, spread, replicates)[:, None]
    return np.array(means) + steps * np.linspace(0.5, 1.0, len(means))


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
    assert outcomes(region, around(means)) == expected


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


def test_a_verdict_on_parts_lists_their_means_and_counts_them():
    verdict = judge(claim_of(WORSE_NOWHERE, around([-1.0, -2.0, -3.0])), NOTHING)
    assert verdict.values == pytest.approx((-1.0, -2.0, -3.0)) and verdict.n == 3
    assert verdict.unit == "share of 3 parts"
    assert (verdict.interval.estimate, verdict.interval.low, verdict.interval.high) == (1.0, 1.0, 1.0)


def test_parts_of_a_single_replicate_are_not_run():
    assert judge(claim_of(WORSE_NOWHERE, np.zeros((1, 20))), NOTHING).paper == "too few replicates"


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
