"""Sentence and claims tell the same parts from chance, by a rule that errs in at most 5 % of studies."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.extend(map(str, (Path(__file__).parent, Path(__file__).parents[2] / "tools")))

import told_from_chance as reference
from explained import design, made_up

from prunescope.explain.claims import WHOLE, claims, told
from prunescope.explain.design import Pruning
from prunescope.explain.figures import sentence
from prunescope.studies import Quantity, Study, judge_all
from prunescope.studies.looks import looks
from prunescope.studies.sequential import at_every_look, until_decided


def quantity(values):
    return Quantity("change", "points", (), lambda results: np.asarray(values))


def claimed(changes):
    """Claims about changes [replicates, 5], the whole first."""
    whole, *parts = (quantity(values) for values in changes.T)
    return claims("test error", whole, dict(zip(reference.PARTS, parts, strict=True)))


@pytest.mark.parametrize("replicates", [2, 3, 5, 10])
def test_told_parts_are_those_of_a_closed_test_over_all_sets_of_claims(replicates):
    seen = set()
    for name, planted in reference.PLANTED.items():
        studies = reference.simulated({part: 2 * size for part, size in planted.items()}, 50, replicates, seed=1)
        for changes, expected in zip(studies, reference.closed(reference.p_values(studies)), strict=True):
            names = told(judge_all(claimed(changes), {}), (WHOLE, *reference.PARTS))
            assert set(names) == {part for part, yes in zip((WHOLE, *reference.PARTS), expected, strict=True) if yes}
            sizes = dict(zip((WHOLE, *reference.PARTS), np.abs(changes.mean(axis=0)), strict=True))
            assert names == sorted(names, key=lambda part: -sizes[part]), name
            seen.add(len(names))
    assert replicates == 2 or {0, 5} <= seen


@pytest.mark.parametrize("replicates", [3, 5, 10])
@pytest.mark.parametrize("name", reference.PLANTED)
def test_parts_without_effect_are_told_in_at_most_5_percent_of_studies(name, replicates):
    planted = reference.PLANTED[name]
    told_of = reference.closed(reference.p_values(reference.simulated(planted, 4000, replicates, seed=9)))[:, 1:]
    without = [place for place, part in enumerate(reference.PARTS) if part not in planted]
    assert told_of[:, without].any(axis=1).mean() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 4000)
    if replicates == 10 and planted:
        assert told_of[:, [part in planted for part in reference.PARTS]].mean() > 0.99


def world(made, random):
    """Errors that differ by any sum of parts and by the luck of every network, between hardly and very much."""
    sizes = random.choice([0.0, 0.0, 3.0, -3.0], len(made.factors))
    luck = random.choice([0.0, 0.1, 0.5, 2.0])
    by_part = dict(zip((factor.name for factor in made.factors), sizes, strict=True))
    return {
        c: 30.0 + sum(by_part[name] for name in c) + random.normal(0.0, luck, made.how.replicates) for c in made.cells
    }


def test_sentence_and_claims_never_disagree_in_made_up_worlds():
    random, counts = np.random.default_rng(2), []
    for replicates in (3, 4, 5):
        made = design(replicates=replicates)
        error = made.outcomes[0]
        claimed = claims(error.label, made.effect(error), made.parts(error))
        for _ in range(12):
            results = made_up(made, world(made, random))
            verdicts = judge_all(claimed, results)
            text = sentence(made, results, verdicts)
            named = re.search(r"told from chance: ([a-z, ]+);", text)
            named = set(named[1].split(", ")) if named else set()
            counts.append(len(named))
            assert ("no part of it is told from chance" in text) == (not named)
            for verdict in verdicts:
                part = verdict.claim.name.removesuffix("-lowers-the-error")
                decided = verdict.said in ("reproduced", "contradicted")
                if part == WHOLE:
                    words = re.search("(lowered|raised|changed) test error", text)[1]
                    assert words == ({"reproduced": "lowered", "contradicted": "raised"}.get(verdict.said, "changed"))
                else:
                    assert (part in named) == decided, (text, verdict.said)
    assert set(range(5)) <= set(counts)


def test_what_the_interval_decides_and_holm_does_not_is_said_so_on_either_side():
    clear, weak = np.array([-9.0, -9.1, -9.2]), np.array([2.0, 2.9, 3.5])
    verdicts = judge_all(claimed(np.stack([clear, weak, -weak, np.array([-1.0, 1.0, 0.5]), clear], axis=1)), {})
    assert [verdict.said for verdict in verdicts] == [
        "reproduced",
        "contradicted, not after Holm",
        "reproduced, not after Holm",
        "inconclusive",
        "reproduced",
    ]
    assert told(verdicts, reference.PARTS) == ["choice"]
    one_less = judge_all(claimed(np.stack([clear, weak, clear, clear, clear], axis=1)), {})
    assert told(one_less, reference.PARTS)[-1] == "time"


def test_a_part_that_is_not_known_is_not_told():
    changes = np.tile(np.array([-9.0, -9.1, -9.2])[:, None], 5)
    changes[1, 2] = np.nan
    assert "size" not in told(judge_all(claimed(changes), {}), reference.PARTS)


def study_of(changes, replicates):
    """What the sequential loop needs of a study of the first replicates."""
    return Study("s", "q?", settings=Pruning(), claims=claimed(changes[:replicates]))


@pytest.mark.slow
def test_with_looks_a_part_without_effect_is_told_in_at_most_5_percent_of_studies():
    at, wrong, right, stops = looks(3, 10), 0, 0, []
    studies = reference.simulated({"time": 4.0}, 200, 10, seed=3)
    for changes in studies:
        decided = until_decided(lambda n, changes=changes: study_of(changes, n), at, lambda nodes: {})
        names = told(judge_all(decided.study.claims, {}), reference.PARTS)
        wrong += bool(set(names) - {"time"})
        right += "time" in names
        stops.append(len(decided.study.claims[1].quantity({})))
    assert wrong / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert right / 200 > 0.95 and np.mean(stops) < 8


def test_p_at_many_looks_is_below_5_percent_exactly_where_the_interval_at_all_looks_excludes_0():
    at, random = looks(3, 10), np.random.default_rng(4)
    for _ in range(200):
        changes = random.normal(random.choice([0.0, 1.0, 3.0]), 1.0, (5, 5))
        for verdict in judge_all([at_every_look(claim, at) for claim in claimed(changes)], {}):
            if abs(verdict.p - 0.05) > 0.001:
                assert (verdict.p < 0.05) == (verdict.interval.low > 0 or verdict.interval.high < 0)


def test_after_several_looks_the_sentence_has_the_interval_of_the_claim():
    made = design(replicates=4)
    random = np.random.default_rng(5)
    results = made_up(made, {c: random.normal(30.0, 2.0, 4) for c in made.cells})
    error = made.outcomes[0]
    claimed = [at_every_look(one, (3, 4)) for one in claims(error.label, made.effect(error), made.parts(error))]
    verdicts = judge_all(claimed, results)
    low, high = sorted(abs(end) for end in (verdicts[0].interval.low, verdicts[0].interval.high))
    said = re.search(r"\[(.+?), (.+?)\]", sentence(made, results, verdicts))
    assert [abs(float(end.replace("−", "-"))) for end in said.groups()] == pytest.approx([low, high], rel=0.06)
