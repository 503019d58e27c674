"""Means of arms: bootstrapped as the bands of curves are, Student's interval beside them."""

import numpy as np
import pytest

from prunescope.papers.bartoldson import arms, figures, v2020_fig3
from prunescope.studies import statistics
from prunescope.studies.curves import band, sort_curves
from prunescope.studies.plot import Lines

SETTINGS = v2020_fig3.SCALES["smoke"].replace(replicates=5)


def rows(quantities, results):
    comparison = arms.vgg11(SETTINGS)
    figure = figures.means("means", "", {"": comparison}, quantities)
    return comparison, figure, {row["arm"]: row for row in figure.table(results)}


def test_intervals_are_those_of_the_bands_and_students(made_up):
    comparison, figure, means = rows(("best",), made_up["published"])
    assert (figure.plot.low, figure.plot.high) == ("bootstrap_low", "bootstrap_high")
    for name, row in means.items():
        values = comparison.value(name, "best")(made_up["published"])
        table = [{"x": 0.0, "y": v, "series": name, "replicate": i} for i, v in enumerate(values)]
        plot = Lines("x", "y", series="series", band="bootstrap")
        ((curve,),) = sort_curves(plot, table).values()
        drawn, student = np.ravel(band(plot, curve)), statistics.t_interval(values)
        assert (row["bootstrap_low"], row["bootstrap_high"]) == pytest.approx(drawn)
        assert (row["t_low"], row["t_high"]) == pytest.approx((student.low, student.high))
        assert row["t_low"] < row["bootstrap_low"] < row["mean"] < row["bootstrap_high"] < row["t_high"]
        assert row["n"] == 5 and row["std"] == pytest.approx(np.std(values, ddof=1))


def test_a_mean_of_what_hardly_any_run_has_has_no_interval(made_up):
    """Accuracy that never comes back has no time of recovery; without events there is none either."""
    slow = made_up["class"](
        lambda run: made_up["truth"](drop=3.0 * bool(run.interventions), accuracy=80.0, sharp=1.0, wait=99)
    )
    *_, means = rows(("recovery",), slow)
    row = means["no pruning"]
    assert row["n"] == 0
    assert all(np.isnan(row[end]) for end in ("mean", "bootstrap_low", "bootstrap_high", "t_low", "t_high"))
