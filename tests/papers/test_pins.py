"""What the papers' studies say in a made-up world is what it was: ids of runs, claims with their verdicts, tables.

A difference that is wanted is written down by `python tests/papers/test_pins.py [STUDY...]`, and read in the diff of
`pins.json`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))

from made_up_worlds import World, digest, smoke_names, smoke_study

from prunescope.base.errors import PrunescopeError
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.judging import judge

PINS = Path(__file__).with_name("pins.json")


def said(function, *args):
    """What a function returns, numbers to six digits; the name of the error where there is one."""
    try:
        return plain(function(*args))
    except PrunescopeError as problem:
        return type(problem).__name__


def plain(value):
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, dict):
        return sorted((str(name), plain(part)) for name, part in value.items())
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(part) for part in value]
    if isinstance(value, bool | np.bool_ | str) or value is None:
        return str(value)
    return f"{float(value) + 0.0:.6g}"  # 1 and 1.0 are one number; so are 0 and -0


def numbers(quantity, world):
    return np.atleast_1d(quantity(world))


def outcomes(claim, world, rule):
    verdict = judge(claim, world, rule)
    return [verdict.paper, verdict.interval_rule]


def claim_pin(claim, worlds, rule):
    fixed = [claim.says, claim.basis, claim.place, str(claim.region)]
    fixed += [f"{part.says} {part.at_least} {part.at_most}" for part in claim.preconditions]
    values = [[said(numbers, part.quantity, world) for part in (claim, *claim.preconditions)] for world in worlds]
    verdicts = [said(outcomes, claim, world, rule) for world in worlds]
    return digest(json.dumps([fixed, values, verdicts]))


def table_pin(figure, worlds):
    """Of the rows in any order: what is drawn first is a matter of taste."""
    tables = [said(lambda w: [dict(row) for row in figure.table(w)], world) for world in worlds]
    return digest(*(json.dumps(sorted(map(json.dumps, table))) for table in tables))


def pins_of(study, worlds):
    recipes = sorted(node.id for node in closure(study.nodes).values() if isinstance(node, Recipe))
    return {
        "recipes": digest(*recipes),
        "claims": {claim.name: claim_pin(claim, worlds, study.rule) for claim in study.claims},
        "figures": {figure.name: table_pin(figure, worlds) for figure in study.figures},
    }


def differences(before, after):
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(before.keys() | after.keys())
        return [
            f"{name} {rest}".replace("  ", " ")
            for name in names
            for rest in differences(before.get(name), after.get(name))
        ]
    return [] if before == after else [" is new" if before is None else " is gone" if after is None else " differs"]


STUDIES = [name for name in smoke_names() if "/" in name or name == "quickstart"]
"""Without the whole papers, which are put together of these."""
WORLDS = [World(1)]


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_it_said(name):
    changed = differences(json.loads(PINS.read_text()).get(name), pins_of(smoke_study(name), WORLDS))
    assert changed == [], "if this is wanted, run `python tests/papers/test_pins.py` and read the diff of pins.json"


def test_no_study_is_forgotten():
    assert sorted(json.loads(PINS.read_text())) == sorted(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_missing_results_leave_gaps_and_claims_that_were_not_run(name):
    study, world = smoke_study(name), World(0)
    for claim in study.claims:
        said(outcomes, claim, world, study.rule)
    for figure in study.figures:
        said(figure.table, world)


def write(names):
    """Writes the pins of some studies anew; of all where none is named."""
    pins = json.loads(PINS.read_text()) if names else {}
    pins |= {name: pins_of(smoke_study(name), WORLDS) for name in STUDIES if not names or name in names}
    PINS.write_text(json.dumps(pins, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    write(sys.argv[1:])
