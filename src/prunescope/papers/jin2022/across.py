"""jin2022/across: On how many benchmarks does pruning generalize better than dense, extended and narrower networks?

What the paper counts over its benchmarks.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

import prunescope as ps
from prunescope.papers.jin2022 import PAPERS
from prunescope.papers.jin2022 import settings as sizes
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import MORE, NO_LESS
from prunescope.papers.jin2022.quantities import best_sparse, dense, fits, gain, lacks, optima_inside
from prunescope.papers.jin2022.scales import Count, Name
from prunescope.papers.jin2022.settings import arms
from prunescope.runs.store.results import Failed
from prunescope.studies.judging import unmet

COST = {
    "smoke": "half a minute",
    "laptop": "2 hours on 2 cores for LeNet alone (-s benchmarks=[lenet,resnet20] for more)",
    "paper": "weeks on a GPU",
}
FIGURE = "the counts of sections 4 and 5: 11 of 13, 9 of 13, 4 of 5"

Cell = tuple[Benchmark, float]
"""A benchmark at a noise level: one of the paper's 13 noisy ones, or one of its 5 without noise."""
Gap = Callable[[Benchmark, float], ps.Quantity]
Cells = Mapping[str, Sequence[Cell]]
EXTENDED: Gap = partial(lacks, arm="extended")
WIDTH: Gap = partial(lacks, arm="width")
SPARSE: Gap = lambda bench, noise: dense(bench, noise) - best_sparse(bench, noise)  # noqa: E731


class Settings(ps.Value):
    """What is counted.

    benchmarks: those that are, each at its standard size of the scale.
    replicates: runs of each arm, each with its own seed, of every benchmark.
    """

    benchmarks: Annotated[tuple[Name, ...], Field(min_length=1)] = ("lenet",)
    replicates: Count = 3


THEIRS: tuple[Name, ...] = ("lenet", "resnet20", "vgg16", "resnet32", "resnet50")
"""The paper's benchmarks."""

SCALES = {
    "smoke": Settings(benchmarks=("digits",), replicates=2),
    "laptop": Settings(),
    "paper": Settings(benchmarks=THEIRS),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings.

    Raises UsageError for a benchmark that is named twice, DataError if its data set is not there.
    """
    names = settings.benchmarks
    if len(set(names)) < len(names):
        raise ps.UsageError(f"benchmarks={list(names)} names one twice; write each once")
    benches = [arms(sizes.Settings(benchmark=name, replicates=settings.replicates).size(scale)) for name in names]
    words = f"{scale}: {', '.join(names)}; {settings.replicates} replicates"
    return counted(benches, settings=settings, scale=words)


def counted(benches: Sequence[Benchmark], *, settings: ps.Value, scale: str) -> ps.Study:
    """The study over some benchmarks; settings and scale: as the report is to say them."""
    cells = {
        "clean": [(bench, 0.0) for bench in benches],
        "noisy": [(bench, noise) for bench in benches for noise in bench.noisy()],
        "longer": [(bench, noise) for bench in benches for noise in bench.noisy("extended")],
        "narrower": [(bench, noise) for bench in benches for noise in bench.noises_of("width")],
    }
    return ps.Study(
        *ps.titled(__doc__),
        settings=settings,
        scale=scale,
        paper=PAPERS["jin2022"],
        rule=ps.OneStandardDeviation(),
        figures=(_figure(cells),),
        cautions=tuple(c for bench in benches for c in optima_inside(bench, "pruned", "extended", "width")),
        notes=(
            "The paper counts over 13 noisy benchmarks and 5 without noise. Over fewer, as many in proportion are "
            "asked for, and what is found says little about the others. Benchmarks that cannot be judged are left out.",
        ),
    )


def _claims(cells: Cells) -> Iterator[ps.Claim]:
    count, place = partial(_count, cells), "section 4 and Fig. 3"
    if cells["noisy"]:
        text = "At 11 of 13 noisy benchmarks the optimally sparse network has a lower test error than the dense one."
        yield count("pruning-helps", text, gain, "noisy", ps.Among(MORE, at_least=11, of=13), place)
        text = (
            "At all 13 noisy benchmarks the best sparse network has a lower test error than the dense one, or matches "
            "it."
        )
        every = ps.Among(NO_LESS, at_least=13, of=13)
        yield count("sparse-is-never-worse", text, SPARSE, "noisy", every, place)
    if cells["longer"]:
        text = "At 9 of 13 noisy benchmarks extended dense training errs more than pruning, each at its best."
        most, place = ps.Among(MORE, at_least=9, of=13), "section 5.1 and Fig. 6"
        yield count("extended-is-worse", text, EXTENDED, "longer", most, place)
    most, place = ps.Among(MORE, at_least=4, of=5), "section 5.2 and Fig. 7"
    text = "Without label noise, width down-scaling errs more than pruning, each at its best, on 4 of 5 benchmarks."
    yield count("width-is-worse", text, WIDTH, "clean", most, place)


def _count(cells: Cells, name: str, says: str, gap: Gap, which: str, region: ps.Among, place: str) -> ps.Claim:
    """In how many of the cells that can be judged a gap is as claimed."""
    complete = {bench.name for bench, _ in cells[which]} == set(THEIRS)
    parts = [(gap(*cell), fits(*cell)) for cell in cells[which]]

    def judgeable(results: ps.Results) -> ps.Numbers:
        columns = []
        for quantity, fitted in parts:
            with contextlib.suppress(Failed):
                if not (fitted.blocks and unmet([fitted], results)):
                    columns.append(quantity(results))
        return np.stack(columns, axis=1) if columns else np.empty((0, 0))

    nodes = ps.nodes_of(part for pair in parts for part in (pair[0], pair[1].quantity))
    counted = ps.Quantity("", "share of benchmarks", nodes, judgeable)
    judged = counted.map(lambda columns: columns.shape[1], unit="benchmarks")
    some = ps.Precondition("a benchmark could be judged", judged, at_least=1)
    every = ps.Precondition("each of the benchmarks could be judged", judged, at_least=len(parts), blocks=False)
    after = f"after Jin et al. 2022, {place} (here over the benchmarks of this study, in proportion)"
    return ps.Claim(
        f"{name}-count",
        says,
        counted,
        region,
        basis="paper" if complete else "proposed",
        place=f"Jin et al. 2022, {place}" if complete else after,
        preconditions=(some, every, *(fitted for _, fitted in parts if not fitted.blocks)),
    )


def _figure(cells: Cells) -> ps.Figure:
    series: tuple[tuple[str, Gap, str], ...] = (
        ("dense", gain, "noisy"),
        ("extended dense", EXTENDED, "longer"),
        ("width-scaled", WIDTH, "narrower"),
    )
    x_label, y_label = "label noise, %", "percentage points"
    return ps.Figure(
        "across",
        "Points by which others err more than pruning, each at its best level",
        caption="Test error of the dense network, of extended dense training and of narrower networks minus that of "
        "pruning, over label noise. Above 0 pruning generalizes better.",
        rows=[
            ps.Rows({"panel": bench.name, "series": name, "noise": 100 * noise}, {"behind": gap(bench, noise)})
            for name, gap, which in series
            for bench, noise in cells[which]
        ],
        plot=ps.Lines("noise", "behind", series="series", x_label=x_label, y_label=y_label, share_y=False),
        claims=tuple(_claims(cells)),
    )
