"""jin2022/appB: do EL2N scores depend on when they are taken."""

from dataclasses import replace
from itertools import combinations

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.papers.jin2022.benchmarks import COLUMNS
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, Size, arms, notes, words
from prunescope.papers.jin2022.subgroups import Subgroups, subgroups
from prunescope.studies import statistics
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

AGREEMENT = 0.8
"""Rank correlation from which scores count as the same; proposed."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings. Raises UsageError for another score than EL2N."""
    size = settings.size(scale)
    if size.score != "el2n":
        raise UsageError(f"score={size.score!r}: this study is about EL2N; leave score out")
    bench = arms(size)
    timings = _timings(size, subgroups(bench, size))
    scores = [
        sub.scores(noise, number)
        for noise in bench.noises
        for number in range(bench.replicates)
        for sub in timings.values()
    ]
    return Study(
        "jin2022/appB",
        "Does the ranking of training examples by EL2N depend on the epoch at which it is taken?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=scores,
        figures=(_figure(bench.noises, bench.replicates, timings),),
        claims=(
            Claim(
                "scores-agree",
                f"Without label noise, EL2N at half and at twice the epoch used have a rank correlation above "
                f"{AGREEMENT:g} with that at the epoch used.",
                basis="proposed",
                place="proposed here: the paper's epoch is not known",
                region=Direction("greater", than=AGREEMENT),
                sample=lambda r: [
                    min(_agreement(r, timings, 0.0, number, pair) for pair in ((0, 1), (1, 2)))
                    for number in range(bench.replicates)
                ],
                unit="rank correlation (the lower of two)",
            ),
        ),
    )


def _timings(size: Size, usual: Subgroups) -> dict[float, Subgroups]:
    """The same groups from scores at half, once and twice the usual epoch, by epoch."""
    usual_epoch = float(usual.early.removesuffix("ep"))
    epochs = [usual_epoch * factor for factor in (0.5, 1.0, 2.0)]
    column = COLUMNS[size.benchmark]
    return {
        epoch: replace(usual, early=f"{epoch:g}ep", opening=column.opening(size.epochs)) for epoch in epochs
    }


def _agreement(
    results: Results, timings: dict[float, Subgroups], noise: float, number: int, pair: tuple[int, int]
) -> float:
    """The rank correlation of two timings' scores of a replicate."""
    chosen = [list(timings.values())[place] for place in pair]
    first, second = (sub.score_values(results, noise, number) for sub in chosen)
    return statistics.rank_correlation(first, second)


def _figure(noises: tuple[float, ...], replicates: int, timings: dict[float, Subgroups]) -> Figure:
    epochs: Numbers = np.array(list(timings))

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "pair": f"epoch {epochs[a]:g} and {epochs[b]:g}",
                "replicate": number,
                "noise": 100 * noise,
                "rank_correlation": _agreement(results, timings, noise, number, (a, b)),
            }
            for noise in noises
            for number in range(replicates)
            for a, b in combinations(range(len(epochs)), 2)
        ]

    return Figure(
        "app-b",
        "Agreement of EL2N scores taken at different epochs",
        caption="Spearman's rank correlation over all training examples between EL2N scores, each the mean over an "
        "ensemble, taken after different numbers of epochs.",
        table=table,
        plot=Lines(
            "noise",
            "rank_correlation",
            series="pair",
            x_label="label noise, %",
            y_label="rank correlation",
        ),
    )
