import csv
import io
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import pyplot

from prunescope.base.errors import UsageError
from prunescope.studies import Lines, csv_text, drawing
from prunescope.studies.curves import band, centre, sort_curves, starred, y_ranges
from prunescope.studies.figure import Figure, Rows
from prunescope.studies.plots import _spread, set_log_ticks
from prunescope.studies.quantity import constant

TABLE = [
    {"x": x, "y": y, "arm": arm, "replicate": replicate, "panel": panel}
    for panel, lift in (("low", 0.0), ("high", 10.0))
    for arm, slope in (("a", 1.0), ("b", 2.0))
    for replicate in (0, 1, 2)
    for x, y in ((10.0, lift + slope), (100.0, lift + 2 * slope + replicate))
]
PLOT = Lines("x", "y", series="arm")


def test_csv_keeps_every_digit_and_leaves_gaps_empty():
    text = csv_text([{"a": 0.1 + 0.2, "b": 'quoted, "so"'}, {"a": 1, "c": 2}])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert float(rows[0]["a"]) == 0.1 + 0.2
    assert rows[0]["b"] == 'quoted, "so"'
    assert rows[1] == {"a": "1", "b": "", "c": "2"}
    assert "\r" not in text


def test_curves_are_sorted_by_panel_series_and_replicate():
    groups = sort_curves(PLOT, list(reversed(TABLE)))
    assert list(groups) == ["high", "low"]
    b, a = groups["low"]
    assert (b.label, a.label) == ("b", "a")
    assert (b.style, a.style) == (0, 1)
    assert a.x.tolist() == [10.0, 100.0]
    assert sorted(a.y[:, 1].tolist()) == [2.0, 3.0, 4.0]


def test_stars_are_at_the_extremes_or_where_a_column_says():
    table = [{"x": x, "y": y, "arm": "a", "chosen": x == 2} for x, y in ((1, 3.0), (2, 2.0), (3, 1.0))]
    (curve,) = sort_curves(PLOT, table)[""]
    found = {star: starred(replace(PLOT, star=star), curve) for star in ("none", "lowest", "highest", "chosen")}
    assert found == {"none": [], "lowest": [2], "highest": [0], "chosen": [1]}


def test_a_point_without_any_finite_value_is_left_out():
    table = [
        {"x": 1, "y": np.nan, "arm": "a"},
        {"x": 2, "y": 5.0, "arm": "a"},
        {"x": 3, "y": np.inf, "arm": "a"},
    ]
    assert sort_curves(PLOT, table)[""][0].x.tolist() == [2.0]


@pytest.mark.parametrize(
    ("kind", "edges"),
    [("std", (2.0, 4.0)), ("range", (2.0, 4.0)), ("interval", (0.51586, 5.48414)), ("quartiles", (2.5, 3.5))],
)
def test_band_around_the_mean(kind, edges):
    low, high = band(replace(PLOT, band=kind), sort_curves(PLOT, TABLE)["low"][0])
    assert (low[1], high[1]) == pytest.approx(edges, abs=1e-4)


def test_the_centre_of_two_modes_is_where_most_are():
    table = [{"x": 1, "y": y, "arm": "a", "replicate": n} for n, y in enumerate((0.0, 1.0, 50.0))]
    curve = sort_curves(PLOT, table)[""][0]
    assert centre(PLOT, curve).tolist() == [17.0]
    assert centre(replace(PLOT, centre="median"), curve).tolist() == [1.0]


def test_y_axis_is_shared_only_if_asked():
    groups = sort_curves(PLOT, TABLE)
    assert y_ranges(PLOT, groups) == {"low": (1.0, 16.0), "high": (1.0, 16.0)}
    assert y_ranges(replace(PLOT, share_y=False), groups) == {"low": (1.0, 6.0), "high": (11.0, 16.0)}


def test_labels_are_spread_without_overlap_and_stay_inside():
    heights = dict.fromkeys("abcd", 0.1)
    places = _spread({"a": 0.98, "b": 0.99, "c": 1.0, "d": 0.2}, heights=heights)
    ordered = sorted(places.values())
    assert all(above - below >= 0.1 - 1e-12 for below, above in pairwise(ordered))
    assert max(ordered) <= 0.97 + 1e-12
    assert places["d"] == 0.2


def test_in_another_process_reports_load_neither_scipy_nor_matplotlib_and_svg_is_the_same_bytes(study, tmp_path):
    here = drawing.draw(study.figures[0].plot, TABLE_FOR_FIGURE, name="figure")
    script = tmp_path / "draw.py"
    script.write_text(
        "import sys, prunescope.studies.report\n"
        "print({'scipy', 'matplotlib'} & set(sys.modules))\n"
        "from prunescope.studies import Lines, drawing\n"
        f"print(drawing.draw({study.figures[0].plot!r}, {TABLE_FOR_FIGURE!r}, name='figure'), end='')\n"
    )
    there = subprocess.run([sys.executable, script], capture_output=True, check=True).stdout.decode()
    assert there == f"set()\n{here}"


TABLE_FOR_FIGURE = [
    {"remaining": x, "error": x / 10 + replicate, "arm": arm, "replicate": replicate}
    for arm in ("dense", "pruned", "extended")
    for replicate in range(2)
    for x in (100.0, 50.0, 12.5)
]


def test_svg_is_well_formed_undated_and_follows_the_colour_scheme(study):
    figure = study.figures[0]
    text = drawing.draw(figure.plot, figure.table({}), name="error")
    ElementTree.fromstring(text)
    assert "currentColor" in text
    assert "prefers-color-scheme" in text
    assert "#010203" not in text
    assert "date" not in text.lower()
    assert "width &lt;scaled&gt;" in text


def test_panels_are_one_svg_each_with_ids_of_their_own():
    panels = drawing.panels(PLOT, TABLE, name="figure")
    assert len(panels) == 2
    ids = [set(re.findall(r'\bid="([^"]+)"', panel)) for panel in panels]
    assert ids[0]
    assert not ids[0] & ids[1]
    for panel, own in zip(panels, ids, strict=True):
        ElementTree.fromstring(panel)
        used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', panel))
        assert {first or second for first, second in used} <= own


@pytest.mark.parametrize(
    "change",
    [
        {"log_y": True},
        {"star": "highest"},
        {"references": ("a", "b")},
        {"band": "quartiles"},
    ],
)
def test_every_option_changes_the_drawing(change):
    assert drawing.draw(replace(PLOT, **change), TABLE, name="f") != drawing.draw(PLOT, TABLE, name="f")


@pytest.mark.parametrize(
    ("plot", "table", "message"),
    [
        (PLOT, [], "nothing can be drawn"),
        (PLOT, [{"x": 1, "y": 1}], "lacks column 'arm'"),
        (PLOT, [{"x": "much", "y": 1, "arm": "a"}], "'much'"),
        (replace(PLOT, log_x=True), [{"x": 0.0, "y": 1, "arm": "a"}], "logarithmic"),
        (PLOT, [{"x": 1, "y": np.complex64(1j), "arm": "a"}], "put a number into the table"),
        (PLOT, [{"x": k, "y": (-1) ** k * 1e308, "arm": "a"} for k in (0, 1)], "too far apart"),
        (PLOT, {"x": [1], "y": [2], "arm": ["a"]}, r"write frame\.to_dict"),
    ],
)
def test_undrawable_tables_are_refused(plot, table, message):
    with pytest.raises(UsageError, match=message):
        drawing.draw(plot, table, name="f")


@pytest.mark.parametrize(
    "low, high", [(33.0, 41.0), (100 * 0.8**4, 100.0), (20.0, 100.0), (1.0, 900.0), (0.02, 0.021), (1.0, 100.0)]
)
def test_a_logarithmic_axis_has_at_least_three_numbers(low, high):
    _, axes = pyplot.subplots()
    axes.set_xscale("log")
    set_log_ticks(axes.xaxis, low, high)
    axes.set_xlim(low, high)
    ticks = [tick for tick in axes.xaxis.get_majorticklocs() if low <= tick <= high * (1 + 1e-9)]
    pyplot.close()
    assert 3 <= len(ticks) <= 9, ticks
    assert high < 150 * low or all(np.log10(tick) == round(np.log10(tick)) for tick in ticks)


@pytest.mark.parametrize(
    "change", [{"band": "sd"}, {"centre": "middle"}, {"star": "max"}, {"references": "a"}, {"log_x": None}, {"x": 1}]
)
def test_a_word_that_a_plot_does_not_know_is_not_drawn_as_another(change):
    with pytest.raises(UsageError, match=rf"Lines\.{next(iter(change))}="):
        replace(PLOT, **change)


def test_a_table_may_be_given_row_by_row():
    assert drawing.draw(PLOT, iter(TABLE), name="f") == drawing.draw(PLOT, TABLE, name="f")


def test_a_figure_without_rows_or_with_two_of_one_name_is_refused():
    rows = [Rows({"arm": "a", "x": level}, {"y": constant(level, replicates=2)}) for level in (1, 2)]
    make = partial(Figure, "f", "F", caption="c", plot=PLOT)
    with pytest.raises(UsageError, match=r"figure 'f' has no rows; give a list of ps.Rows"):
        make(rows=[])
    with pytest.raises(UsageError, match=r"give a tuple of Rows or Computed"):
        make(rows=["a"])
    with pytest.raises(UsageError, match=r"two rows with the labels \{'arm': 'a', 'x': 2\}.*name of its own"):
        make(rows=[*rows, rows[1]])
    assert len(make(rows=rows).rows) == 2
    curve = Rows({"arm": "a"}, {"x": constant(1, replicates=2), "y": constant(1, replicates=2)})
    assert make(rows=[curve, curve]), "points whose x is measured may share their labels"


def test_two_values_at_one_place_are_not_drawn_one_over_the_other():
    row = {"x": 1.0, "y": 2.0, "arm": "a", "replicate": 0}
    assert sort_curves(PLOT, [row, row])[""][0].y.tolist() == [[2.0]]
    with pytest.raises(UsageError, match=r"series 'a' has two values of 'y' at x=1 of one replicate"):
        sort_curves(PLOT, [row, row | {"y": 3.0}])
