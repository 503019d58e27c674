"""Rules of leave-out subsets, and a merged study."""

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.studies import Computed, Figure, Lines, Study, statistics, subsets
from prunescope.studies.study import merged

VALUES = {
    "difference": np.array([0.0, 3.0, -1.0, 3.0, 2.0]),
    "correct": np.array([True, False, True, False, True]),
}


def test_the_ends_of_a_ranking_are_left_out_ties_by_index():
    assert subsets.without_highest(VALUES, name="difference", share=0.2).tolist() == [0, 2, 3, 4]
    assert subsets.without_highest(VALUES, name="difference", share=0.6).tolist() == [0, 2]
    assert subsets.without_lowest(VALUES, name="difference", share=0.4).tolist() == [1, 3, 4]


def test_random_ones_are_as_many_and_drawn_by_a_seed():
    big = {"difference": np.zeros(100), "correct": np.arange(100) < 70}
    one, two = (subsets.without_random(big, name="difference", share=0.2, seed=seed) for seed in (0, 1))
    assert len(one) == len(two) == 80 and set(one) != set(two) and (np.diff(one) > 0).all()
    assert one.tolist() == subsets.without_random(big, name="difference", share=0.2, seed=0).tolist()
    assert len(subsets.as_many_at_random(big, name="correct", is_true=True, seed=0)) == 70


def test_only_those_where_it_holds():
    assert subsets.only_where(VALUES, name="correct", is_true=True).tolist() == [0, 2, 4]
    assert subsets.only_where(VALUES, name="correct", is_true=False).tolist() == [1, 3]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_impossible_shares_are_refused(share):
    with pytest.raises(UsageError, match=f"share={share}"):
        subsets.without_highest(VALUES, name="difference", share=share)


def test_rank_correlation_sees_order_alone():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert statistics.rank_correlation(x, np.exp(x)) == pytest.approx(1.0)
    assert statistics.rank_correlation(x, -(x**3)) == pytest.approx(-1.0)
    with pytest.raises(UsageError, match="4 and 2 numbers"):
        statistics.rank_correlation(x, [1.0, 2.0])


class Nothing(Value):
    pass


def test_merged_studies_share_nodes_and_notes_and_refuse_two_figures_of_one_name():
    plot = Lines("x", "y", series="s")
    node = Nothing()

    def part(name):
        rows = [Computed([node], lambda results: [])]
        figure = Figure(name, name, caption="", rows=rows, plot=plot)
        return Study(name, "?", settings=node, figures=(figure,), notes=("same",))

    given = {"name": "all", "question": "?", "settings": node, "scale": "", "paper": ""}
    whole = merged([part("a"), part("b")], **given)
    assert [figure.name for figure in whole.figures] == ["a", "b"]
    assert len(whole.nodes) == 1 and whole.notes == ("same",)
    with pytest.raises(UsageError, match="two figures are called 'a'"):
        merged([part("a"), part("a")], **given)
