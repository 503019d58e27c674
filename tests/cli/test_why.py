"""why: from a printed number to what it was made from."""

import json
from pathlib import Path

import pytest

from prunescope.base.errors import UsageError
from prunescope.studies.numbers import NUMBER, _texts, homes, is_printed, over_replicates


def test_from_a_number_to_claim_runs_version_and_command(command, study, tmp_path) -> None:
    assert command("run", study, "--workers", 1).exit_code == 0
    page = "prunescope-reports/tiny"
    (claim,) = json.loads((tmp_path / page / "summary.json").read_text())["claims"]
    for what in (f"{claim['estimate']:.3f}", "gain"):
        said = command("why", page, what)
        assert said.exit_code == 0, said.output
        assert "claim gain: Pruning lowers the error." in said.output and "readings 4 Risk" in said.output
        assert "runs     4: " in said.output and "4 of them in" in said.output
        assert "torch" in said.output and f"prunescope run {study} --scale smoke" in said.output


def test_a_claim_is_told_with_its_basis_in_its_own_words_and_with_all_digits_of_its_level(command, study, tmp_path):
    assert command("run", study, "--workers", 1).exit_code == 0
    path = tmp_path / "prunescope-reports/tiny/summary.json"
    record = json.loads(path.read_text())
    told = {"level": 1 - 0.05 / 12, "said": "shown at smoke scale", "over": "groups", "place": "Smith 2020, Fig. 1"}
    record["claims"][0] |= {"basis": "paper", **told}
    path.write_text(json.dumps(record))
    said = command("why", "prunescope-reports/tiny", "gain").output
    assert "99.58 % interval" in said and "groups\n" in said
    assert "basis paper: Smith 2020, Fig. 1" in said and "shown at smoke scale by the interval rule" in said


def test_a_cell_of_a_figure_leads_to_the_runs_of_its_curve(command, study, tmp_path) -> None:
    assert command("run", study, "--workers", 1).exit_code == 0
    rows = (tmp_path / "prunescope-reports/tiny/data/error.csv").read_text().splitlines()
    cell = next(row for row in rows if row.startswith("extended,1,0,")).split(",")[-1]
    said = command("why", "prunescope-reports/tiny", cell).output
    assert "figure error" in said and "runs     4: " in said  # two levels of two replicates, not the pruned ones


def test_what_stands_nowhere_is_refused_with_the_claims(command, study) -> None:
    assert command("run", study, "-s", "levels=0", "--workers", 1).exit_code == 0
    (page,) = Path("prunescope-reports").iterdir()
    for what, says in (
        ("123.456", "stands nowhere"),
        ("gian", "no number"),
        ("", "no number"),
        ("1e999", "beyond any number"),
    ):
        result = command("why", page, what)
        assert result.exit_code == 2 and says in result.output
    whole = (page / "summary.json").read_text()
    summary = json.loads(whole)
    (claim,) = summary["claims"]
    later = {name: claim[name] for name in claim if name != "quantity"}
    odd = [{**later, name: value} for name in later for value in ({}, [{}])]
    odd += [{key: later[key] for key in later if key != name} for name in later]
    damaged = [
        summary | {"claims": [one]}
        for one in [*odd, {**claim, "values": ["x"]}, {**claim, "n": "4"}, {**claim, "level": None}, 5]
    ]
    damaged += [
        {key: summary[key] for key in summary if key != name} for name in ("study", "scale", "settings", "cost")
    ]
    damaged += [summary | {name: 5} for name in ("study", "scale", "settings", "claims", "command", "cost", "rule")]
    for damage in ("", "[]", "{}", *map(json.dumps, damaged)):
        (page / "summary.json").write_text(damage)
        with pytest.raises(UsageError, match="is not what a report writes; make it again"):
            homes(page, "1.5")
    assert "is not what a report writes; make it again" in command("why", page, "gain").output
    (page / "summary.json").write_text(whole)
    for table in ("a,b\n1\n", "a,b\n1,2,3\n", f"a\n{'9' * 200_000}\n"):
        (page / "data/error.csv").write_text(table)
        with pytest.raises(UsageError, match=r"error\.csv is not what a report writes; make it again"):
            homes(page, "1.5")
    assert "holds no summary.json; give one of" in command("why", "prunescope-reports", "1").output
    assert "there is no folder nowhere; give the folder of a report" in command("why", "nowhere", "1").output


@pytest.mark.parametrize(
    ("again", "says"),
    [
        ("prunescope run", "not enough values"),
        ("prunescope run 'x", "No closing quotation"),
        ("prunescope run quickstart --scale", "out of range"),
        ("prunescope run {page}/theirs.py --scale smoke", "theirs.py came with the report"),
        ("prunescope explain {page}/theirs.py --scale smoke", "theirs.py came with the report"),
    ],
)
def test_a_command_that_builds_no_study_costs_the_readings_only(again, says, command, study, tmp_path) -> None:
    assert command("run", study, "-s", "levels=0", "--workers", 1).exit_code == 0
    (page,) = Path("prunescope-reports").iterdir()
    (page / "theirs.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    summary = json.loads((page / "summary.json").read_text()) | {"command": again.format(page=page)}
    (page / "summary.json").write_text(json.dumps(summary))
    said = command("why", page, "gain")
    assert said.exit_code == 0 and says in said.output and not Path("ran").exists()


def test_numbers_are_found_however_deep_they_lie(tmp_path) -> None:
    assert [stored.value for stored in _texts(json.loads("[" * 900 + "0.5" + "]" * 900), "")] == [0.5]


@pytest.mark.parametrize(
    ("printed", "value", "same"),
    [
        ("7.47", 7.4666, True),
        ("7.47", -7.4666, True),  # "7.47 points less"
        ("7.47", 7.476, False),
        ("74.7", 0.7471, True),
        ("\u22121.2", -1.21, True),
        ("9,131,430", 9131430, True),
        ("28600", 28574.3, True),
        ("28600", 28400.0, False),
        ("28,600", 28574.3, False),
        ("7e-8", 7.2e-8, True),
        (".83", 0.834, True),
    ],
)
def test_rounding(printed: str, value: float, same: bool) -> None:
    assert is_printed(printed, value) is same


def test_numbers_in_a_text() -> None:
    text = "errs 7.47 points [-0.5, .83], VGG11 v1.2.3 in 1,797 of n = 3, 7e-8, 5."
    assert [found[0] for found in NUMBER.finditer(text)] == ["7.47", "-0.5", ".83", "1,797", "3", "7e-8", "5"]


def test_means_over_replicates_have_a_home(tmp_path: Path) -> None:
    rows = [
        {"arm": arm, "level": level, "replicate": str(r), "error": f"{base + r / 7}"}
        for arm, base in (("dense", 1.03), ("pruned", 2.09))
        for level in ("36.5", "73.25")
        for r in range(3)
    ]
    groups = {(labels["arm"], labels["level"], name): len(values) for labels, name, values in over_replicates(rows)}
    assert groups == {(arm, level, "error"): 3 for arm in ("dense", "pruned") for level in ("36.5", "73.25")}
    (tmp_path / "data").mkdir()
    (tmp_path / "summary.json").write_text(
        json.dumps({"study": "s", "scale": "smoke", "settings": {}, "rule": None, "claims": []})
    )
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    (tmp_path / "data/error.csv").write_text("\n".join(lines) + "\n")
    assert any(stored.place == "mean of error over replicates" for stored in homes(tmp_path, "1.173"))
