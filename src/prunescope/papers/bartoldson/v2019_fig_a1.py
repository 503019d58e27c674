"""bartoldson2019/figA1: Are normalized activations normal, as scoring filters by their expected activation assumes?

How normal the normalized activations of a network are, before, half way through and after training. Figure B1 of the
2020 paper is the same.
"""

from collections.abc import Mapping

import prunescope as ps
from prunescope.measures import Normality
from prunescope.measures.normality import BINS, EDGE
from prunescope.papers.bartoldson import arms
from prunescope.papers.bartoldson.claims import MORE, Claims, Says
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import VGG11, Size, scales_of

COST = {"smoke": "a minute or less", "laptop": "15 minutes", "paper": "a month"}
FIGURE = "Figure A1"
PLACE = "Bartoldson et al. 2019, Figure A1"
MEASURE = Normality()
MOMENTS: Mapping[str, ps.Moment] = {
    "before training": ps.Moment(when="step", at="0%"),
    "half way": ps.Moment(when="step", at="50%"),
    "after training": ps.Moment(),
}
"""When activations are measured."""
NEAR = ps.Direction("less", than=0.05)
"""Distance that counts as nearly normal; proposed here, the papers give no number."""
Settings = Size
SCALES = scales_of(Size)
"""The networks of the other figures; nothing is measured while they train."""


def histograms(name: str, title: str, size: Size, *ready: ps.Precondition) -> ps.Figure:
    """Densities of the normalized activations of every layer that was measured, a panel each, in forward order.

    ready: what must hold before it is judged whether training takes activations away from the normal distribution.
    """
    runs = arms.treated(VGG11, size, arms.NONE).runs
    readings = {
        when: [ps.Reading(measure=MEASURE, state=ps.StateRef(run=run, moment=moment)) for run in runs]
        for when, moment in MOMENTS.items()
    }
    centres = [-EDGE + (i + 0.5) * 2 * EDGE / BINS for i in range(BINS)]
    density, x_label = "density", "normalized activation"
    return ps.Figure(
        name,
        title,
        caption="Density of what BatchNorm puts into its scale and shift in the last convolutions of VGG11, all "
        "channels of one together. A standard normal would peak at 0.40.",
        rows=[
            ps.Rows(
                {"panel": f"layer {layer + 1} of the last {MEASURE.layers}", "when": when},
                {density: ps.arrays(measured, f"histogram.{layer}")},
                {"activation": centres},
            )
            for layer in range(MEASURE.layers)
            for when, measured in readings.items()
        ],
        plot=ps.Lines("activation", density, series="when", x_label=x_label, y_label=density, marks="none"),
        claims=tuple(_claims(readings, ready)),
    )


def _claims(readings: Mapping[str, list[ps.Reading]], ready: tuple[ps.Precondition, ...]) -> Claims:
    unit = "mean Kolmogorov-Smirnov distance over the last eight layers"
    before, _, after = (
        ps.column(measured, "mean_distance", label=when.split()[0], unit=unit) for when, measured in readings.items()
    )
    what = f"Before training, normalized activations are nearly standard normal: at a distance below {NEAR.than:g}."
    early = Says(f'{PLACE} ("reasonable early on"), of a VGG19; the number is proposed here')
    yield early("normal-before-training", what, before, NEAR)
    what = "Normalized activations are further from a standard normal after training than before."
    late = Says(f'{PLACE} ("degrades with training"), of a VGG19')
    yield late("normality-degrades", what, after - before, MORE, needs=ready)


def _figures(size: Size) -> Figures:
    yield histograms("figa1", "Figure A1: normalized activations by layer", size)


build = builder(__doc__, _figures, "Of VGG11 trained here; the paper shows a VGG19, without numbers.")
