"""The tables of the docs are made from the data of reports, and stay as they are without."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARK = "<!-- table: d.csv; rows: method; columns: kept; values: error -->\n"
END = "<!-- end of table -->"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("fill_tables", ROOT / "tools" / "fill_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DOCS", tmp_path)
    return module


def test_cells_are_means_over_replicates_counted_once(tool, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARK}(not run yet)\n{END}\nafter\n")
    tool.main()
    assert "(not run yet)" in page.read_text()
    rows = ["a,dense,100.0,0,1", "a,dense,100.0,1,3", "b,dense,100.0,0,1", "b,dense,100.0,1,3"]
    rows += ["a,SNIP,63.9996,0,4", "a,SNIP,64.0,1,4"]
    (tmp_path / "d.csv").write_text("\n".join(["panel,method,kept,replicate,error", *rows]) + "\n")
    expected = (
        "| method \\ kept | 100 | 64 |\n|---|---:|---:|\n| dense | 2.00 ± 1.41 |  |\n| SNIP |  | 4.00 |\n"
    )
    for _ in range(2):  # filling again changes nothing
        tool.main()
        assert page.read_text() == f"before\n{MARK}{expected}{END}\nafter\n"
