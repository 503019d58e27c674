"""Scatters, intervals, marks and the bootstrapped band: the numbers that are drawn, and that something is drawn."""

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.studies import drawing
from prunescope.studies.curves import band, sort_curves
from prunescope.studies.plot import Intervals, Lines, Scatter
from prunescope.studies.scatters import fitted

POINTS = [
    {"panel": "VGG11", "arm": arm, "x": float(x), "y": 90.0 - 0.5 * x, "note": "r = -1.00"}
    for arm in ("no pruning", "Prune_L 13 %")
    for x in (1, 2, 4)
]


def test_a_scatter_shows_every_arm_and_its_note():
    plot = Scatter("x", "y", series="arm", note="note", x_label="mean stability, %")
    text = drawing.draw(plot, POINTS, name="scatter")
    for expected in ("no pruning", "Prune_L 13 %", "r = -1.00", "mean stability, %", "VGG11"):
        assert expected in text
    assert text == drawing.draw(plot, POINTS, name="scatter") and len(drawing.panels(plot, POINTS, name="scatter")) == 1


def test_points_that_are_not_finite_are_left_out():
    plot = Scatter("x", "y", series="arm")
    assert drawing.draw(plot, [*POINTS, {**POINTS[0], "y": float("nan")}], name="a") == drawing.draw(
        plot, POINTS, name="a"
    )
    with pytest.raises(UsageError, match="nothing can be drawn"):
        drawing.draw(plot, [{**POINTS[0], "y": float("nan")}], name="a")


def test_the_line_is_the_least_squares_one():
    random = np.random.default_rng(0)
    points = random.normal(size=(20, 2))
    assert fitted(points) == pytest.approx(tuple(np.polyfit(*points.T, 1)))
    assert fitted(np.array([[1.0, 2.0], [1.0, 3.0]])) is None


def test_intervals_keep_the_order_of_their_rows():
    rows = [
        {"kind": "all runs", "r": -0.7, "low": -0.9, "high": -0.4},
        {"kind": "within arms", "r": float("nan"), "low": float("nan"), "high": float("nan")},
    ]
    plot = Intervals("kind", "r", "low", "high", x_label="correlation", zero=True)
    text = drawing.draw(plot, rows, name="r")
    assert text.index("all runs") < text.index("within arms") and "correlation" in text
    with pytest.raises(UsageError, match="nothing can be drawn"):
        drawing.draw(plot, rows[1:], name="r")


def test_marks_choose_the_points_that_carry_a_marker():
    rows = [{"x": x, "y": x, "arm": "a", "event": x == 2} for x in range(4)]
    (marked,) = sort_curves(Lines("x", "y", series="arm", marks="event"), rows)[""]
    (plain,) = sort_curves(Lines("x", "y", series="arm"), rows)[""]
    assert marked.marked.tolist() == [False, False, True, False] and plain.marked.all()
    assert drawing.draw(Lines("x", "y", series="arm", marks="event"), rows, name="m") != drawing.draw(
        Lines("x", "y", series="arm"), rows, name="m"
    )


def test_the_bootstrapped_band_is_an_interval_of_the_mean():
    values = np.random.default_rng(0).normal(size=40)
    rows = [{"x": 0, "y": float(v), "arm": "a", "replicate": i} for i, v in enumerate(values)]
    plot = Lines("x", "y", series="arm", band="bootstrap")
    (curve,) = sort_curves(plot, rows)[""]
    low, high = band(plot, curve)
    half = 1.96 * values.std(ddof=1) / np.sqrt(40)
    assert (low[0], high[0]) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.25 * half)
