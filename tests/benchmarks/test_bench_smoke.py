"""Every benchmark runs on tiny inputs and yields numbers. How large they are is not tested."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
QUESTIONS = [path for path in (ROOT / "benchmarks").glob("*.py") if path.read_text().startswith('"""Question:')]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--save", str(folder / "page.md")],
        cwd=ROOT,
        env={**os.environ, "PRUNESCOPE_DATA": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return (folder / "page.md").read_text()


def rows(section):
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_question_is_asked(page):
    assert len(QUESTIONS) >= 7
    assert page.count("\n## ") == len(QUESTIONS)


def test_every_row_is_a_finite_number(page):
    for section in page.split("\n## ")[1:]:
        found = rows(section)
        assert found, section
        for what, median, *_ in found:
            assert math.isfinite(float(median.replace(",", ""))), (section, what)


def test_targets_are_judged(page):
    judged = [row for section in page.split("\n## ")[1:] for row in rows(section) if row[4]]
    assert len(judged) >= 6
    assert {row[5] for row in judged} <= {"met", "missed"}


def test_page_says_where_the_numbers_come_from(page):
    for word in ("make bench", "Machine", "torch", "at the start", "random images"):
        assert word in page
