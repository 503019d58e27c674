"""yang2023/collapse: Is one number, signal against memorization, all that the keep probability and the dimension
change?

Curves of different dimension should fall on one when drawn against the signal race.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from pydantic import Field

import prunescope as ps
from prunescope.papers.yang2023.quantities import KEPT, Networks, are_trained, medians, study, sweep
from prunescope.papers.yang2023.scales import TINY, Count, Keep, Setting

COST = {"smoke": "3 seconds", "laptop": "1 minute", "paper": "3 minutes"}
Curves = Mapping[int, Mapping[float, Networks]]
"""Networks by dimension and keep probability."""


class Settings(ps.Value):
    """What is compared.

    setting: network, data and training.
    dimensions: numbers a patch, one curve each, ascending; all else is as in `setting`.
    keeps: shares of the weights that remain, descending.
    replicates: runs of each network, each with its own seed.
    """

    setting: Setting = Setting()
    dimensions: tuple[int, ...] = Field(default=(300, 500, 800, 1300), min_length=2)
    keeps: tuple[Keep, ...] = Field(default=(1.0, 0.8, 0.6, 0.45, 0.35, 0.25, 0.18, 0.12, 0.08), min_length=2)
    replicates: Count = 10


SCALES = {
    "smoke": Settings(setting=TINY.replace(dimension=400), dimensions=(40, 80), keeps=(1.0, 0.3), replicates=2),
    "laptop": Settings(dimensions=(300, 800)),
    "paper": Settings(),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    curves = {
        d: sweep(settings.setting.replace(dimension=d), settings.keeps, settings.replicates)
        for d in settings.dimensions
    }
    race = "signal race (n / K) (mu / (sigma sqrt(p d)))^q"
    words = f"{settings.replicates} replicates, dimensions {', '.join(map(str, settings.dimensions))}"
    figures = (
        error_figure(curves, "kept", "the keep probability", over="keep", x_label=KEPT),
        error_figure(curves, "collapsed", "the signal race", *claims(curves), over="race", x_label=race),
    )
    return study(
        __doc__,
        settings,
        f"{scale}: {words}",
        figures,
        "Where the mean curve crosses half the error of guessing is found by straight lines between the logarithms of "
        "neighbouring points; its interval is Student's, of the jackknife over replicates.",
    )


def error_figure(curves: Curves, name: str, title: str, *claims: ps.Claim, over: str, x_label: str) -> ps.Figure:
    """Test error over the keep probability, or over the signal race, one curve a dimension."""
    return ps.Figure(
        name,
        f"Test error over {title}",
        caption="The same runs in both figures. Medians over replicates and their middle half; runs that miss the "
        "target loss are left out.",
        rows=[
            ps.Rows(
                {"dimension": f"d = {d}", "keep": 100 * keep, "race": networks.setting.race(keep)},
                {"test_error": networks.error()},
            )
            for d, curve in curves.items()
            for keep, networks in curve.items()
        ],
        plot=medians(over, "test_error", "dimension", x_label, "test error, %", reverse_x=over == "keep"),
        claims=claims,
    )


def claims(curves: Curves) -> Iterator[ps.Claim]:
    """The transition lies at one place on the signal race, and near 1, where signal overtakes memorization."""
    places = {d: crossings(curve).named(f"d = {d}") for d, curve in curves.items()}
    least, most = min(curves), max(curves)
    what = (
        f"From {least} to {most} dimensions, the place on the signal race where the mean test error falls to half of "
    )
    what += "guessing moves by less than a factor of 2."
    place = "derived here from the n * SNR^q criterion; the"
    moved, fall = places[most] - places[least], crossed(curves[least], curves[most])
    same = ps.Equivalence(1.0)
    yield ps.Claim("curves-collapse", what, moved, same, place=f"{place} factor is proposed", preconditions=fall)
    what = "The mean test error falls to half of guessing where the signal race is between 1/2 and 2."
    mean = ps.side_by_side([*places.values()]).map(lambda v: v.mean(axis=1), label="mean over dimensions")
    near, fall = ps.Near(0.0, 1.0), crossed(*curves.values())
    yield ps.Claim("transition-near-one", what, mean, near, place=f"{place} range is proposed", preconditions=fall)


def crossed(*curves: Mapping[float, Networks]) -> tuple[ps.Precondition, ...]:
    """Enough replicates are trained everywhere, and every mean curve falls to half of guessing."""
    says = "in every dimension the mean test error starts above half of guessing and falls below it"
    falls = ps.combined(lambda *places: [float(np.isfinite(each).all()) for each in places], *map(crossings, curves))
    falls = falls.named(unit="(1: it does, 0: it does not)")
    trained = (are_trained(networks) for curve in curves for networks in curve.values())
    return (*trained, ps.Precondition(says, falls, at_least=1.0))


def crossings(curve: Mapping[float, Networks]) -> ps.Quantity:
    """log2 of the signal race at which the mean test error first falls to half of guessing, [replicates].

    One number a replicate by the jackknife: R times the place in the mean curve of all R replicates minus R - 1 times
    that in the curve without this one. Their mean is the place but for its bias, and Student's interval of them the
    place's. So a replicate that starts below half of guessing, or never falls, has its say like the others. NaN where
    a mean curve has no such place.

    Source: Tukey 1958. A percentile bootstrap is far too narrow at ten replicates.
    """
    setting, keeps = next(iter(curve.values())).setting, sorted(curve, reverse=True)
    places, half = np.log2([setting.race(keep) for keep in keeps]), 100 * setting.chance / 2

    def jackknife(errors: ps.Numbers) -> ps.Numbers:
        count = len(errors)
        without = [crossing(places, np.delete(errors, number, axis=0), half) for number in range(count)]
        return count * crossing(places, errors, half) - (count - 1) * np.array(without)

    errors = ps.side_by_side([curve[keep].error() for keep in keeps])
    return errors.map(jackknife, unit="log2 of the signal race")


def crossing(places: ps.Numbers, errors: ps.Numbers, level: float) -> float:
    """Where the mean of curves first falls to `level`, by straight lines; NaN if it starts below or never does.

    places: [P], ascending. errors: [R, P]; NaN is missing, and a place without any error is left out.
    """
    there = np.isfinite(errors).any(axis=0)
    places, curve = places[there], np.nanmean(errors[:, there], axis=0)
    below = np.flatnonzero(curve <= level)
    if len(below) == 0 or below[0] == 0:
        return float("nan")
    after = int(below[0])
    share = (curve[after - 1] - level) / (curve[after - 1] - curve[after])
    return float(places[after - 1] + share * (places[after] - places[after - 1]))
