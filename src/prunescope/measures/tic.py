"""The Takeuchi information criterion's proxy: gradient noise over curvature."""

from collections.abc import Sequence

from prunescope.base.errors import UsageError
from prunescope.measures.measure import Values


def tic(readings: Sequence[Values]) -> dict[str, float]:
    """Tr(C) / Tr(H) of one state, dimensionless for a loss in nats; NaN where Tr(H) is not positive.

    readings: of `GradientTrace`, then of `HessianSpectrum` (its "sum" is taken, as the authors do), `HessianTrace` or
    `HessianTraceEstimate` ("trace"), on the same sample.
    Raises: UsageError for other readings.
    Source: Bartoldson et al. 2020, appendix E, after Thomas et al. 2020.
    """
    if len(readings) != 2 or "trace" not in readings[0] or not {"sum", "trace"} & readings[1].keys():
        raise UsageError(
            "tic needs two readings: of GradientTrace, then of HessianSpectrum, HessianTrace or "
            f"HessianTraceEstimate; got {[sorted(reading)[:3] for reading in readings]}"
        )
    noise = float(readings[0]["trace"])
    curvature = float(readings[1]["sum"] if "sum" in readings[1] else readings[1]["trace"])
    return {"tic": noise / curvature if curvature > 0 else float("nan")}
