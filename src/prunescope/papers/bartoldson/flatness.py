"""The measures of flatness of Figure 6, which appendix E and your own network have too."""

from prunescope.measures import AdaptiveSharpness, GradientTrace, HessianTrace, Sample
from prunescope.papers.bartoldson.quantities import Measured
from prunescope.papers.bartoldson.scales import FlatnessSize

TRACE_H, TRACE_C, SHARPNESS = "Tr(H)", "Tr(C)", "adaptive sharpness"


def main(size: FlatnessSize) -> dict[str, Measured]:
    """Tr(H), exact, and Tr(C); and adaptive sharpness, which the scale of the weights cannot change.

    On the first test images, in evaluation mode; 512 of them in the authors' code.

    Differs from the source: its Tr(H) is the sum of 100 eigenvalues, which appendix E has.
    """
    images, steps = Sample(split="test", examples=size.flat_images), size.flat_steps
    sharpness = AdaptiveSharpness(sample=images, steps=steps, draws=steps)
    return {
        TRACE_H: Measured("trace", (HessianTrace(sample=images),)),
        TRACE_C: Measured("trace", (GradientTrace(sample=images),)),
        SHARPNESS: Measured("worst", (sharpness,)),
    }
