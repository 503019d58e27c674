"""The measures of flatness that the 2020 paper takes of its VGG11 runs, and those that belong beside them.

Figure 6 and appendix E share them, and `yours.py` has those that any network permits.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.measures import (
    AdaptiveSharpness,
    GradientTrace,
    HessianSpectrum,
    HessianTrace,
    LossAlongEigenvectors,
    Sample,
)
from prunescope.measures.tic import tic
from prunescope.papers.bartoldson.quantities import Measured
from prunescope.papers.bartoldson.scales import FlatnessSize

TRACE_H, TRACE_C = "Tr(H)", "Tr(C)"
TOP, EPSILON, SHARPNESS = "sum of top eigenvalues", "epsilon", "adaptive sharpness"
ABOVE, RESIDUAL = "sum of eigenvalues above .006 of the largest", "largest residual of an eigenvalue"
POWER, POWER_RESIDUAL = "sum of top eigenvalues, power method", "largest residual, power method"
REACHED, TIC = "epsilon reached", "Tr(C) / Tr(H)"
RISE, NEAR = "mean rise along eigenvectors", 0.13
"""The rise of the loss at all steps e of Figure E4, which shows |e| < NEAR."""
SHARE, POWER_SHARE = "top eigenvalues / Tr(H)", "top eigenvalues, power method / Tr(H)"
Values = Mapping[str, NDArray[Any]]


def main(size: FlatnessSize) -> dict[str, Measured]:
    """Tr(H), exact, and Tr(C): Figure 6; and adaptive sharpness, which the scale of the weights cannot change.

    On the first test images, in evaluation mode; 512 of them in the authors' code.

    Differs from the source: its Tr(H) is the sum of 100 eigenvalues, which `further` has.
    """
    images, steps = Sample(split="test", examples=size.flat_images), size.flat_steps
    sharpness = AdaptiveSharpness(sample=images, steps=steps, draws=steps)
    return {
        TRACE_H: Measured("trace", (HessianTrace(sample=images),)),
        TRACE_C: Measured("trace", (GradientTrace(sample=images),)),
        SHARPNESS: Measured("worst", (sharpness,)),
    }


def further(
    size: FlatnessSize, *, eigenvalues: int, directions: int, step: float, tolerance: float, power: bool
) -> dict[str, Measured]:
    """The spectrum, epsilon and what follows from them: Appendix E.

    eigenvalues: how many.
    directions: eigenvectors walked along, in steps of `step`.
    tolerance: of eigenvalues and eigenvectors.
    power: whether the authors' power method is taken too.
    """
    images = Sample(split="test", examples=size.flat_images)
    losses = Sample(split="test", examples=size.test_limit)
    along = LossAlongEigenvectors(
        sample=images, count=directions, losses=losses, step=step, tolerance=tolerance
    )
    spectrum = HessianSpectrum(sample=images, count=eigenvalues, tolerance=tolerance)
    theirs = HessianSpectrum(sample=images, count=eigenvalues, method="power")
    trace, noise = HessianTrace(sample=images), GradientTrace(sample=images)
    measured = {
        TOP: Measured("sum", (spectrum,)),
        ABOVE: Measured("sum_above", (spectrum,)),
        RESIDUAL: Measured("largest_residual", (spectrum,)),
        EPSILON: Measured("epsilon", (along,)),
        REACHED: Measured("reached", (along,)),
        SHARE: Measured(share, (spectrum, trace)),
        TIC: Measured(lambda noise, spectrum: tic([noise, spectrum])["tic"], (noise, spectrum)),
        RISE: Measured(rise, (along,)),
    }
    by_power = {
        POWER: Measured("sum", (theirs,)),
        POWER_RESIDUAL: Measured("largest_residual", (theirs,)),
        POWER_SHARE: Measured(share, (theirs, trace)),
    }
    return measured | (by_power if power else {})


def rise(along: Values) -> float:
    """Mean rise of the loss over eigenvectors and over steps 0 < |e| < `NEAR` along them, nats.

    along: a reading of `LossAlongEigenvectors`. NaN if its steps are larger than that.
    """
    steps = np.abs(np.asarray(along["steps"]))
    near = (steps > 0) & (steps < NEAR)
    curves = [np.asarray(curve)[near] for name, curve in along.items() if name.startswith("increase.")]
    return float(np.mean(curves)) if near.any() else float("nan")


def share(spectrum: Values, trace: Values) -> float:
    """The sum of the top eigenvalues over Tr(H): how much of the trace the authors' number is.

    spectrum, trace: readings of `HessianSpectrum` and of `HessianTrace` on the same sample. Above 1 where eigenvalues
    that were left out add up to less than 0; NaN where Tr(H) is not positive.
    """
    whole = float(trace["trace"])
    return float(spectrum["sum"]) / whole if whole > 0 else float("nan")
