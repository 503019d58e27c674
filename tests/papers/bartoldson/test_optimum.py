"""The rate of highest accuracy: where the trade-off ends."""

from dataclasses import replace

import numpy as np
import pytest

from prunescope.papers.bartoldson import v2019_fig3, v2019_fig_a2, v2020_fig3
from prunescope.papers.bartoldson.figures import optimum
from prunescope.papers.bartoldson.quantities import label
from prunescope.training.interventions import PruneUnits

RATES = np.array([1.3, 6.4, 13.0, 30.0])


def test_an_optimum_that_all_replicates_share_has_no_width():
    values = np.array([[80.0, 81.0], [82.0, 83.0], [85.0, 86.0], [84.0, 85.5]])
    found = optimum(RATES, values)
    assert (found.estimate, found.low, found.high) == (13.0, 13.0, 13.0)


def test_an_optimum_on_which_replicates_disagree_reaches_over_all_of_theirs():
    """Five of nine are best at 6.4 by a point, four at 30 by a little more: the mean hardly tells them apart."""
    values = np.full((4, 9), 80.0)
    values[1, :5], values[3, 5:] = 81.0, 81.2
    found = optimum(RATES, values)
    assert (found.estimate, found.low, found.high) == (6.4, 6.4, 30.0)


def test_replicates_are_drawn_for_all_rates_together():
    """A seed that is better everywhere moves no optimum, however large its advantage."""
    values = np.array([[80.0], [81.0], [80.5], [80.0]]) + 30.0 * np.arange(4)
    found = optimum(RATES, values)
    assert (found.low, found.high) == (6.4, 6.4)


@pytest.mark.parametrize(
    ("module", "name", "changes", "panels", "best"),
    [
        (v2020_fig3, "fig3-optimum", {"periods": (4, 40, 300), "compress": 5.0}, ["VGG11"], 12.857),
        (v2019_fig3, "fig3-optimum", {"rates": (5.0, 15.0, 30.0)}, ["l2", "E[BN]"], 15.0),
        (v2019_fig_a2, "figa2-optimum", {"periods": (4, 8, 40), "compress": 1.0}, ["l2", "E[BN]"], 6.0),
    ],
)
def test_every_target_has_its_optimum(module, name, changes, panels, best, made_up):
    """The smallest and random filters gain up to a moderate rate, the largest lose from the first on."""
    study = module.build(module.SCALES["smoke"].replace(**changes), "smoke")
    (figure,) = (one for one in study.figures if one.name == name)

    def truth(run):
        found = made_up["published"].truth(run)
        if not run.interventions:
            return replace(found, accuracy=70.0)
        (cut,) = run.interventions
        assert isinstance(cut, PruneUnits)
        events = max(len(schedule.steps(run.clock())) for schedule in cut.layers)
        rate = 100 * max(schedule.fraction for schedule in cut.layers) / events
        moderate = rate == pytest.approx(best, abs=1.0)
        return replace(found, accuracy=90.0 - rate / 10 if cut.target == "largest" else 80.0 + moderate)

    rows = figure.table(made_up["class"](truth))
    assert len(rows) == 2 * 3 * len(panels)
    for row in rows:
        assert row["panel"] in {f"{panel}: {label(of)}" for panel in panels for of in ("best", "final")}
        assert row["low"] == row["x"] == row["high"] and row["no pruning"] == pytest.approx(70.0, abs=0.1)
        if row["series"] == "Prune_L":
            assert row["x"] < best
        else:
            assert row["x"] == pytest.approx(best, abs=1.0) and row["accuracy"] == pytest.approx(81, abs=0.1)
