import math
import sys

import pytest

from prunescope.base.errors import UsageError
from prunescope.base.records import Records

ROWS = [{"arm": "dense", "error": 1.5, "n": 3}, {"arm": "<pruned>", "error": math.nan}]


def test_equal_to_the_list_of_its_rows_and_drawn_with_its_text_escaped():
    table = Records(ROWS)
    assert table == ROWS and table.columns == ["arm", "error", "n"]
    text = table._repr_html_()
    assert "&lt;pruned&gt;" in text and "<td>1.5</td>" in text and text.count("<tr>") == 3
    assert "25 rows, of which 20 are shown" in Records(ROWS[:1] * 25)._repr_html_()


def test_arrow_has_null_where_a_row_lacks_a_column():
    table = Records(ROWS).arrow()
    assert table.column("n").to_pylist() == [3, None] and table.num_rows == 2
    with pytest.raises(UsageError, match="column 'a' is of several types"):
        Records([{"a": 1}, {"a": "x"}]).arrow()
    assert Records().arrow().num_rows == 0


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library):
    pytest.importorskip(library)
    frame = getattr(Records(ROWS), library)()
    assert list(frame.columns) == ["arm", "error", "n"] and list(frame["arm"]) == ["dense", "<pruned>"]


def test_a_library_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match=r"polars is not installed; `pip install polars`, or take .arrow\(\)"):
        Records(ROWS).polars()
