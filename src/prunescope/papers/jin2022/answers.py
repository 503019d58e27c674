"""jin2022/answers: Does a pruned network know when it is right, and does it answer otherwise than another seed would?

Calibration, answers lost and won, and pruning-identified exemplars (Hooker et al. 2019) of the networks of
jin2022/column; beside them what another seed of the dense network does.
"""

import numpy as np
import torch

import prunescope as ps
from prunescope.base.streams import stream
from prunescope.measures import Outputs
from prunescope.measures.answers import Answers, exemplars
from prunescope.measures.measure import Values
from prunescope.papers.jin2022.arms import LABELS, Arm, Benchmark
from prunescope.papers.jin2022.figures import ALL, level_rows, over_sparsity
from prunescope.papers.jin2022.quantities import OfNetwork, remaining
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.readings import at_end, noise_name

__all__ = ["SCALES", "Settings", "build"]

COST = {"smoke": "half a minute or less", "laptop": "2 hours", "paper": "4 hours"}
FIGURE = "not in the paper"
SEED = "another seed"
SETS = 200
"""Random halves of the replicates."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    figures = [
        _over_levels(
            bench,
            "calibration",
            "Calibration",
            "Root mean square difference between confidence and accuracy on the test set, over bins of equally many "
            "examples, debiased. Never to be read alone: a network that is often wrong and knows it has little.",
            "calibration error, %",
            calibration,
        ),
        _over_levels(
            bench,
            "changed",
            "Answers changed",
            "Test examples whose predicted class is another one than that of the dense network of the same replicate; "
            "dashed: that of another replicate's dense network.",
            "other answer, %",
            changed,
            seed=True,
        ),
        *([_exemplars(bench)] if bench.replicates > 1 else []),
    ]
    return study(__doc__, size, scale, *figures)


def outputs(bench: Benchmark, arm: Arm, noise: float, level: int) -> list[ps.Reading]:
    """What every replicate of a network answers to the test examples."""
    return [at_end(point.recipe, Outputs()) for point in bench.row(arm, noise, level)]


def calibration(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """Root mean square calibration error on the test set, percent."""
    return ps.each(lambda found: 100 * _read(found).calibration, outputs(bench, arm, noise, level), unit="%")


def changed(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """Test examples with another answer than that of the dense network of the same replicate, percent."""
    return ps.each(_apart, outputs(bench, "dense", noise, 0), outputs(bench, arm, noise, level), unit="%")


def _apart(one: Values, other: Values) -> float:
    return 100 * float((_read(one).prediction != _read(other).prediction).mean())


def _read(found: Values) -> Answers:
    return Answers(found["log_probability"], found["label"])


def _over_levels(
    bench: Benchmark, name: str, title: str, caption: str, y: str, of: OfNetwork, *, seed: bool = False
) -> ps.Figure:
    rows: list[ps.Rows | ps.Computed] = []
    for noise in bench.noises:
        panel = {"panel": noise_name(noise)}
        arms = [arm for arm in ALL if noise in bench.noises_of(arm)]
        rows += [level_rows(bench, arm, noise, panel | {"arm": LABELS[arm]}, **{y: of}) for arm in arms]
        if seed and bench.replicates > 1:
            dense, x = outputs(bench, "dense", noise, 0), remaining(bench, "dense", noise, 0)
            next_one = ps.each(_apart, dense, [*dense[1:], dense[0]], unit="%")
            rows.append(ps.Rows(panel | {"arm": SEED}, {"weights_remaining": x, y: next_one}))
    plot = over_sparsity(y, references=(SEED,))
    return ps.Figure(name, title, caption=caption, rows=rows, plot=plot)


def flagged(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """Test examples whose most frequent answer differs between dense networks and those of an arm, percent, [1].

    The mean over random halves of the replicates, of which one gives the dense networks and the other those of the arm:
    a network and the one that it was made of share their seed.
    """
    dense, others = outputs(bench, "dense", noise, 0), outputs(bench, arm, noise, level)

    def share(results: ps.Results) -> list[float]:
        before, after = (np.array([_read(results[node]).prediction for node in nodes]) for nodes in (dense, others))
        draws, size = stream(0, "exemplars", noise_name(noise)), len(before) // 2
        halves = [torch.randperm(len(before), generator=draws).numpy() for _ in range(SETS)]
        found = [exemplars(before[order[:size]], after[order[size : 2 * size]]).mean() for order in halves]
        return [100 * float(np.mean(found))]

    return ps.Quantity("", "%", (*dense, *others), share)


def _exemplars(bench: Benchmark) -> ps.Figure:
    rows, y = list[ps.Rows](), "exemplars, %"
    for noise in bench.noises:
        cells = [(arm, level) for arm in ALL if noise in bench.noises_of(arm) for level in bench.levels_of(arm, noise)]
        for name, arm, level in [*((LABELS[arm], arm, level) for arm, level in cells if level), (SEED, "dense", 0)]:
            x = remaining(bench, arm, noise, level).map(lambda values: [values.mean()])
            labels = {"panel": noise_name(noise), "arm": name}
            rows.append(ps.Rows(labels, {"weights_remaining": x, y: flagged(bench, arm, noise, level)}))
    return ps.Figure(
        "exemplars",
        "Pruning-identified exemplars",
        caption="Test examples whose most frequent answer differs between networks of an arm and dense networks, mean "
        "over random halves of the replicates, one of each kind; dashed: between two such sets of dense networks.",
        rows=rows,
        plot=over_sparsity(y, references=(SEED,)),
    )
