"""Maps: cells, their borders, and the drawing."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.studies import Contour, Map, drawing
from prunescope.studies.maps import edges, sort_cells

TABLE = [
    {"keep": keep, "noise": noise, "replicate": replicate, "error": value, "race": keep / noise}
    for keep in (10.0, 100.0)
    for noise in (0.1, 0.2, 0.3)
    for replicate, value in enumerate((keep * noise, keep * noise + 1.0, 90.0))
]
PLOT = Map("keep", "noise", "error", low=0.0, high=50.0, contours=(Contour("race", 300.0, "level"),))


def test_a_cell_is_the_median_of_its_finite_rows():
    table = [*TABLE, {"keep": 10.0, "noise": 0.1, "error": np.nan, "race": 1.0}]
    cells = sort_cells(PLOT, list(reversed(table)))[""]
    assert cells.x.tolist() == [10.0, 100.0]
    assert cells.y.tolist() == [0.1, 0.2, 0.3]
    assert cells.value[2].tolist() == pytest.approx([4.0, 31.0])
    assert cells.contours[0][1].tolist() == pytest.approx([50.0, 500.0])


def test_a_cell_without_a_number_is_empty():
    table = [row | {"error": np.nan} if row["noise"] == 0.2 else row for row in TABLE]
    empty = np.isnan(sort_cells(PLOT, table)[""].value)
    assert empty.tolist() == [[False, False], [True, True], [False, False]]


@pytest.mark.parametrize(
    ("centres", "logarithmic", "borders"),
    [
        ([1.0, 2.0, 4.0], False, [0.5, 1.5, 3.0, 5.0]),
        ([1.0, 4.0, 16.0], True, [0.5, 2.0, 8.0, 32.0]),
        ([3.0], False, [2.5, 3.5]),
    ],
)
def test_borders_are_half_way_on_the_axis(centres, logarithmic, borders):
    assert edges(np.array(centres), logarithmic=logarithmic).tolist() == pytest.approx(borders)


def test_panels_are_drawn_alone_and_together_in_the_page_s_own_colour():
    table = [row | {"panel": panel} for panel in ("a", "b") for row in TABLE]
    assert len(drawing.panels(PLOT, table, name="map")) == 2
    svg = drawing.document(PLOT, table, name="map")
    ElementTree.fromstring(svg)
    assert "currentColor" in svg
    assert svg == drawing.document(PLOT, table, name="map")


@pytest.mark.parametrize("change", [{"log_x": True}, {"reverse_x": True}, {"high": 90.0}, {"contours": ()}])
def test_every_option_changes_the_drawing(change):
    assert drawing.document(replace(PLOT, **change), TABLE, name="f") != drawing.document(PLOT, TABLE, name="f")


@pytest.mark.parametrize(
    ("plot", "table", "message"),
    [
        (PLOT, [row | {"error": np.nan} for row in TABLE], "nothing can be drawn"),
        (PLOT, [{"keep": 1.0, "noise": 1.0, "error": 1.0}], "lacks column 'race'"),
        (replace(PLOT, log_y=True), [row | {"noise": 0.0} for row in TABLE], "logarithmic"),
    ],
)
def test_undrawable_tables_are_refused(plot, table, message):
    with pytest.raises(UsageError, match=message):
        drawing.document(plot, table, name="f")
