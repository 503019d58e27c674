"""Stored reports say of their claims what the code of today says, and are what the tools that renew them write."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from prunescope.studies import report
from prunescope.tasks.data.stand_in import stand_ins

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
FOLDERS = sorted(path.parent for path in RESULTS.rglob("summary.json"))
LENET = RESULTS / "jin2022" / "lenet"


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(folder, settings):
    """Of a report, by its settings where they name one."""
    ground = settings.get("ground", {})
    return settings.get("benchmark") or ground.get("benchmark") or folder.name.partition("-")[0]


def test_a_claim_of_one_sentence_and_network_has_one_basis():
    found = {}
    for folder in FOLDERS:
        summary = json.loads((folder / "summary.json").read_text())
        for claim in summary["claims"]:  # whose sentence names the noise
            key = (folder.parent.name, network(folder, summary["settings"]), claim["says"])
            found.setdefault(key, {}).setdefault(claim["basis"], []).append(str(folder.relative_to(RESULTS)))
    assert any(sum(map(len, bases.values())) > 1 for bases in found.values())
    assert not {key: bases for key, bases in found.items() if len(bases) > 1}


@pytest.mark.slow
def test_stored_reports_have_the_basis_and_the_places_of_today(capsys):
    assert tool("relabel").main("--check", *map(str, FOLDERS)) == 0, capsys.readouterr().out


def test_a_basis_that_changed_is_written_to_both_files(tmp_path):
    """The report as it is, from one that called a proposed claim the paper's."""
    old = RESULTS / "jin2022" / "lenet-preview"
    folder = Path(shutil.copytree(old, tmp_path / "report"))
    for name, now, was in (
        (
            "summary.json",
            '"proposed",\n      "place": "after Jin et al. 2022, Fig. 3"',
            '"paper",\n      "place": "Fig. 3"',
        ),
        ("README.md", "proposed: after Jin et al. 2022, Fig. 3 |", "paper: Fig. 3 |"),
        (
            "README.md",
            "Of 2 that are the paper’s own, the interval rule finds 2",
            "Of 3 that are the paper’s own, the interval rule finds 3",
        ),
        (
            "summary.json",
            "Of 2 that are the paper’s own, the interval rule finds 2",
            "Of 3 that are the paper’s own, the interval rule finds 3",
        ),
    ):
        text = (folder / name).read_text()
        assert now in text
        (folder / name).write_text(text.replace(now, was))
    assert tool("relabel").main(str(folder)) == 0
    for name in ("summary.json", "README.md"):
        assert (folder / name).read_text() == (old / name).read_text()


@pytest.mark.slow
def test_judging_a_stored_report_anew_changes_nothing_in_it(tmp_path, monkeypatch, capsys):
    """Scale, extent, verdicts and captions too; only numbers of the tables are read, so data may be stood in for."""
    folder = Path(shutil.copytree(LENET, tmp_path / "lenet"))
    monkeypatch.setattr(report, "draw", report.draw)  # which the tool replaces
    with stand_ins():
        tool("rejudge").rejudge(folder)
    assert "reproduced" in capsys.readouterr().out
    for path in (path for path in LENET.rglob("*") if path.is_file()):
        assert (folder / path.relative_to(LENET)).read_bytes() == path.read_bytes(), path
