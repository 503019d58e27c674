"""How often an explanation tells parts from chance, wrongly where nothing is planted, rightly where something is.

`python tools/told_from_chance.py` simulates studies from a model of replicates and judges them by a slow reference that
shares no code with the package: shares by walking through all orders, Holm's procedure as a closed test over all sets
of claims. "bonferroni", the parts alone at a quarter of 5 % each, is what explanations used before. A minute.
"""

from itertools import combinations, permutations

import numpy as np
from scipy import stats

PARTS = ("time", "size", "disturbance", "choice")
ORDERS = [order for order in permutations(PARTS) if {"size", "disturbance"} & set(order[: order.index("choice")])]
CELLS = sorted({frozenset(order[:n]) for order in ORDERS for n in range(5)}, key=lambda cell: (len(cell), sorted(cell)))
PLANTED = {
    "nothing": {},
    "time": {"time": 2.0},
    "size against choice": {"size": 2.0, "choice": -2.0},
    "all four": {"time": 2.0, "size": -2.0, "disturbance": 2.0, "choice": 2.0},
}
"""What parts change, in standard deviations of one network."""


def simulated(planted, studies, replicates, seed):
    """Changes [studies, replicates, 5]: the whole, then each part. A good seed is good in all cells of a replicate."""
    random = np.random.default_rng(seed)
    common = random.normal(0.0, 2.0, (studies, replicates))
    values = {}
    for place, cell in enumerate(CELLS):
        mean = sum(planted.get(part, 0.0) for part in cell)
        scatter = random.normal(0.0, 0.5 + 1.0 * place / len(CELLS), (studies, replicates))
        values[cell] = mean + common + scatter
    changes = {part: np.zeros((studies, replicates)) for part in PARTS}
    for order in ORDERS:
        for n, part in enumerate(order):
            before, after = frozenset(order[:n]), frozenset(order[: n + 1])
            changes[part] += (values[after] - values[before]) / len(ORDERS)
    whole = values[frozenset(PARTS)] - values[frozenset()]
    return np.stack([whole, *changes.values()], axis=2)


def p_values(changes):
    """Two-sided p of Student's test over replicates: [..., claims] of [..., replicates, claims]."""
    n = changes.shape[-2]
    t = changes.mean(axis=-2) / (changes.std(axis=-2, ddof=1) / np.sqrt(n))
    return 2 * stats.t.sf(np.abs(t), n - 1)


def closed(p, error=0.05):
    """Which claims are decided: those for which every set with the claim in it has a p of at most error / its size."""
    decided = np.ones(p.shape, bool)
    for size in range(1, p.shape[-1] + 1):
        for among in map(list, combinations(range(p.shape[-1]), size)):
            rejected = p[..., among].min(axis=-1) <= error / size
            decided[..., among] &= rejected[..., None]
    return decided


def bonferroni(p, error=0.05):
    """By itself the whole, the parts each at an equal part of the error."""
    return p <= np.array([error, *[error / len(PARTS)] * len(PARTS)])


def main(studies=20_000):
    for name, planted in PLANTED.items():
        there = np.array([part in planted for part in PARTS])
        for replicates in (3, 5, 10):
            p = p_values(simulated(planted, studies, replicates, seed=replicates))
            row = [f"{name}, n = {replicates}"]
            for rule in (closed, bonferroni):
                told = rule(p)[:, 1:]
                wrong, right = told[:, ~there].any(axis=1), told[:, there]
                row.append(f"{rule.__name__}: a part without effect is told {share(wrong)}")
                if there.any():
                    row.append(f"a part with effect {share(right.reshape(-1))}")
                else:
                    row.append(f"a part or the whole {share(rule(p).any(axis=1))}")
            print("; ".join(row))


def share(found):
    """Percent, and twice its standard error."""
    mean = found.mean() if found.size else 0.0
    return f"{100 * mean:.2f} % ± {200 * np.sqrt(mean * (1 - mean) / max(found.size, 1)):.2f}"


if __name__ == "__main__":
    main()
