"""jin2022/across: what the paper counts over its benchmarks."""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.papers.jin2022 import sizes, statements
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.benchmarks import Name
from prunescope.papers.jin2022.sizes import PAPER, Count, arms
from prunescope.papers.jin2022.statements import POINTS, fits_clean, fits_noise
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines
from prunescope.studies.region import Among, Direction
from prunescope.studies.results import Results
from prunescope.studies.study import Study

Cell = tuple[Benchmark, float]
"""A benchmark at a noise level: one of the paper's 13 noisy ones, or one of its 5 without noise."""


class Settings(Value):
    """Which benchmarks are counted, each at its standard size of the scale, with equally many replicates."""

    benchmarks: Annotated[tuple[Name, ...], Field(min_length=1)] = ("lenet",)
    replicates: Count = 3


THEIRS: tuple[Name, ...] = ("lenet", "resnet20", "vgg16", "resnet32", "resnet50")
"""The paper's benchmarks."""

SCALES = {
    "smoke": Settings(benchmarks=("digits",), replicates=2),
    "laptop": Settings(),
    "paper": Settings(benchmarks=THEIRS),
}
BETTER, NO_WORSE = Direction("greater"), Direction("greater", or_matches=True)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings.

    Raises UsageError for a benchmark that is named twice, DataError if its data set is not there.
    """
    names = settings.benchmarks
    if len(set(names)) < len(names):
        raise UsageError(f"benchmarks={list(names)} names one twice; write each once")
    benches = [
        arms(sizes.Settings(benchmark=name, replicates=settings.replicates).size(scale)) for name in names
    ]
    words = f"{scale}: {', '.join(names)}; {settings.replicates} replicates"
    return counted(benches, settings=settings, scale=words)


def counted(benches: Sequence[Benchmark], *, settings: Value, scale: str) -> Study:
    """The study over some benchmarks; settings and scale: as the report is to say them."""
    clean = [(bench, 0.0) for bench in benches]
    noisy = [(bench, noise) for bench in benches for noise in statements.noisy(bench)]
    longer = [(bench, noise) for bench, noise in noisy if bench.depth("extended", noise)]
    counts = (
        ("pruning-helps-count", HELPS, "section 4 and Fig. 3", _helps, noisy, BETTER, 11),
        ("sparse-is-never-worse-count", MATCHES, "section 4 and Fig. 3", _sparse_helps, noisy, NO_WORSE, 13),
        ("extended-is-worse-count", LONGER, "section 5.1 and Fig. 6", _behind("extended"), longer, BETTER, 9),
        ("width-is-worse-count", WIDTH, "section 5.2 and Fig. 7", _behind("width"), clean, BETTER, 4),
    )
    claims = [_count(*count) for count in counts if count[4]]
    return Study(
        "jin2022/across",
        "On how many benchmarks does pruning generalize better than dense, extended and narrower networks?",
        settings=settings,
        scale=scale,
        paper=PAPER,
        nodes=list(dict.fromkeys(node for bench in benches for node in bench.nodes)),
        figures=(_figure(noisy, longer, clean),),
        claims=tuple(claims),
        cautions=tuple(
            caution for bench in benches for caution in statements.optima_inside(bench, *bench.arms)
        ),
        notes=(
            "The paper counts over 13 noisy benchmarks and 5 without noise. Over fewer, as many in proportion are "
            "asked for, and what is found says little about the others.",
        ),
    )


HELPS = "At 11 of 13 noisy benchmarks the optimally sparse network has a lower test error than the dense one."
MATCHES = "At all 13 noisy benchmarks the best sparse network has a lower test error than the dense one, or matches it."
LONGER = "At 9 of 13 noisy benchmarks extended dense training errs more than pruning, each at its best."
WIDTH = (
    "Without label noise, width down-scaling errs more than pruning, each at its best, on 4 of 5 benchmarks."
)


def _helps(cell: Cell, results: Results) -> Numbers:
    bench, noise = cell
    return statements.gain(bench, results, noise)


def _sparse_helps(cell: Cell, results: Results) -> Numbers:
    bench, noise = cell
    return statements.gain_of_sparse(bench, results, noise)


def _behind(arm: Arm) -> Callable[[Cell, Results], Numbers]:
    """By how many points an arm errs more than pruning, each at its best."""

    def measure(cell: Cell, results: Results) -> Numbers:
        bench, noise = cell
        return np.asarray(bench.at_best(results, arm, noise) - bench.at_best(results, "pruned", noise))

    return measure


def _count(
    name: str,
    says: str,
    place: str,
    measure: Callable[[Cell, Results], Numbers],
    cells: Sequence[Cell],
    region: Direction,
    at_least: int,
) -> Claim:
    """In how many cells a number is as claimed, of the paper's 13 with label noise or 5 without."""
    theirs = {bench.name for bench, _ in cells} == set(THEIRS)
    return Claim(
        name,
        says,
        basis="paper" if theirs else "proposed",
        place=f"Jin et al. 2022, {place}"
        if theirs
        else f"after Jin et al. 2022, {place} (here over the benchmarks of this study, in proportion)",
        region=Among(region, at_least=at_least, of=13 if cells[0][1] else 5),
        sample=lambda r: np.stack([measure(cell, r) for cell in cells], axis=1),
        preconditions=tuple(_fits(*cell) for cell in cells),
        unit="share of benchmarks",
    )


def _fits(bench: Benchmark, noise: float) -> Precondition:
    return fits_noise(bench, noise) if noise else fits_clean(bench)


def _figure(noisy: Sequence[Cell], longer: Sequence[Cell], clean: Sequence[Cell]) -> Figure:
    narrower = [cell for cell in (*clean, *noisy) if cell[0].depth("width", cell[1])]
    series = {
        "dense": (noisy, _helps),
        "extended dense": (longer, _behind("extended")),
        "width-scaled": (narrower, _behind("width")),
    }

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "panel": cell[0].name,
                "series": name,
                "noise": 100 * cell[1],
                "replicate": number,
                "behind": float(gap),
            }
            for name, (cells, measure) in series.items()
            for cell in cells
            for number, gap in enumerate(measure(cell, results))
        ]

    return Figure(
        "across",
        "Points by which others err more than pruning, each at its best level",
        caption="Test error of the dense network, of extended dense training and of narrower networks minus that of "
        "pruning, over label noise. Above 0 pruning generalizes better.",
        table=table,
        plot=Lines(
            "noise", "behind", series="series", x_label="label noise, %", y_label=POINTS, share_y=False
        ),
        lineage={
            f"{bench.name}, {noise_name(noise)}": [p.recipe for p in bench.points if p.noise == noise]
            for bench, noise in (*clean, *noisy)
        },
    )
