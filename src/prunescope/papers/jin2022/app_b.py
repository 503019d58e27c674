"""jin2022/appB: Does the ranking of training examples by EL2N depend on the epoch at which it is taken?"""

from dataclasses import replace
from itertools import combinations

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022.figures import noise_figure
from prunescope.papers.jin2022.quantities import rank_agreement
from prunescope.papers.jin2022.scales import Size, column_of
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import Subgroups, subgroups

COST = {"smoke": "half a minute or less", "laptop": "10 minutes", "paper": "10 minutes"}
FIGURE = "Appendix B.3"
AGREEMENT = 0.8
"""Rank correlation from which scores count as the same; proposed."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings. Raises UsageError for another score than EL2N."""
    if settings.score != "el2n":
        raise ps.UsageError(f"score={settings.score!r}: this study is about EL2N; leave score out")
    size, bench = at(settings, scale)
    agreements = {noise: _agreements(subgroups(bench, size), size, noise) for noise in bench.noises}
    half, _, twice = agreements[0.0].values()
    lower = ps.combined(np.minimum, half, twice, label="the lower of two", unit="rank correlation")
    text = (
        f"Without label noise, EL2N at half and at twice the epoch used have a rank correlation above {AGREEMENT:g} "
        "with that at the epoch used."
    )
    region = ps.CorrelationDirection("greater", than=AGREEMENT, ranked=bench.base.train_examples)
    place = "proposed here: the paper's epoch is not known"
    figure = noise_figure(
        "app-b",
        "Agreement of EL2N scores taken at different epochs",
        "Spearman's rank correlation over all training examples between EL2N scores, each the mean over an ensemble, "
        "taken after different numbers of epochs.",
        [(pair, noise, values) for noise, by_pair in agreements.items() for pair, values in by_pair.items()],
        series="pair",
        y="rank_correlation",
        y_label="rank correlation",
        claims=[ps.Claim("scores-agree", text, lower, region, place=place)],
    )
    return study(__doc__, size, scale, figure)


def _agreements(usual: Subgroups, size: Size, noise: float) -> dict[str, ps.Quantity]:
    """Rank correlations of scores at half, once and twice the usual epoch, by pair of epochs."""
    opening, scores = column_of(size.benchmark, size, size.epochs).opening(size.epochs), {}
    for factor in (0.5, 1.0, 2.0):
        epoch = f"{float(usual.early.removesuffix('ep')) * factor:g}"
        scores[epoch] = replace(usual, early=f"{epoch}ep", opening=opening).score_values(noise)
    return {
        f"epoch {first} and {second}": rank_agreement(scores[first], scores[second], over="training examples")
        for first, second in combinations(scores, 2)
    }
