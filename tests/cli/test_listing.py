"""`prunescope list` and `prunescope doctor`."""

import json
import re

import pytest

from prunescope.papers.catalogue import catalogue


def test_papers_fit_a_screen_and_count_their_studies(command) -> None:
    lines = command("list").output.splitlines()
    assert len(lines) <= 24
    counts = {line.split()[0]: int(line.split()[1]) for line in lines[1:] if line and line[0].isalpha()}
    assert sum(counts.values()) == len(catalogue())


def test_every_paper_asks_a_question(command) -> None:
    rows = re.split(r"\n(?=[a-z]+\d* +\d+ )", command("list").output)[1:]
    assert len(rows) == len({entry.name.partition("/")[0] for entry in catalogue()})
    assert all("?" in row and "arXiv" not in row for row in rows)


def test_one_paper_lists_its_studies_and_no_others(command) -> None:
    names = [line.split()[0] for line in command("list", "yang2023").output.splitlines()[1:]]
    assert names == [entry.name for entry in catalogue() if entry.name.startswith("yang2023/")]


def test_one_study_is_shown_whole(command) -> None:
    output = command("list", "jin2022/fig6").output
    assert "Figure 6" in output and "--scale paper" in output and "jin2022/fig7" not in output


def test_json_holds_every_study(command) -> None:
    entries = json.loads(command("list", "--json").output)
    assert {entry["name"] for entry in entries} == {entry.name for entry in catalogue()}
    assert all(entry["scales"] for entry in entries)


def test_an_unknown_paper_is_refused(command) -> None:
    result = command("list", "nobody1999")
    assert result.exit_code == 2
    assert "no paper or study 'nobody1999'; there is quickstart, jin2022" in result.output


@pytest.mark.parametrize("words", [("doctor",), ("doctor", "--json")], ids=" ".join)
def test_the_doctor_says_what_is_here_and_what_is_missing(command, words, monkeypatch) -> None:
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "numba" else real(name, *rest))
    output = command(*words).output
    assert "pip install 'prunescope[fast]'" in output
    assert "not there yet; the first run makes it" in output
    if "--json" in words:
        assert {fact["what"] for fact in json.loads(output)} >= {"processor", "torch", "store", "mnist"}


def test_runs_as_json(command, study) -> None:
    assert command("run", study, "--workers", "1").exit_code == 0
    runs = json.loads(command("runs", "ls", "--json").output)
    assert runs and all(len(run["id"]) == 32 and run["status"] == "done" for run in runs)
