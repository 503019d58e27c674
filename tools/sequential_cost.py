"""What adding replicates until claims are decided costs, against 20 replicates at once, and how often it errs.

`python tools/sequential_cost.py` simulates 1,000 studies of the LeNet column. Values of its claims over three stored
replicates (docs/results/jin2022/lenet/summary.json) give means, scatter and what claims share; more replicates are
drawn as normal numbers of just these. Truth is the stored mean; a second time, the end of the claimed region, where
whatever is decided is wrong. Cost is counted in training steps. Claims about several parts at once, whose values are
not kept by replicate, are left out.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import stats

from prunescope.papers.catalogue import catalogue
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.load import find
from prunescope.studies.looks import FIRST, looks, repeated_level
from prunescope.studies.median import MedianDirection
from prunescope.studies.region import Direction, Equivalence, Near
from prunescope.studies.sequential import OPEN
from prunescope.studies.statistics import Interval

SUMMARY = Path(__file__).parents[1] / "docs" / "results" / "jin2022" / "lenet" / "summary.json"
MOST, STUDIES = 20, 1000


def simulated(values, studies, seed=0):
    """Values [claims, studies, MOST] with the means and covariances of `values` [claims, 3]."""
    random, centred = np.random.default_rng(seed), values - values.mean(axis=1, keepdims=True)
    weights = random.standard_normal((values.shape[1], studies, MOST)) / np.sqrt(values.shape[1] - 1)
    return values.mean(axis=1)[:, None, None] + np.tensordot(centred, weights, axes=1)


def intervals(values, at, level):
    """Ends of the t-intervals of the first values [studies, MOST], at each number of `at`: [studies, looks] each."""
    mean = np.stack([values[:, :n].mean(axis=1) for n in at], axis=1)
    error = np.stack([values[:, :n].std(axis=1, ddof=1) / np.sqrt(n) for n in at], axis=1)
    half = stats.t.ppf((1 + level) / 2, np.asarray(at) - 1) * error
    return mean - half, mean + half


def verdicts(region, values, at, level):
    """Of each study the number of values at which it is decided (the last where it is not), and the outcome."""
    low, high = intervals(values, at, level)
    for study_low, study_high in zip(low, high, strict=True):
        outcomes = [
            region.by_interval(Interval((a + b) / 2, a, b, level)) for a, b in zip(study_low, study_high, strict=True)
        ]
        decided = next((place for place, outcome in enumerate(outcomes) if outcome not in OPEN), len(at) - 1)
        yield at[decided], outcomes[decided]


def steps_of(nodes):
    """Training steps by recipe."""
    recipes = [node for node in closure(nodes).values() if isinstance(node, Recipe)]
    return {run.id: run.clock().total - run.clock().steps(run.begin) for run in recipes}


def main(studies=STUDIES):
    kept = json.loads(SUMMARY.read_text())
    template = find("jin2022/column", {entry.name: entry.module for entry in catalogue()})
    study = template.build("laptop", {**kept["settings"], "replicates": 1})
    stored = {claim["name"]: claim["values"] for claim in kept["claims"] if claim.get("n") == 3}
    by_t = [
        claim
        for claim in study.claims
        if isinstance(claim.region, Direction | Near | Equivalence)
        and not isinstance(claim.region, MedianDirection)
        and claim.name in stored
    ]
    values = simulated(np.array([stored[claim.name] for claim in by_t]), studies)
    at = looks(FIRST, MOST)
    stops, counts = np.zeros((len(by_t), studies), int), {"sequential": Counter(), "at once": Counter()}
    for place, claim in enumerate(by_t):
        level, region = claim.region.level, claim.region
        truth = region.by_interval(Interval(m := float(np.mean(stored[claim.name])), m, m, level))
        for name, numbers, of in (("sequential", at, repeated_level(level, at)), ("at once", (MOST,), level)):
            for number, (n, outcome) in enumerate(verdicts(region, values[place], numbers, of)):
                counts[name]["open" if outcome in OPEN else "right" if outcome == truth else "wrong"] += 1
                if name == "sequential":
                    stops[place, number] = n
            if type(region) is Direction:
                at_the_end = values[place] - np.mean(stored[claim.name]) + region.than
                outcomes = [outcome for _, outcome in verdicts(region, at_the_end, numbers, of)]
                counts[name]["decided where nothing differs"] += sum(outcome not in OPEN for outcome in outcomes)
                counts[name]["where nothing differs"] += studies
    every = steps_of(study.nodes)
    needs = np.array([[run in part for run in every] for part in (steps_of(claim.nodes) for claim in by_t)])
    steps = np.array(list(every.values()), dtype=float)
    cost = [steps @ np.where(needs, stop[:, None], FIRST).max(axis=0) for stop in stops.T]
    share = np.array(cost) / (MOST * steps.sum())
    print(f"{len(by_t)} of {len(study.claims)} claims, {studies} studies, looks at {at}")
    print(
        f"cost: {share.mean():.1%} of {MOST} replicates at once, of single studies {share.min():.1%} to "
        f"{share.max():.1%}; if no arm stopped before the others, {stops.max(axis=0).mean() / MOST:.1%}"
    )
    for name, found in counts.items():
        shown = ", ".join(f"{key} {found[key] / (len(by_t) * studies):.2%}" for key in ("right", "open", "wrong"))
        falsely = found["decided where nothing differs"] / found["where nothing differs"]
        print(f"{name}: {shown}; where nothing differs, decided {falsely:.2%}")


if __name__ == "__main__":
    main()
