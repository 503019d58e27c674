"""yang2023/neurons-vs-weights: Is it the size? Removing neurons against removing weights at equal size

Removing neurons leaves each neuron's signal and noise as they are: the control for size alone.
"""

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

import prunescope as ps
from prunescope.papers.yang2023.quantities import Networks, among_trained, are_trained, medians, study, sweep
from prunescope.papers.yang2023.scales import TINY, Count, Keep, Setting, check_judged

COST = {"smoke": "3 seconds", "laptop": "1 minute", "paper": "2 minutes"}


class Settings(ps.Value):
    """What is compared.

    setting: network, data and training.
    sizes: shares of the weights that remain, 1 among them.
    judged: the one of them that claims are about.
    replicates: runs of each network, each with its own seed.
    """

    setting: Setting = Setting()
    sizes: tuple[Keep, ...] = (1.0, 0.5, 0.2, 0.1, 0.04)
    judged: Keep = 0.2
    replicates: Count = 10

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        check_judged("sizes", self.sizes, self.judged)
        return self


SCALES = {
    "smoke": Settings(setting=TINY.replace(width=10), sizes=(1.0, 0.2), replicates=2),
    "laptop": Settings(),
    "paper": Settings(replicates=20),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings. Raises UsageError for a size that is no whole number of neurons."""
    setting, sizes, replicates = settings.setting, settings.sizes, settings.replicates
    narrower = {size: setting.replace(width=width(setting, size)) for size in sizes}
    arms = {
        "weights removed": sweep(setting, sizes, replicates),
        "neurons removed": {size: sweep(narrower[size], (1.0,), replicates)[1.0] for size in sizes},
    }
    figure = ps.Figure(
        "error",
        "Test error over size",
        caption="Test error when weights are removed one by one, and when whole neurons are removed (of "
        f"{setting.width} a class), at equal numbers of weights. Medians over replicates and their middle half.",
        rows=[
            ps.Rows({"arm": arm, "size": 100 * size, "width": each.setting.width}, {"test_error": each.error()})
            for arm, curve in arms.items()
            for size, each in curve.items()
        ],
        plot=medians("size", "test_error", "arm", "weights that remain, %", "test error, %", reverse_x=True),
        claims=tuple(claims(arms["weights removed"], arms["neurons removed"], settings.judged)),
    )
    return study(
        __doc__,
        settings,
        f"{scale}: {replicates} replicates",
        [figure],
        "Neurons are drawn independently, so a network from which random ones were removed at initialization is a "
        "narrower network; both are trained on the same data.",
    )


def claims(weights: dict[float, Networks], neurons: dict[float, Networks], size: float) -> Iterator[ps.Claim]:
    """What is left if size is not all: weights are removed to better effect, and neurons to none."""
    removed, few, all_neurons = weights[size], neurons[size], neurons[1.0]
    place = "the control for size alone;"
    what = (
        f"At {100 * size:g} % of the weights, a network without some weights errs less than one without some neurons."
    )
    gap = among_trained(few.error().named("neurons") - removed.error().named("weights"), removed, few)
    why, ready = (
        f"{place} masking weights cuts noise, removing neurons does not",
        (are_trained(removed), are_trained(few)),
    )
    more = ps.Direction("greater")
    yield ps.Claim("weights-beat-neurons", what, gap, more, place=why, preconditions=ready)
    what = f"Removing neurons down to {100 * size:g} % of the weights moves the test error by less than 5 points."
    gap = few.error().named("few neurons") - all_neurons.error().named("all neurons")
    moved, ready = among_trained(gap, all_neurons, few), (are_trained(all_neurons), are_trained(few))
    none, why = ps.Equivalence(5.0), f"{place} the margin is proposed"
    yield ps.Claim("size-alone", what, moved, none, place=why, preconditions=ready)


def width(setting: Setting, size: float) -> int:
    """The neurons a class that hold a share of the weights. Raises UsageError for a part of a neuron."""
    exact = setting.width * size
    if round(exact) < 1 or abs(exact - round(exact)) > 1e-6:
        raise ps.UsageError(
            f"size {size:g} of {setting.width} neurons a class is {exact:g}; choose sizes that leave whole neurons"
        )
    return round(exact)
