"""yang2023/mild-and-over: mild pruning at initialization helps, over-pruning memorizes and guesses.

The abstract's two statements, in three regimes side by side. Noisy: the dense network memorizes, so the gain shows in
the test error. Theory-like: the dense network already generalizes, as the theorem assumes, so it shows in the test
loss; at its sparsest some class still keeps a signal neuron in some replicates. High-dimensional: the same in so many
dimensions that networks nearly as sparse as the theorem's (1.8 / (K m log d) of the weights) can memorize; hardly any
class keeps one.
"""

from typing import Self

from pydantic import Field, model_validator

from prunescope.base.value import Value
from prunescope.papers.yang2023 import statements, views
from prunescope.papers.yang2023.setting import NOTES, PAPER, Keep, Setting
from prunescope.papers.yang2023.statements import Regime
from prunescope.papers.yang2023.sweep import Sweep
from prunescope.studies.study import Study


class Arm(Value):
    """One regime. keeps: keep probabilities; mild, over: those at which the claims are judged, fixed beforehand."""

    setting: Setting
    keeps: tuple[Keep, ...]
    mild: Keep
    over: Keep
    replicates: int = Field(ge=1)

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        if missing := {1.0, self.mild, self.over} - set(self.keeps):
            raise ValueError(
                f"keeps={self.keeps} lacks {sorted(missing)}, at which claims are judged; add them"
            )
        return self


NOISY = Arm(
    setting=Setting(),
    keeps=(1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01),
    mild=0.2,
    over=0.01,
    replicates=10,
)
THEORY = Arm(
    setting=Setting(dimension=4000, width=20, noise=0.047, deviation=0.1, most_steps=60_000),
    keeps=(1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.03, 0.01),
    mild=0.3,
    over=0.01,
    replicates=10,
)
HIGH = Arm(
    setting=Setting(
        dimension=10_000, tests=500, width=20, noise=0.029, deviation=0.1, lr=2.0, most_steps=60_000
    ),
    keeps=(1.0, 0.5, 0.3, 0.1, 0.02, 0.005),
    mild=0.5,
    over=0.005,
    replicates=20,
)
TINY = Setting(dimension=60, examples=20, tests=100, width=8, noise=0.4, deviation=0.1, most_steps=400)


class Settings(Value):
    """What the study runs. high: takes most of the time; null leaves it out.

    More classes: `-s noisy.setting.classes=4 -s noisy.setting.noise=0.2`.
    """

    noisy: Arm = NOISY
    theory: Arm = THEORY
    high: Arm | None = HIGH


SMOKE = Arm(setting=TINY, keeps=(1.0, 0.3, 0.05), mild=0.3, over=0.05, replicates=2)
SCALES = {
    "smoke": Settings(
        noisy=SMOKE,
        theory=SMOKE.replace(setting=TINY.replace(dimension=200, noise=0.05)),
        high=SMOKE.replace(setting=TINY.replace(dimension=300, noise=0.04)),
    ),
    "laptop": Settings(high=None),
    "paper": Settings(),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    arms = {"noisy": settings.noisy, "theory-like": settings.theory}
    if settings.high is not None:
        arms["high-dimensional"] = settings.high
    regimes = {
        name: Regime(name, Sweep(arm.setting, arm.keeps, arm.replicates), mild=arm.mild, over=arm.over)
        for name, arm in arms.items()
    }
    noisy, *quiet = regimes.values()
    sweeps = {name: regime.sweep for name, regime in regimes.items()}
    return Study(
        "yang2023/mild-and-over",
        "Does mild pruning at initialization help, and does over-pruning memorize noise and guess?",
        settings=settings,
        scale=f"{scale}: "
        + ", ".join(f"{arm.replicates} replicates in the {name} regime" for name, arm in arms.items()),
        paper=PAPER,
        nodes=[node for regime in regimes.values() for node in regime.nodes],
        figures=(
            views.error_figure(sweeps),
            views.loss_figure(sweeps),
            views.feature_figure(sweeps),
            views.fate_figure(sweeps),
        ),
        claims=(
            statements.mild_lowers_error(noisy),
            *(claim(regime) for regime in quiet for claim in statements.OF_QUIET_REGIMES),
            *(claim(regime) for regime in regimes.values() for claim in statements.OF_EVERY_REGIME),
            statements.dense_memorizes(noisy),
        ),
        notes=(
            *NOTES,
            "The theorem compares bounds where all errors are tiny; a visible gain in test error needs the noisier "
            "regime, which lies outside the recalled conditions of the theorem.",
            "Where classes are dead in some replicates and not in others, errors and losses have two modes. Claims on "
            "them are about most networks: the median over replicates, with its exact interval; the others rest on "
            "means.",
            "Medians were adopted after a first run of the noisy and the theory-like regime had been judged by means. "
            "The high-dimensional regime was then found by exploring, on other replicates, where over-pruned networks "
            "guess; its settings and what is claimed of it were fixed before its first run.",
            "In the noisy and the theory-like regime the over-pruned networks keep more than the theorem's "
            "1 / (K m log d), so some keep a signal neuron by chance; in the noisy one, with d = 400, less would "
            "leave too few weights to memorize.",
        ),
    )
