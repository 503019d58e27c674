"""yang2023/phase-diagram: Where do randomly pruned networks learn signal, and where do they memorize noise?

Test error over keep probability and noise, and over keep probability and width, as maps.
"""

from collections.abc import Mapping

import numpy as np
from pydantic import Field

import prunescope as ps
from prunescope.papers.yang2023.quantities import KEPT, Networks, study, sweep
from prunescope.papers.yang2023.scales import TINY, Count, Keep, Setting
from prunescope.studies import Contour
from prunescope.studies.figure import with_gaps

COST = {"smoke": "3 seconds", "laptop": "4 minutes", "paper": "1 to 2 hours"}
AGREEMENT = 80.0
"""Balanced accuracy, percent, from which the predictors are said to place networks (proposed); 50 is a constant's."""


class Settings(ps.Value):
    """What is mapped.

    setting: network, data and training; the map over noises has its width, the one over widths its noise.
    keeps: shares of the weights that remain, one axis of both maps.
    noises: standard deviations of a noise coordinate, the other axis of the first.
    widths: neurons a class, the other axis of the second.
    replicates: runs of each cell, each with its own seed.
    """

    setting: Setting = Setting(most_steps=4000)
    keeps: tuple[Keep, ...] = Field(min_length=2)
    noises: tuple[float, ...] = Field(min_length=2)
    widths: tuple[int, ...] = Field(min_length=2)
    replicates: Count


def spaced(least: float, most: float, count: int) -> tuple[float, ...]:
    """Numbers in equal ratios, rounded to three digits."""
    return tuple(float(f"{value:.3g}") for value in np.geomspace(least, most, count))


SCALES = {
    "smoke": Settings(
        setting=TINY.replace(most_steps=200), keeps=(1.0, 0.3), noises=(0.1, 0.5), widths=(4, 8), replicates=2
    ),
    "laptop": Settings(
        keeps=spaced(0.02, 1, 8), noises=spaced(0.05, 0.5, 8), widths=(5, 8, 12, 20, 32, 50, 80, 125), replicates=3
    ),
    "paper": Settings(
        keeps=spaced(0.01, 1, 20),
        noises=spaced(0.05, 0.5, 20),
        widths=tuple(round(width) for width in spaced(4, 160, 20)),
        replicates=10,
    ),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    base, most = settings.setting, settings.setting.most_steps
    over_noise = {noise: base.replace(noise=noise) for noise in settings.noises}
    over_width = {float(width): base.replace(width=width) for width in settings.widths}
    size = f"{len(settings.keeps)} keep probabilities by {len(settings.noises)} noise levels and {len(settings.widths)}"
    return study(
        __doc__,
        settings,
        f"{scale}: {size} widths, {settings.replicates} replicates a cell, at most {most} steps a run",
        (
            map_figure("noise", "standard deviation of the noise", over_noise, settings),
            map_figure("width", "neurons a class", over_width, settings),
        ),
        "Both predictors are derived here from recalled theory. They bound the region of good test error from two "
        "sides: to the left of the solid line memorization wins the race, to the right of the dashed one most classes "
        "have no usable neuron.",
        f"A run takes at most {most} steps. At the reference setting, networks that keep 1 % of their weights need "
        "about 9,000 on average, so some sparse cells are empty because the runs are unfinished, not because they "
        "cannot be trained; the claims are about the networks that are trained.",
    )


def map_figure(axis: str, label: str, values: Mapping[float, Setting], settings: Settings) -> ps.Figure:
    """Test error over the keep probability and one other quantity, against the two predictors."""
    cells = [
        (value, networks)
        for value, setting in values.items()
        for networks in sweep(setting, settings.keeps, settings.replicates).values()
    ]
    says = (
        f"Over keep probability and {axis}, the signal race and the dead classes say of more than {AGREEMENT:g} % of "
        "the trained networks on which side of half the error of guessing they are, counting both sides alike."
    )
    agrees, often = agreement([networks for _, networks in cells]), ps.Direction("greater", than=AGREEMENT)
    place = "predictors derived here; the share is proposed"
    return ps.Figure(
        axis,
        f"Test error over keep probability and {axis}",
        caption="Median test error of the trained replicates of a cell; a cell in which fewer than half of them reach "
        "the target loss is empty. Lines: where signal and memorization are level in the race, and where half of the "
        "classes have no usable signal neuron. One recipe a row is listed; the others of the row differ in keep and "
        "seeds.",
        rows=[cell(axis, value, networks) for value, networks in cells],
        plot=ps.Map(
            "keep",
            axis,
            "test_error",
            low=0.0,
            high=100 * settings.setting.chance,
            x_label=KEPT,
            y_label=label,
            value_label="test error, %",
            log_x=True,
            log_y=True,
            reverse_x=True,
            contours=(Contour("log_race", 0.0, "signal race = 1"), Contour("death", 0.5, "half of the classes dead")),
        ),
        claims=(ps.Claim(f"predicted-over-{axis}", says, agrees, often, place=place),),
    )


def cell(axis: str, value: float, networks: Networks) -> ps.Rows:
    """The networks of a cell, with the two predictors."""
    setting, keep = networks.setting, networks.keep
    predictors = {"log_race": float(np.log(setting.race(keep))), "death": setting.death(keep)}
    errors = networks.error()
    columns = {"trained": networks.trained, "error": errors, "test_error": errors.map(if_most_are_trained)}
    return ps.Rows({axis: value, "keep": 100 * keep, **predictors}, columns)


def if_most_are_trained(errors: ps.Numbers) -> ps.Numbers:
    """The errors of a cell, none where fewer than half of its networks are trained."""
    return errors if 2 * np.isfinite(errors).sum() >= len(errors) else np.full(len(errors), np.nan)


def agreement(cells: list[Networks]) -> ps.Quantity:
    """Balanced accuracy of the predictors on a replicate's trained networks, percent, [replicates with both kinds].

    The mean of the shares that are placed right among those that err on at most half of guessing, and among the rest.
    Networks that were not run count as little as those that missed their target.
    """
    errors = [networks.error() for networks in cells]
    half = [50 * networks.setting.chance for networks in cells]
    expected = np.array([expected_to_generalize(networks) for networks in cells])

    def balanced(results: ps.Results) -> list[float]:
        shares = []
        for row in np.array([with_gaps(each, results) for each in errors]).T:
            kinds = [(expected == kind)[np.isfinite(row) & ((row <= half) == kind)] for kind in (False, True)]
            if all(len(kind) for kind in kinds):
                shares.append(100 * float(np.mean([kind.mean() for kind in kinds])))
        return shares

    return ps.Quantity("", "% balanced accuracy among trained networks", ps.nodes_of(errors), balanced)


def expected_to_generalize(networks: Networks) -> bool:
    """Whether signal is ahead of memorization and a class more likely alive than dead."""
    setting, keep = networks.setting, networks.keep
    return setting.race(keep) >= 1 and setting.death(keep) <= 0.5
