"""The Markdown page says what the browser's page says."""

from pathlib import Path

import numpy as np

from prunescope.base.value import Value
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction
from prunescope.studies.report import write
from prunescope.studies.study import Study


class Settings(Value):
    """None."""


def test_every_claim_has_a_row_and_pipes_do_not_break_the_table(tmp_path: Path) -> None:
    claim = Claim(
        "falls",
        "a | b falls",
        basis="proposed",
        place="here",
        region=Direction("less"),
        sample=lambda results: np.array([-1.0, -1.2, -0.8]),
        unit="points",
    )
    study = Study("tiny", "Does it fall?", settings=Settings(), nodes=(), claims=(claim,), notes=("A note.",))
    write(study, {}, tmp_path, cost={"runs": 3, "versions": {"torch": "2"}}, command="prunescope run tiny")
    text = (tmp_path / "README.md").read_text()
    row = next(line for line in text.splitlines() if "falls" in line)
    assert row.replace("\\|", "").count("|") == 7
    assert "reproduced | reproduced | −1 [" in row
    assert "points | 3 |" in row
    assert "# Does it fall?" in text
    assert "| versions.torch | 2 |" in text
    assert "`prunescope run tiny`" in text
    assert "A note." in text
