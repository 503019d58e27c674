"""What Jin et al. 2022 say of named sparsities, as claims.

Belongs here: claims about where over sparsity something happens. Does not belong here: claims at the optimum
(`statements.py`, `fitting.py`), published errors and losses (`published.py`).
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

import numpy as np

from prunescope.papers.jin2022.arms import Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.expected import said
from prunescope.papers.jin2022.statements import fits_clean, fits_noise
from prunescope.studies import selection
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Among, Direction, Value
from prunescope.studies.results import Results

HIGHEST_IMPROVING: Mapping[str, int] = MappingProxyType({"resnet20": 8, "vgg16": 21})
"""The last level that improves on the dense network: 83.22 and 99.08 % sparsity. Source: section 4 (Fig. 2b)."""

TENTH = 10.0
"""Weights remaining, percent, above which noisy examples are fitted better and below which worse by ResNet-20."""


def highest_improving(bench: Benchmark) -> tuple[Claim, ...]:
    """At which level pruning last improves on the dense network, for the benchmarks where it is named."""
    if bench.name not in HIGHEST_IMPROVING:
        return ()
    level = HIGHEST_IMPROVING[bench.name]

    def sample(results: Results) -> Numbers:
        errors = bench.selected_by(results, "pruned", 0.0)
        each = [selection.highest_improving(errors[:, [number]]) for number in range(bench.replicates)]
        return np.array(each, dtype=np.float64)

    return (
        Claim(
            "highest-improving-level",
            f"Without label noise, the highest sparsity that improves on the dense network is "
            f"{100 - 100 * 0.8**level:.2f} % (level {level}), to within a level.",
            **said(
                "highest-improving-level", bench.name, "section 4, Fig. 2b (the tolerance is proposed here)"
            ),
            region=Value(level, 1.0),
            sample=sample,
            preconditions=(fits_clean(bench), _goes_to(bench, level + 2)),
            unit="level, of each replicate by itself",
        ),
    )


def noisy_loss_around_a_tenth(bench: Benchmark, noise: float) -> tuple[Claim, ...]:
    """With noise, ResNet-20 fits noisy examples better down to a tenth of its weights, and worse below (Fig. 4)."""
    if bench.name != "resnet20":
        return ()
    return tuple(_noisy_loss(bench, noise, side) for side in ("above", "below"))


def _noisy_loss(bench: Benchmark, noise: float, side: Literal["above", "below"]) -> Claim:
    change = "lower" if side == "above" else "higher"
    few = min(
        (level for level in range(bench.levels + 1) if 100 * 0.8**level < TENTH), default=bench.levels + 1
    )
    levels = range(1, few) if side == "above" else range(few, bench.levels + 1)
    return Claim(
        f"noisy-loss-{side}-a-tenth-{100 * noise:g}",
        f"At {noise_name(noise)}, the training loss on noisy examples is {change} than the dense network's at every "
        f"level with {'more' if side == 'above' else 'less'} than {TENTH:g} % of the weights.",
        **said("noisy-loss-around-a-tenth", bench.name, "section 4 and Fig. 4", noise),
        region=Among(Direction("less" if side == "above" else "greater")),
        sample=partial(_noisy_losses, bench, noise, levels),
        preconditions=(fits_noise(bench, noise), _goes_to(bench, few)),
        unit="share of levels",
    )


def _noisy_losses(bench: Benchmark, noise: float, levels: range, results: Results) -> Numbers:
    """Loss on noisy examples minus the dense network's, nats, [replicates, levels]."""
    dense = bench.train_values(results, "dense", noise, 0, name="noisy_loss")
    changes = [bench.train_values(results, "pruned", noise, n, name="noisy_loss") - dense for n in levels]
    return np.array(changes).T.reshape(bench.replicates, len(levels))


def _goes_to(bench: Benchmark, level: int) -> Precondition:
    return Precondition(
        f"pruning goes to level {level}", lambda _: float(bench.levels), at_least=level, unit="levels"
    )
