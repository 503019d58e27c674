"""yang2023/fig2: In a simulation with plain ReLU, up to which fraction does random pruning help?

Test and training error over the removed fraction at two noise levels, and the test error over the steps of training.
The paper's Figure 2 was not read: setting, axes and outcome are recalled, the signal's strength and the factor on the
logits are not even that (`-s setting.signal.strength=2`, `-s setting.output_scale=0.1`, `-s setting.power=3`).
"""

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

import prunescope as ps
from prunescope.papers.yang2023.dynamics import followed
from prunescope.papers.yang2023.quantities import Networks, among, medians, study, sweep
from prunescope.papers.yang2023.scales import TINY, Count, Keep, Setting, check_judged
from prunescope.tasks.data.signal_noise import OppositeSignal

COST = {"smoke": "3 seconds", "laptop": "5 minutes", "paper": "15 minutes"}
FIGURE = "Figure 2 (recalled)"
RECALLED = "Yang et al. 2023, Fig. 2"
ABOUT_EQUAL = 2.5  # percentage points of test error; proposed
FITS = 1.0  # percent of training error up to which training counts as perfect; proposed
SIMULATION = Setting(
    signal=OppositeSignal(), width=150, power=1, deviation=0.1, lr=0.001, target=None, most_steps=1000, tests=100
)


class Settings(ps.Value):
    """What is run.

    setting: network, data and training.
    noises: standard deviation of a noise coordinate, in the first and in the second panel.
    keeps: shares of the weights that remain, descending.
    mild: one of `keeps`, at which pruning helps.
    most: one of `keeps`, down to which it does no harm.
    over: one of `keeps`, at which it harms.
    replicates: runs of each network, each with its own seed.
    """

    setting: Setting = SIMULATION
    noises: tuple[float, float] = (0.5, 1.0)
    keeps: tuple[Keep, ...] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
    mild: Keep = 0.7
    most: Keep = 0.5
    over: Keep = 0.1
    replicates: Count = 10

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        check_judged("keeps", self.keeps, self.mild, self.most, self.over)
        return self


SCALES = {
    "smoke": Settings(
        setting=TINY.replace(signal=OppositeSignal(), power=1, target=None, most_steps=50),
        keeps=(1.0, 0.7, 0.5, 0.1),
        replicates=2,
    ),
    "laptop": Settings(keeps=(1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.05)),
    "paper": Settings(setting=SIMULATION.replace(tests=1000), replicates=20),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    panels = {
        f"noise {noise:g}": sweep(settings.setting.replace(noise=noise), settings.keeps, settings.replicates)
        for noise in settings.noises
    }
    quiet, loud = panels.values()
    errors = ps.Figure(
        "error",
        "Training and test error over the removed fraction",
        caption="After a fixed number of steps of gradient descent, weights removed at random at initialization. "
        "Medians over replicates, which differ in data, initial weights and mask; the band holds the middle half.",
        rows=[
            ps.Rows({"panel": panel, "quantity": label, "removed": round(100 * (1 - keep), 9)}, {"value": value})
            for panel, networks in panels.items()
            for keep, each in networks.items()
            for label, value in {"test error": each.error(), "training error": each.error("train")}.items()
        ],
        plot=medians("removed", "value", "quantity", "weights removed at initialization, %", "error, %", log_x=False),
        claims=tuple(claims(settings, quiet, loud)),
    )
    over_steps = ps.Figure(
        "steps",
        f"Test error during training at noise {settings.noises[1]:g}",
        caption="Dense networks, and those of which a part was removed at initialization. Medians over replicates and "
        "their middle half.",
        rows=[
            followed(loud[keep], {"error": name}, ps.Risk(split="test"), scale=100, panel="test error")
            for keep, name in {1.0: "dense", settings.most: f"{100 * (1 - settings.most):g} % removed"}.items()
        ],
        plot=medians("step", "value", "quantity", "step of gradient descent", "test error, %"),
    )
    words = f"{scale}: {settings.replicates} replicates, {settings.setting.tests} test examples"
    return study(__doc__, settings, words, (errors, over_steps), NOTE)


NOTE = (
    "Neither the setting nor the outcome was read in the paper: what is contradicted here may be the recollection, or "
    "a detail that is missing in it, such as the strength of the signal or a factor on the logits."
)


def claims(settings: Settings, quiet: dict[float, Networks], loud: dict[float, Networks]) -> Iterator[ps.Claim]:
    """What is recalled of the two panels."""
    more, (low, high) = ps.Direction("greater"), settings.noises
    mild, most, over = (f"{100 * (1 - keep):g} %" for keep in (settings.mild, settings.most, settings.over))
    for name, noise, of in (("quiet", low, quiet), ("loud", high, loud)):
        gain = of[1.0].error() - of[settings.mild].error()
        says = f"At noise {noise:g}, removing {mild} of the weights lowers the test error."
        yield among(f"{name}-mild-helps", says, gain, more, of[1.0], basis="recalled", place=RECALLED)
    rise = quiet[settings.most].error() - quiet[1.0].error()
    says = f"At noise {low:g}, removing {most} of the weights moves the test error by less than {ABOUT_EQUAL:g} points."
    place, same = f"{RECALLED}; the margin is proposed here", ps.Equivalence(ABOUT_EQUAL)
    yield among("quiet-half-is-equal", says, rise, same, quiet[1.0], basis="recalled", place=place)
    rise = (quiet[settings.over].error() - quiet[settings.most].error()).named(f"{over} minus {most} removed")
    says = f"At noise {low:g}, removing {over} errs more than removing {most}, and every training error is 0."
    place = f"{RECALLED}; that training is perfect up to {FITS:g} % is proposed here"
    fits = fitted(quiet[settings.over])
    yield among("quiet-over-harms", says, rise, more, quiet[1.0], basis="recalled", place=place, also=(fits,))
    worse = (loud[1.0].error() - quiet[1.0].error()).named("more minus less noise")
    says = f"Dense networks err more at noise {high:g} than at noise {low:g}."
    yield among("noise-harms-dense", says, worse, more, loud[1.0], basis="recalled", place=RECALLED)


def fitted(networks: Networks) -> ps.Precondition:
    """Training error of all replicates, at most."""
    error = networks.error("train").map(lambda each: [each.max()], unit="% training error of the worst replicate")
    return ps.Precondition("every over-pruned network fits its training set", error, at_most=FITS)
