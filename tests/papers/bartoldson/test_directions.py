"""Every claim of the two papers where they are right and where they are wrong: a sign that is turned is seen.

A claim that the papers make of themselves holds in the published world, and is contradicted in another.
"""

from dataclasses import replace

import numpy as np
import pytest
from paper_items import STUDIES, full
from worlds import WORLDS, published

from prunescope.measures import Normality
from prunescope.studies.judging import judge
from prunescope.studies.region import Near


@pytest.fixture(scope="module")
def world(made_up):
    """A function: a law to the results that it gives, minima being as flat as the published gains say."""

    class World(made_up["class"]):
        def __init__(self, law, *, mediated=True, wait=1):
            self.law, self.mediated, self.wait = law, mediated, wait
            super().__init__(self.told)

        def told(self, run):
            found, flat = self.law(run), 2 * published(run).gain * self.mediated
            accuracy = 80 + found.gain
            return made_up["truth"](drop=found.cost, accuracy=accuracy, sharp=20 - flat, wait=self.wait)

        def _drawn(self, run):
            """What moves a minimum by chance moves accuracy with it: flatness is why pruning helps."""
            seen, told = super()._drawn(run), self.told(run)
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
    elsewhere = {"slow": world(published, wait=99), "unmediated": world(published, mediated=False)}
    return {name: world(law) for name, law in WORLDS.items()} | elsewhere


UNTOLD = ("stability-trace-h-within", "stability-trace-c-within", "restored-zeroing-is-pruning")
"""Made-up laws move arms, not the runs within one, and know of no normalization that is left alone."""


def verdict(claim, world):
    return judge(claim, world).interval_rule


def of_number(claim):
    """Whether a claim is on a published number, which is judged at the papers' own scale only."""
    return any("the paper's" in one.says for one in claim.preconditions)


@pytest.mark.parametrize("name", STUDIES)
def test_claims_hold_where_the_papers_are_right_and_fail_where_they_are_wrong(name, worlds):
    for claim in full(name).claims:
        found = {world: verdict(claim, results) for world, results in worlds.items()}
        if of_number(claim):
            assert set(found.values()) == {"not judgeable at this scale"}, claim.name
        else:
            assert found["published"] == "reproduced" or claim.name in UNTOLD, claim.name
            assert "contradicted" in found.values() or claim.name.endswith("-within"), (claim.name, found)


@pytest.mark.parametrize("name", STUDIES)
def test_published_numbers_are_compared_with_what_they_are_of(name, worlds):
    """A drop and a correlation turn their sign with what they are of."""
    for claim in full(name).claims:
        if not of_number(claim) or not isinstance(claim.region, Near):
            continue
        means = {world: float(np.mean(claim.quantity(worlds[world]))) for world in WORLDS}
        assert means["published"] * claim.region.value > 0, (claim.name, means)
        if claim.name.endswith("-r"):
            assert min(means["published"] * means[world] for world in WORLDS) < 0, (claim.name, means)
        elif "worst-drop" in claim.name:
            assert means["steadier"] < 0 < means["published"], (claim.name, means)
        elif "parameters-gone" in claim.name:  # own count and structural count of any network
            assert means["published"] == pytest.approx(42.1 if claim.region.value == 42 else 53.6)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("bartoldson2020/fig2", {"vgg11-window": (83.0, 86.5), "resnet18-window": (84.0, 88.5)}),
        ("bartoldson2020/fig3", {"rates-window": (85.3, 86.38)}),
    ],
)
def test_windows_are_between_their_ends(name, ends, worlds):
    claims = {claim.name: claim for claim in full(name).claims}
    for claim, (low, high) in ends.items():
        above, below = np.split(claims[claim].quantity(worlds["published"]), 2, axis=1)
        assert (low + above) == pytest.approx(high - below), claim
        assert (low + above).min() > 79 and (low + above).max() < 85, claim
