"""Groups by a score, and the choice of a level, against what can be counted by hand."""

import runpy

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.studies import groups, selection


def test_groups_are_equal_ordered_and_stable():
    scores = np.array([0.5, 0.1, 0.5, 0.9, 0.5, 0.0])
    assert groups.equal_groups(scores, 3).tolist() == [1, 0, 1, 2, 2, 0]
    sizes = np.bincount(groups.equal_groups(np.zeros(103), 20))
    assert set(sizes) == {5, 6} and sizes.sum() == 103
    assert groups.equal_groups(np.zeros(40), 20).tolist() == [i // 2 for i in range(40)]


@pytest.mark.parametrize("count", [0, 7])
def test_more_groups_than_examples_are_refused(count):
    with pytest.raises(UsageError, match=f"groups={count} of 6 examples"):
        groups.equal_groups(np.zeros(6), count)


def test_group_differences_are_sparse_minus_dense():
    readings = [
        {"el2n": np.array([3.0, 1.0, 2.0, 0.0])},
        {"loss": np.array([1.0, 2.0, 3.0, 4.0])},
        {"loss": np.array([2.0, 2.0, 1.0, 1.0])},
    ]
    assert groups.group_differences(readings, groups=2)["difference"].tolist() == [1.5, 0.5]


def test_concentration_compares_the_top_fifth_with_the_rest():
    assert groups.concentration(np.array([1.0, -1.0, 1.0, -1.0, -6.0])) == pytest.approx(6.0)
    assert groups.concentration(np.array([0.0] * 4 + [1.0])) == float("inf")
    with pytest.raises(UsageError, match="leaves none"):
        groups.concentration(np.ones(1))


ERRORS = np.array([[5.0, 5.2], [4.0, 4.4], [4.9, 5.0], [9.0, 4.0], [4.0, 6.0]])


def test_the_optimum_and_the_highest_improving_level():
    assert selection.optimal(ERRORS) == 1
    assert selection.highest_improving(ERRORS) == 4
    assert selection.highest_improving(ERRORS[:4]) == 2
    assert selection.highest_improving(np.array([[1.0], [2.0]])) == 0
    risks = [{"error": np.asarray(error)} for error in ERRORS.ravel()]
    assert selection.choose_optimal(risks, replicates=2) == 1
    assert selection.choose_highest_improving(risks, replicates=2) == 4


def test_a_chain_without_a_sparse_level_has_no_optimum():
    with pytest.raises(UsageError, match="no sparse level"):
        selection.optimal(ERRORS[:1])


def test_cross_fitting_takes_the_error_of_the_half_and_of_the_network_that_did_not_choose():
    even = np.array([[5.0, 5.0], [3.0, 3.0], [4.0, 4.0]])
    odd = np.array([[6.0, 6.0], [5.5, 5.7], [2.0, 2.0]])
    assert selection.cross_fitted(even, odd).tolist() == [(5.5 + 4) / 2, (5.7 + 4) / 2]
    assert (selection.cross_fitted(even, odd) > np.minimum(even, odd).min(axis=0)).all()
    lucky = np.array([[5.0, 5.0, 5.0], [5.0, 5.0, 1.0], [4.0, 4.5, 6.0]])  # the last one, at level 1, on both halves
    assert selection.cross_fitted(lucky, lucky).tolist() == [5.0, 5.0, 6.0]
    assert selection.cross_fitted(even[:, :1], odd[:, :1]).tolist() == [(5.5 + 4) / 2]


def test_intervals_after_choosing_hold_the_truth_as_often_as_they_say(capsys):
    """Ten thousand studies are in the LOG; a few hundred show that the choice no longer flatters."""
    runpy.run_path("tools/interval_coverage.py")["main"](250)
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[2:]]
    found = {(kind.strip(), way.strip()): (float(held), float(bias)) for kind, way, held, bias in rows}
    crossed = [value for (_, way), value in found.items() if way == "Chosen on one half by the other replicates"]
    assert len(crossed) == 4 and all(91 <= held <= 98 and abs(bias) < 0.03 for held, bias in crossed)
    assert found["no level differs, noisy", "The level is chosen on all that judge it"][1] > 0.2
