"""Intervals that hold at every look, and the loop that adds replicates until claims are decided."""

from dataclasses import dataclass

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.studies import (
    Claim,
    Count,
    Direction,
    Equivalence,
    Figure,
    Listing,
    MedianDirection,
    Rows,
    Study,
    column,
    judge,
)
from prunescope.studies.looks import looks, repeated_level
from prunescope.studies.sequential import at_every_look, until_decided
from prunescope.studies.statistics import t_interval

LOOKS = looks(3, 20)


@dataclass(frozen=True)
class Network:
    """A node: one replicate of an arm."""

    arm: str
    number: int

    @property
    def id(self):
        return f"{self.arm}-{self.number}"


class World:
    """Gaussian results of any network, by the mean of its arm; it remembers what was computed."""

    def __init__(self, means, seed=0):
        self.means, self.random, self.values = means, np.random.default_rng(seed), {}

    def make(self, nodes):
        for node in nodes:
            self.values.setdefault(node.id, self.means[node.arm] + self.random.normal())
        return self

    def __getitem__(self, node):
        return {"value": np.asarray(self.values[node.id])}

    def __contains__(self, node):
        return node.id in self.values

    def count(self, arm):
        return sum(name.startswith(arm) for name in self.values)


class Settings(Value):
    replicates: int = 3


def study(arms, replicates, region=None):
    values = {arm: column([Network(arm, n) for n in range(replicates)], "value", label=arm) for arm in arms}
    claims = tuple(Claim(arm, f"{arm} is less.", value, region or Direction("less")) for arm, value in values.items())
    figures = tuple(
        Figure(
            f"figure-{claim.name}",
            "t",
            caption="c",
            rows=[Rows({}, {"v": claim.quantity})],
            plot=Listing(),
            claims=(claim,),
        )
        for claim in claims
    )
    return Study("s", "q?", settings=Settings(replicates=replicates), figures=figures)


def test_a_level_that_holds_at_one_look_is_the_level_itself():
    assert repeated_level(0.95, (5,)) == pytest.approx(0.95, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize(("level", "scale"), [(0.95, 1.0), (0.9, 30.0)])
def test_intervals_at_all_looks_hold_together(level, scale):
    random, each, missed = np.random.default_rng(1), repeated_level(level, LOOKS), 0
    for values in random.normal(7.0, scale, size=(2000, 20)):
        intervals = [t_interval(values[:n], level=each) for n in LOOKS]
        missed += any(part.low > 7.0 or part.high < 7.0 for part in intervals)
    # Four standard deviations of a binomial.
    assert abs(missed / 2000 - (1 - level)) < 4 * np.sqrt(level * (1 - level) / 2000)


def test_looking_at_every_number_with_the_plain_interval_errs_far_more_often():
    random, missed = np.random.default_rng(2), 0
    for values in random.normal(size=(500, 20)):
        intervals = [t_interval(values[:n]) for n in LOOKS]
        missed += any(part.low > 0.0 or part.high < 0.0 for part in intervals)
    assert missed / 500 > 0.12


@pytest.mark.slow
@pytest.mark.parametrize(("mean", "at_most"), [(0.0, 0.05), (-2.0, 1.0)])
def test_claims_are_decided_wrongly_no_more_often_than_one_look_would(mean, at_most):
    outcomes, used = [], []
    for seed in range(300):
        world = World({"a": mean}, seed)
        decided = until_decided(lambda n: study(["a"], n), LOOKS, world.make)
        outcomes.append(judge(decided.study.claims[0], world).interval_rule)
        used.append(decided.replicates)
    wrong = sum(outcome != "inconclusive" for outcome in outcomes) if mean == 0.0 else outcomes.count("contradicted")
    assert wrong / 300 <= at_most + 4 * np.sqrt(0.05 * 0.95 / 300) * (mean == 0.0)
    if mean < 0:
        assert outcomes.count("reproduced") == 300 and np.mean(used) < 8


def test_the_arms_of_a_decided_claim_stop_and_the_others_go_on():
    world = World({"clear": -9.0, "open": 0.0}, seed=3)
    decided = until_decided(lambda n: study(["clear", "open"], n), LOOKS, world.make)
    assert world.count("clear") < 7 and world.count("open") == 20 == decided.replicates
    clear, still_open = (judge(claim, world) for claim in decided.study.claims)
    assert clear.interval_rule == "reproduced" and clear.n == world.count("clear")
    assert still_open.interval_rule == "inconclusive" and still_open.n == 20
    figures = {figure.name: figure.table(world) for figure in decided.study.figures}
    assert len(figures["figure-clear"]) == clear.n and len(figures["figure-open"]) == 20
    captions = [figure.caption for figure in decided.study.figures]
    assert captions[0].startswith(f"c n = {clear.n} of 20: ") and captions[1] == "c"
    assert "Intervals of claims hold at all looks" in decided.study.notes[-1]


def test_it_ends_at_the_look_at_which_everything_is_decided():
    world = World({"a": -9.0, "b": 9.0}, seed=4)
    decided = until_decided(lambda n: study(["a", "b"], n), LOOKS, world.make)
    assert decided.replicates < 7
    assert {judge(claim, world).interval_rule for claim in decided.study.claims} == {"reproduced", "contradicted"}


def test_what_is_only_read_ends_at_the_last_look_that_is_there():
    world, seen = World({"nothing": 0.0}), []
    whole = until_decided(lambda n: study(["nothing"], n), LOOKS, world.make)
    assert whole.replicates == 20

    def is_there(nodes):
        seen.append(len(nodes))
        return len(nodes) <= 7

    read = until_decided(lambda n: study(["nothing"], n), LOOKS, lambda nodes: world, is_there)
    assert (read.replicates, seen) == (7, [4, 5, 7, 9])  # the first look is read whatever is there
    assert read.study.claims[0].quantity.nodes == study(["nothing"], 7).claims[0].quantity.nodes
    assert read.study.claims[0].region == whole.study.claims[0].region


def test_equivalence_can_be_decided_too():
    world = World({"a": 0.0}, seed=5)
    decided = until_decided(lambda n: study(["a"], n, Equivalence(2.0)), LOOKS, world.make)
    assert judge(decided.study.claims[0], world).interval_rule == "reproduced"


def test_regions_that_are_not_judged_by_t_get_an_equal_part_of_the_error_a_look():
    claim = study(["a"], 3, Count(1, of=2)).claims[0]
    assert at_every_look(claim, LOOKS).region.level == pytest.approx(1 - 0.05 / len(LOOKS))
    median = at_every_look(study(["a"], 3, MedianDirection("less")).claims[0], LOOKS)
    assert median.region.fewest == 9  # of 8 values, even smallest and largest cover the median too rarely
    world = World({"a": -9.0}, seed=6)
    decided = until_decided(lambda n: study(["a"], n, MedianDirection("less")), LOOKS, world.make)
    assert decided.replicates == 9


def test_too_few_looks_are_refused():
    with pytest.raises(UsageError, match="from 5 to 4 replicates there is no look"):
        looks(5, 4)
