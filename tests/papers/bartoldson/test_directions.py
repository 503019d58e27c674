"""Every claim of the two papers where they are right and where they are wrong: a sign that is turned is seen.

A claim that the papers make of themselves holds in the published world, and is contradicted in another.
"""

from dataclasses import replace

import numpy as np
import pytest
from expected_verdicts import ELSEWHERE, NUMBERS, VERDICTS, WINDOWS
from paper_items import STUDIES, full
from worlds import WORLDS, published

from prunescope.measures import Normality
from prunescope.studies.claim import judge

LETTERS = {
    "reproduced": "R",
    "contradicted": "C",
    "inconclusive": "I",
    "not judgeable at this scale": "N",
    "not run": "-",
}


@pytest.fixture(scope="module")
def world(made_up):
    """A function: a law to the results that it gives, minima being as flat as the published gains say."""

    class World(made_up["class"]):
        def __init__(self, law, *, mediated=True, wait=1):
            self.law, self.mediated, self.wait, self.known = law, mediated, wait, {}
            super().__init__(self.told)

        def told(self, run):
            found, flat = self.law(run), 2 * published(run).gain * self.mediated
            accuracy = 80 + found.gain
            return made_up["truth"](drop=found.cost, accuracy=accuracy, sharp=20 - flat, wait=self.wait)

        def __getitem__(self, node):
            if node.id not in self.known:
                self.known[node.id] = super().__getitem__(node)
            return self.known[node.id]

        def _seen(self, run):
            """What moves a minimum by chance moves accuracy with it: flatness is why pruning helps."""
            seen, told = super()._seen(run), self.told(run)
            side = -1 if self.law is WORLDS["worse"] else 1
            return replace(seen, accuracy=seen.accuracy - side * (seen.sharp - told.sharp) / 2)

        def _reading(self, node):
            found = super()._reading(node)
            if isinstance(node.measure, Normality) and self.law is WORLDS["worse"]:
                found["mean_distance"] = 0.5 - found["mean_distance"]
            return found

    return World


@pytest.fixture(scope="module")
def worlds(world):
    return {name: world(law) for name, law in WORLDS.items()}


def letters(claim, worlds):
    return "".join(LETTERS[judge(claim, one).interval_rule] for one in worlds.values())


@pytest.mark.parametrize("name", STUDIES)
def test_claims_hold_where_the_papers_are_right_and_fail_where_they_are_wrong(name, worlds):
    found = {claim.name: letters(claim, worlds) for claim in full(name).claims}
    expected = VERDICTS[name]
    new = {claim: found[claim] for claim in found.keys() - expected.keys()}
    assert not new, (
        f"claims of {name} without a line in expected_verdicts.py; decide what they should be: {new}"
    )
    assert found == expected


@pytest.mark.parametrize("name", STUDIES)
def test_every_claim_is_contradicted_somewhere_or_a_published_number(name, world):
    claims = {claim.name: claim for claim in full(name).claims}
    elsewhere = {"slow": world(published, wait=99), "unmediated": world(published, mediated=False)}
    numbers = {*NUMBERS.get(name, ()), *WINDOWS.get(name, ())}
    assert {claim for claim, verdicts in VERDICTS[name].items() if verdicts == "NNN"} == numbers
    for claim in VERDICTS[name].keys() - numbers:
        assert VERDICTS[name][claim].startswith("R"), claim
        assert ("C" in VERDICTS[name][claim]) != (claim in ELSEWHERE), claim
        if claim in ELSEWHERE:
            verdict = judge(claims[claim], elsewhere[ELSEWHERE[claim]])
            assert verdict.interval_rule == "contradicted", (claim, verdict.why)


@pytest.mark.parametrize("name", NUMBERS)
def test_published_numbers_are_compared_with_what_they_are_of(name, worlds):
    """They are judged at the papers' own scale only, so their samples are looked at here."""
    signs = {"+": 1, "-": -1, "0": 0}
    claims = {claim.name: claim for claim in full(name).claims}
    for claim, (value, tolerance, expected) in NUMBERS[name].items():
        region = claims[claim].region
        assert (region.value, region.tolerance) == (value, tolerance), claim
        found = [round(float(np.mean(claims[claim].sample(one))), 6) for one in worlds.values()]
        assert [np.sign(one) for one in found] == [signs[sign] for sign in expected], (claim, found)
        assert found[0] * value > 0, claim
        if "parameters-gone" in claim:  # own count and structural count of any network that was never there
            assert found[0] == pytest.approx(42.1 if value == 42 else 53.6), claim


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_between_their_ends(name, worlds):
    claims = {claim.name: claim for claim in full(name).claims}
    for claim, (low, high) in WINDOWS[name].items():
        above, below = np.split(claims[claim].sample(worlds["published"]), 2, axis=1)
        assert (low + above) == pytest.approx(high - below), claim
        assert (low + above).min() > 79 and (low + above).max() < 85, claim
