"""The measures of flatness of Figure 6, which appendix E and your own network have too, and a figure of their parts."""

from collections.abc import Iterator, Mapping
from typing import Any

import prunescope as ps
from prunescope.measures import AdaptiveSharpness, GradientTrace, HessianTrace, Sample
from prunescope.papers.bartoldson import figures
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.quantities import Measured
from prunescope.papers.bartoldson.scales import FlatnessSize

TRACE_H, TRACE_C, SHARPNESS = "Tr(H)", "Tr(C)", "adaptive sharpness"


def main(size: FlatnessSize) -> dict[str, Measured]:
    """Tr(H), exact, and Tr(C); and adaptive sharpness, which the scale of the weights cannot change.

    On the first test images, in evaluation mode; 512 of them in the authors' code.

    Differs from the source: its Tr(H) is the sum of 100 eigenvalues, which appendix E has.
    """
    images, steps = Sample(split="test", examples=size.flat_images), size.flat_steps
    return {
        TRACE_H: Measured("trace", (HessianTrace(sample=images),)),
        TRACE_C: Measured("trace", (GradientTrace(sample=images),)),
        SHARPNESS: Measured("worst", (AdaptiveSharpness(sample=images, steps=steps, draws=steps),)),
    }


def by_layer(name: str, title: str, runs: Comparison, measure: str) -> ps.Figure:
    """The part of every parameter in a trace, in the order of the network."""

    def parts(trace: Mapping[str, Any]) -> Iterator[ps.Row]:
        for place, part in enumerate(name for name in trace if name.startswith("trace.")):
            yield {"parameter": part.removeprefix("trace."), "place": float(place), "part": float(trace[part])}

    return ps.Figure(
        name,
        title,
        caption="Parts of the trace by parameter, in the order of the network; their names are in the table.",
        rows=[figures.of_each({"arm": arm}, runs.readings(arm, measure)[0], parts) for arm in runs.names],
        plot=figures.over_runs("place", "part", "parameter, in the order of the network", measure),
    )


def names_of(value: ps.Quantity) -> ps.Quantity:
    """What every run of an arm is called, "no pruning, 0": [R]."""
    return value.map(lambda values: [f"{value.label}, {number}" for number in range(len(values))])
