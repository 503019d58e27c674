"""The measures of flatness that the 2020 paper takes of its VGG11 runs, and those that belong beside them.

Belongs here: which measures, on which images, and how many at each scale. Does not belong here: the measures
(`measures/`), figures.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from prunescope.measures import (
    AdaptiveSharpness,
    GradientTrace,
    HessianSpectrum,
    HessianTrace,
    LossAlongEigenvectors,
    Measure,
    Sample,
)
from prunescope.papers.bartoldson.sizes import FlatnessSize
from prunescope.papers.bartoldson2020 import setting
from prunescope.studies.results import Numbers

TRACE_H, TRACE_C = "Tr(H)", "Tr(C)"
TOP, EPSILON, SHARPNESS = "sum of top eigenvalues", "epsilon", "adaptive sharpness"
ABOVE, RESIDUAL = "sum of eigenvalues above .006 of the largest", "largest residual of an eigenvalue"
POWER, POWER_RESIDUAL = "sum of top eigenvalues, power method", "largest residual, power method"
REACHED, TIC = "epsilon reached", "Tr(C) / Tr(H)"
RISE, NEAR = "mean rise along eigenvectors", 0.13
"""The rise of the loss at all steps e of Figure E4, which shows |e| < NEAR."""
SHARE, POWER_SHARE = "top eigenvalues / Tr(H)", "top eigenvalues, power method / Tr(H)"
Measures = Mapping[str, tuple[Measure, str]]
"""A measure and the value of it that is meant, by the name that figures give it."""
SCALES: Mapping[str, FlatnessSize] = MappingProxyType(
    {
        "smoke": FlatnessSize(**setting.SMOKE.model_dump(), flat_images=10, flat_steps=2),
        "laptop": FlatnessSize(**setting.LAPTOP.model_dump(), flat_images=256),
        "paper": FlatnessSize(),
    }
)


def sample(size: FlatnessSize) -> Sample:
    """The first test images, in evaluation mode.

    Source: Bartoldson et al. 2020, the authors' code (512).
    """
    return Sample(split="test", examples=size.flat_images)


def main(size: FlatnessSize) -> Measures:
    """Tr(H), exact, and Tr(C): Figure 6; and adaptive sharpness, which the scale of the weights cannot change.

    Differs from the source: its Tr(H) is the sum of 100 eigenvalues, which `further` has.
    """
    images = sample(size)
    return {
        TRACE_H: (HessianTrace(sample=images), "trace"),
        TRACE_C: (GradientTrace(sample=images), "trace"),
        SHARPNESS: (AdaptiveSharpness(sample=images, steps=size.flat_steps, draws=size.flat_steps), "worst"),
    }


def further(
    size: FlatnessSize, *, eigenvalues: int, directions: int, step: float, tolerance: float, power: bool
) -> Measures:
    """The spectrum and epsilon: Appendix E.

    eigenvalues: how many; directions: eigenvectors walked along, in steps of `step`; tolerance: of both; power:
    whether the authors' power method is taken too.
    """
    images = sample(size)
    losses = Sample(split="test", examples="all" if size.test_limit == "all" else size.test_limit)
    along = LossAlongEigenvectors(
        sample=images, count=directions, losses=losses, step=step, tolerance=tolerance
    )
    spectrum = HessianSpectrum(sample=images, count=eigenvalues, tolerance=tolerance)
    theirs = HessianSpectrum(sample=images, count=eigenvalues, method="power")
    return {
        TOP: (spectrum, "sum"),
        ABOVE: (spectrum, "sum_above"),
        RESIDUAL: (spectrum, "largest_residual"),
        EPSILON: (along, "epsilon"),
        REACHED: (along, "reached"),
        **({POWER: (theirs, "sum"), POWER_RESIDUAL: (theirs, "largest_residual")} if power else {}),
    }


def rise(readings: Sequence[Mapping[str, Numbers]]) -> dict[str, float]:
    """Mean rise of the loss over eigenvectors and over steps 0 < |e| < `NEAR` along them, nats, for `Combined`.

    readings: one of `LossAlongEigenvectors`. NaN if its steps are larger than that.
    """
    (found,) = readings
    steps = np.abs(np.asarray(found["steps"]))
    near = (steps > 0) & (steps < NEAR)
    curves = [np.asarray(curve)[near] for name, curve in found.items() if name.startswith("increase.")]
    return {"rise": float(np.mean(curves)) if near.any() else float("nan")}


def share(readings: Sequence[Mapping[str, Numbers]]) -> dict[str, float]:
    """The sum of the top eigenvalues over Tr(H), for `Combined`: how much of the trace the authors' number is.

    readings: of `HessianSpectrum`, then of `HessianTrace`, on the same sample. Above 1 where eigenvalues that were left
    out add up to less than 0; NaN where Tr(H) is not positive.
    """
    spectrum, trace = readings
    whole = float(trace["trace"])
    return {"share": float(spectrum["sum"]) / whole if whole > 0 else float("nan")}
