"""What is drawn over epochs and by layer: single drops, training accuracy, normalized activations."""

import numpy as np
import pytest

from prunescope.measures import Normality
from prunescope.measures.normality import BINS
from prunescope.papers.bartoldson import v2019_fig1, v2019_fig_a1, v2019_fig_a3, v2020_app_b
from prunescope.papers.bartoldson.quantities import ANEW
from prunescope.studies.drawing import panels
from prunescope.studies.events import epochs
from prunescope.training.probes import RecalibratedAccuracy


def figure(module, name, scale="smoke", **changes):
    study = module.build(module.SCALES[scale].replace(**changes), scale)
    return next(one for one in study.figures if one.name == name)


@pytest.fixture
def uneven(made_up):
    """Every second event of a run raises accuracy; with statistics estimated anew no event costs half a point."""

    class Uneven(made_up["class"]):
        def _trace(self, node):
            rows = super()._trace(node)
            if not rows:
                return rows
            before, after = np.flatnonzero(rows["phase"] != "after"), np.flatnonzero(rows["phase"] == "after")
            for number, place in enumerate(after):
                level = rows["error"][before[before < place][-1]]
                cost = -0.03 if number % 2 else 0.01 * (number + 1)
                rows["error"][place] = level + (0.004 if isinstance(node.probe, RecalibratedAccuracy) else cost)
            return rows

    return Uneven(made_up["published"].truth)


def test_every_drop_is_drawn_where_it_is_and_rises_are_left_out(uneven):
    made = figure(v2019_fig1, "fig1-left", compress=5.0)
    comparison = v2019_fig1.comparison(v2019_fig1.SCALES["smoke"].replace(compress=5.0))
    rows = made.table(uneven)
    for arm in comparison.arms[1:]:
        stale = [r for r in rows if (r["arm"], r["replicate"], r["panel"]) == (arm.name, 1, "VGG11")]
        seen = epochs(uneven[comparison.observables.accuracy(arm.runs[1])])
        drops = seen.drops()
        assert len(stale) == -(-len(drops) // 2) < len(drops)
        assert [row["drop"] for row in stale] == pytest.approx(drops[::2])
        assert [row["epoch"] for row in stale] == pytest.approx(seen.epoch[seen.event][::2])
    anew = [row for row in rows if row["panel"] == f"VGG11, {ANEW}"]
    assert anew and all(row["drop"] == pytest.approx(0.4) for row in anew)
    assert {row["panel"] for row in rows} == {"VGG11", f"VGG11, {ANEW}"}
    assert len(panels(made.plot, rows, name="drawn")) == 2
    assert {row["panel"] for row in figure(v2019_fig1, "fig1-left", recalibration=0).table(uneven)} == {"VGG11"}


def test_training_accuracy_stands_beside_test_accuracy_in_figure_a3(made_up):
    rows = figure(v2019_fig_a3, "figa3-right", compress=1.0).table(made_up["published"])
    panels = {row["panel"] for row in rows}
    assert panels == {
        f"6 examples a class, {how} augmentation: {split} accuracy"
        for how in ("no", "with")
        for split in ("test", "training")
    }
    for row in rows:
        if row["panel"].endswith("training accuracy"):
            assert row["accuracy"] == row["before"]
        elif row["event"]:
            assert row["accuracy"] < row["before"]
    training = [row["accuracy"] for row in rows if "training" in row["panel"] and row["arm"] == "no pruning"]
    assert training == pytest.approx([100.0] * len(training))


@pytest.mark.parametrize(("module", "name"), [(v2019_fig_a1, "figa1"), (v2020_app_b, "figb1")])
def test_every_layer_that_was_measured_has_a_panel(module, name, made_up):
    class Eight(made_up["class"]):
        def _reading(self, node):
            if not isinstance(node.measure, Normality):
                return super()._reading(node)
            layers = {f"histogram.{i}": np.full(BINS, float(i)) for i in range(8)}
            return {"distance": np.full(8, 0.1), "mean_distance": 0.1, **layers}

    made = figure(module, name)
    rows = made.table(Eight(made_up["published"].truth))
    titles = list(dict.fromkeys(row["panel"] for row in rows))
    assert titles == [f"layer {place} of the last 8" for place in range(1, 9)]
    for place, panel in enumerate(titles):
        own = [row for row in rows if row["panel"] == panel]
        assert len(own) == 3 * 2 * BINS and {row["density"] for row in own} == {float(place)}
    assert len(panels(made.plot, rows, name="drawn")) == 8
