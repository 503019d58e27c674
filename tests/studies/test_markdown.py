"""The Markdown page says what the browser's page says."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from prunescope.base.value import Value
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure, Rows
from prunescope.studies.plot import Lines
from prunescope.studies.quantity import Quantity, constant
from prunescope.studies.region import Direction
from prunescope.studies.report import write
from prunescope.studies.study import Study


class Settings(Value):
    """None."""


FIGURE = Figure(
    "fall",
    "A fall",
    caption="Downwards.",
    rows=[Rows({"x": x, "series": "s"}, {"y": constant(1.0 - x)}) for x in (0.0, 1.0)],
    plot=Lines("x", "y", series="series"),
)


def test_every_claim_has_a_row_and_pipes_do_not_break_the_table(tmp_path: Path) -> None:
    claim = Claim(
        "falls",
        "a | b falls",
        Quantity("", "points", (), lambda results: np.array([-1.0, -1.2, -0.8])),
        Direction("less"),
        place="here",
    )
    caution = Precondition("the fall has an end", constant(3.0, unit="m"), at_most=2)
    study = Study(
        "tiny",
        "Does it fall?",
        settings=Settings(),
        claims=(claim,),
        notes=("A note.",),
        figures=(FIGURE,),
        cautions=(caution, replace(caution, at_most=4)),
    )
    write(study, {}, tmp_path, cost={"runs": 3, "versions": {"torch": "2"}}, command="prunescope run tiny")
    text = (tmp_path / "README.md").read_text()
    row = next(line for line in text.splitlines() if "falls" in line)
    assert row.replace("\\|", "").count("|") == 7
    assert "here | reproduced | −1 [" in row
    assert "points | 3 | 0.0" in row
    assert "# Does it fall?" in text
    assert "| versions.torch | 2 |" in text
    assert "`prunescope run tiny`" in text
    assert "A note." in text
    assert text.count("the fall has an end: needs at most 2, measured 3 m") == 1
    assert "- a | b falls (proposed: here) **reproduced**" in text
