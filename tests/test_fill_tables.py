"""The tables of the docs are made from the data of reports, and stay as they are without."""

import importlib.util
import json
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
    expected = "| method \\ kept | 100 | 64 |\n|---|---:|---:|\n| dense | 2.00 ± 12.71 |  |\n| SNIP |  | 4.00 |\n"
    for _ in range(2):  # filling again changes nothing
        tool.main()
        assert page.read_text() == f"before\n{MARK}{expected}{END}\nafter\n"


def test_claims_are_told_in_the_order_asked_for(tool, tmp_path):
    claims = [
        {
            "name": name,
            "says": f"Claim {name}.",
            "basis": "paper",
            "by_interval": "reproduced",
            "estimate": 50.04,
            "low": low,
            "high": 51.0,
            "unit": "%",
            "n": 10,
        }
        for name, low in (("a-b", 49.0), ("c", None), ("unasked", 1.0))
    ]
    (tmp_path / "s.json").write_text(json.dumps({"claims": claims}))
    page = tmp_path / "page.md"
    page.write_text("<!-- claims: s.json; names: c a-b -->\nold\n<!-- end of claims -->\n")
    tool.main()
    lines = page.read_text().splitlines()
    assert lines[3:5] == [
        "| Claim c. | paper | reproduced | none | 10 |",
        "| Claim a-b. | paper | reproduced | 50 [49, 51] % | 10 |",
    ]
    page.write_text(page.read_text().replace("names: c", "names: d"))
    with pytest.raises(KeyError, match="d"):
        tool.main()
