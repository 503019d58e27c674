"""Sweeps of the iterative rate: every arm is drawn and counts, also where several have one rate."""

import numpy as np
import pytest

from prunescope.papers.bartoldson import v2019_fig3, v2019_fig_a2, v2020_fig3
from prunescope.studies.curves import centre, sort_curves
from prunescope.studies.plot import Lines
from prunescope.training.probes import RecalibratedAccuracy

TINY = {"data": "blobs", "blobs": 4, "width": 0.0625, "replicates": 2}


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (v2019_fig_a2, ("figa2-last-drop", "figa2-recalibrated-last-drop", "figa2-best", "figa2-final")),
        (v2019_fig3, ("fig3-mean-drop", "fig3-recalibrated-drop", "fig3-best", "fig3-final")),
        (v2020_fig3, ("fig3-mean-stability", "fig3-best", "fig3-final")),
    ],
)
def test_every_run_that_is_trained_is_drawn_at_the_papers_settings(module, names, made_up):
    study = module.build(module.SCALES["paper"].replace(**TINY), "paper")
    trained = {node.run.id for node in study.nodes if hasattr(node, "run") and node.run.interventions}
    curves = {figure.name: figure for figure in study.figures if figure.name in names}
    assert len(curves) == len(names)
    for figure in curves.values():
        assert {run.id for runs in figure.lineage.values() for run in runs} == trained
        table = figure.table(made_up["published"])
        assert len({(row["panel"], row["arm"], row["replicate"]) for row in table}) == len(trained)


def test_arms_of_one_rate_are_all_in_the_mean_and_in_the_trend(made_up):
    """Periods of 24 and 28 epochs take 18 % at each event, 32 and 36 take 22.5 %: ten arms, eight rates."""
    settings = v2019_fig_a2.SCALES["paper"].replace(**TINY, targets=("L",))
    study = v2019_fig_a2.build(settings, "paper")
    (figure,) = (one for one in study.figures if one.name == "figa2-best")
    table = [row for row in figure.table(made_up["published"]) if row["panel"] == "l2"]
    assert len({row["arm"] for row in table}) == 10
    (curve,) = sort_curves(figure.plot, table)["l2"]
    assert curve.x.tolist() == pytest.approx([3, 6, 9, 11.25, 15, 18, 22.5, 30])
    both = [row["best"] for row in table if row["x"] == pytest.approx(18.0)]
    assert len(both) == 4 and centre(figure.plot, curve)[5] == pytest.approx(np.mean(both))


def test_a_trend_sees_what_arms_of_one_rate_do(made_up):
    """Were the first arm of a rate lost, its accuracy would change nothing."""
    settings = v2019_fig_a2.SCALES["paper"].replace(**TINY, targets=("L",))
    (claim,) = (one for one in v2019_fig_a2.build(settings, "paper").claims if one.name == "accuracy-rises-fixed")
    published = made_up["published"]

    def turned(run):
        truth = published.truth(run)
        twice = run.interventions and run.interventions[0].layers[0].period in ("24ep", "32ep")
        return made_up["truth"](drop=truth.drop, accuracy=70.0 if twice else truth.accuracy, sharp=1.0)

    as_said, with_holes = (claim.quantity(world) for world in (published, made_up["class"](turned)))
    assert (as_said > 0.95).all() and (with_holes < 0.9).all()


@pytest.mark.parametrize(
    ("module", "stale", "anew"),
    [
        (v2019_fig_a2, "last_drop", "recalibrated_last_drop"),
        (v2019_fig3, "mean_drop", "recalibrated_drop"),
    ],
)
def test_drops_without_stale_statistics_are_drawn_beside_them(module, stale, anew, made_up):
    """Where statistics are all that is wrong there is no drop without them; without the look there is no figure."""

    class Stale(made_up["class"]):
        def _trace(self, node):
            rows = super()._trace(node)
            if rows and isinstance(node.probe, RecalibratedAccuracy):
                rows["error"] = np.zeros_like(rows["error"])
            return rows

    def curves(settings):
        made = module.build(settings, "smoke").figures
        return {figure.plot.y: figure for figure in made if isinstance(figure.plot, Lines)}

    world = Stale(made_up["published"].truth)
    settings = module.SCALES["smoke"]
    figures = curves(settings)
    assert any(row[stale] > 0.1 for row in figures[stale].table(world))
    assert all(row[anew] == 0 for row in figures[anew].table(world))
    assert list(figures).index(anew) == list(figures).index(stale) + 1
    assert curves(settings.replace(recalibration=0)).keys() == figures.keys() - {anew}
