"""What theory predicts of a two-layer network on signal and noise, as functions of its setting."""

from math import sqrt

from prunescope.base.errors import UsageError


def signal_race(
    keep: float, *, examples: int, classes: int, strength: float, noise: float, dimension: int, power: float = 3.0
) -> float:
    """How far signal is ahead of memorization: (n / K) * (mu / (sigma sqrt(p d)))^q; above about 1 it wins.

    Args: keep: p, keep probability; examples: n; classes: K; strength: mu; noise: sigma, standard deviation of a
        coordinate; dimension: d; power: q. Returns: a ratio, dimensionless.
    Raises: UsageError for a keep probability outside (0, 1].

    Source: derived here from the n * SNR^q criterion of this class of models, with p d for d (masking keeps a
    signal coordinate whole and shrinks the noise by sqrt(p)).

    >>> round(signal_race(1.0, examples=100, classes=2, strength=1.0, noise=0.25, dimension=400), 3)
    0.4
    """
    _check(keep)
    return float(examples / classes * (strength / (noise * sqrt(keep * dimension))) ** power)


def death_probability(keep: float, *, width: int) -> float:
    """The chance that a class has no usable signal neuron: (1 - p / 2)^m.

    A neuron is usable if it keeps its class's signal coordinate (p) with a positive initial weight (1 / 2).

    Args: keep: p, keep probability; width: m, neurons a class.
    Raises: UsageError for a keep probability outside (0, 1].

    Source: derived here by counting.

    >>> round(death_probability(0.2, width=50), 3)
    0.005
    """
    _check(keep)
    return float((1 - keep / 2) ** width)


def _check(keep: float) -> None:
    if not 0 < keep <= 1:
        raise UsageError(f"keep={keep} is no probability to keep a weight; give a number in (0, 1]")
