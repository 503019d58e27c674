"""Sections of the page of benchmarks take their places, and each says when and with what it was measured."""

import math
import os
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from benchmarks.environment import commit, environment, own_load
from benchmarks.result import Result

from benchmarks import report


def test_a_question_asked_again_takes_its_place():
    head, table = report.heading(), [Result("speed", np.array([2.0]), "s")]
    old, new = (
        {title: report.section(title, text, table, "today") for title in titles}
        for text, titles in (("then", "AB"), ("now", "BC"))
    )
    text = report.merged(report.merged(head, head, old, "ABC"), head, new, "ABC")
    parts = [part.split("\n") for part in text.split("\n## ")[1:]]
    assert [(part[0], part[2]) for part in parts] == [("A", "then"), ("B", "now"), ("C", "now")]
    assert text.startswith(head) and text.count("| speed | 2 |") == 3
    assert report.merged(text + "\n## Audits\n\nby scripts\n", head, new, "ABC") == text + "\n## Audits\n\nby scripts\n"


def test_numbers_of_two_machines_do_not_stand_side_by_side():
    head = report.heading()
    other = head.replace(f"Machine: {report.processor()}", "Machine: another")
    with pytest.raises(ValueError, match="was measured on another"):
        report.merged(other, head, {}, "ABC")


def test_old_sections_keep_the_versions_of_their_heading_until_all_are_new():
    table = [Result("speed", np.array([2.0]), "s")]
    old = report.heading() + "- Versions: torch 1.0, Python 2\n- Data: MNIST\n"
    for title in "AB":
        old += report.section(title, "then", table, "yesterday")
    kept = "- Versions of sections that name none: torch 1.0, Python 2; MNIST\n"
    now = {title: report.section(title, "now", table, environment("MNIST")) for title in "AB"}
    half = report.merged(old, report.heading(), {"A": now["A"]}, "AB")
    assert half.count(kept) == 1
    assert report.merged(half, report.heading(), {"A": now["A"]}, "AB") == half
    whole = report.merged(half, report.heading(), {"B": now["B"]}, "AB")
    assert kept not in whole and "torch 1.0" not in whole and whole.count(f"torch {torch.__version__}") == 2


@pytest.mark.parametrize(
    ("load", "seconds", "busy"),
    [(1.9, 600.0, False), (1.9, 1.0, True), (2.5, 600.0, True), (0.0, 600.0, False)],
)
def test_what_the_benchmark_itself_computes_is_not_others_load(monkeypatch, load, seconds, busy):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "times", lambda: (seconds, 0.0, 0.0, 0.0, 0.0))
    said = environment("MNIST")
    assert ("other programs" in said) == busy
    assert f"{max(0.0, load - own_load(seconds)):.2f} of it others'" in said


def test_a_process_adds_one_to_the_load_in_the_end():
    assert own_load(0.0) == 0 and math.isclose(own_load(1e6), 1.0) and 0.6 < own_load(60.0) < 0.7


def test_an_occasion_names_commit_and_libraries():
    said = environment("random images")
    for word in (f"torch {torch.__version__}", "Python 3", f"({commit()})", "random images"):
        assert word in said


def test_a_commit_says_whether_files_differ_from_it(tmp_path):
    assert commit(tmp_path) == "no commit"

    def git(*words):
        named = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *named, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    clean = commit(tmp_path)
    assert clean.isalnum()
    (tmp_path / "src" / "a.py").write_text("2")
    assert commit(tmp_path) == f"{clean} with changes"


def test_a_gpu_is_part_of_the_machine(monkeypatch):
    head = report.heading()
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "H"))
    assert "- GPU: H, CUDA" in report.heading()
    with pytest.raises(ValueError, match="with H, CUDA"):
        report.merged(head, report.heading(), {}, "ABC")
