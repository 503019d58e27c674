"""How normal the normalized activations of runs are, at moments of their training.

Belongs here: readings, the histogram and the claims that both papers make. Does not belong here: the measure.
"""

from collections.abc import Mapping
from types import MappingProxyType

from prunescope.base.reference import Moment, StateRef
from prunescope.measures import Normality
from prunescope.measures.normality import BINS, EDGE
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Table
from prunescope.studies.region import Direction
from prunescope.studies.results import Results, column

PARTS: Mapping[str, float] = MappingProxyType(
    {"before training": 0.0, "half way": 0.5, "after training": 1.0}
)
"""When it is looked at, as a part of training."""
Looks = Mapping[str, list[Reading]]
"""Readings of the replicates, by when."""
NEAR = 0.05
"""Distance that counts as nearly normal; proposed here, the papers give no number."""
PLACE = "Bartoldson et al. 2019, Figure A1"


def normality(run: Recipe, part: float) -> Reading:
    """Normality after a part of a run's training."""
    moment = Moment() if part == 1.0 else Moment(when="step", at=f"{100 * part:g}%")
    return Reading(measure=Normality(), state=StateRef(run=run, moment=moment))


def starts(looks: Looks) -> Claim:
    """Before training activations are nearly normal."""
    first, *_ = looks.values()
    return Claim(
        "normal-before-training",
        f"Before training, normalized activations are nearly standard normal: at a distance below {NEAR:g}.",
        basis="paper",
        place=f'{PLACE} ("reasonable early on"), of a VGG19; the number is proposed here',
        region=Direction("less", than=NEAR),
        sample=lambda r: column(r, first, name="mean_distance"),
        unit="mean Kolmogorov-Smirnov distance over the last eight layers",
    )


def degrades(looks: Looks, *preconditions: Precondition) -> Claim:
    """Training takes activations away from the normal distribution."""
    first, *_, last = looks.values()
    return Claim(
        "normality-degrades",
        "Normalized activations are further from a standard normal after training than before.",
        basis="paper",
        place=f'{PLACE} ("degrades with training"), of a VGG19',
        region=Direction("greater"),
        sample=lambda r: column(r, last, name="mean_distance") - column(r, first, name="mean_distance"),
        preconditions=preconditions,
        unit="mean Kolmogorov-Smirnov distance over the last eight layers, after minus before",
    )


def histograms(looks: Looks, runs: tuple[Recipe, ...], *, name: str, title: str) -> Figure:
    """Densities of the normalized activations of every layer that was looked at, a panel each, in forward order."""

    def table(results: Results) -> Table:
        centres = [-EDGE + (i + 0.5) * 2 * EDGE / BINS for i in range(BINS)]
        found = {
            (when, number): results[look]
            for when, readings in looks.items()
            for number, look in enumerate(readings)
        }
        layers = len(next(iter(found.values()))["distance"])
        return [
            {"panel": f"layer {layer + 1} of the last {layers}", "when": when, "replicate": number}
            | {"activation": x, "density": float(y)}
            for layer in range(layers)
            for (when, number), seen in found.items()
            for x, y in zip(centres, seen[f"histogram.{layer}"], strict=True)
        ]

    return Figure(
        name,
        title,
        caption="Density of what BatchNorm puts into its scale and shift in the last convolutions of VGG11, all "
        "channels of one together. A standard normal would peak at 0.40.",
        table=table,
        plot=Lines(
            "activation",
            "density",
            series="when",
            x_label="normalized activation",
            y_label="density",
            marks="none",
        ),
        lineage={when: list(runs) for when in looks},
    )
