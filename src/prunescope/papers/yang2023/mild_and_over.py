"""yang2023/mild-and-over: mild pruning at initialization helps, over-pruning memorizes and guesses.

The abstract's two statements, in two regimes side by side. Noisy: the dense network memorizes, so the gain shows in the
test error. Theory-like: the dense network already generalizes, as the theorem assumes, so it shows in the test loss.
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
    replicates=3,
)
TINY = Setting(dimension=60, examples=20, tests=100, width=8, noise=0.4, deviation=0.1, most_steps=400)


class Settings(Value):
    """What the study runs. More classes: `-s noisy.setting.classes=4 -s noisy.setting.noise=0.2`."""

    noisy: Arm = NOISY
    theory: Arm = THEORY


SCALES = {
    "smoke": Settings(
        noisy=Arm(setting=TINY, keeps=(1.0, 0.3, 0.05), mild=0.3, over=0.05, replicates=2),
        theory=Arm(
            setting=TINY.replace(dimension=200, noise=0.05),
            keeps=(1.0, 0.3, 0.05),
            mild=0.3,
            over=0.05,
            replicates=2,
        ),
    ),
    "laptop": Settings(),
    "paper": Settings(theory=THEORY.replace(replicates=10)),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    arms = {"noisy": settings.noisy, "theory-like": settings.theory}
    regimes = {
        name: Regime(name, Sweep(arm.setting, arm.keeps, arm.replicates), mild=arm.mild, over=arm.over)
        for name, arm in arms.items()
    }
    noisy, theory = regimes["noisy"], regimes["theory-like"]
    sweeps = {name: regime.sweep for name, regime in regimes.items()}
    return Study(
        "yang2023/mild-and-over",
        "Does mild pruning at initialization help, and does over-pruning memorize noise and guess?",
        settings=settings,
        scale=f"{scale}: {settings.noisy.replicates} replicates in the noisy regime, "
        f"{settings.theory.replicates} in the theory-like one",
        paper=PAPER,
        nodes=[*noisy.nodes, *theory.nodes],
        figures=(
            views.error_figure(sweeps),
            views.loss_figure(sweeps),
            views.feature_figure(sweeps),
            views.fate_figure(sweeps),
        ),
        claims=(
            statements.mild_lowers_error(noisy),
            statements.mild_generalizes(theory),
            statements.mild_lowers_loss(theory),
            *(claim(regime) for regime in (noisy, theory) for claim in statements.OF_EVERY_REGIME),
            statements.dense_memorizes(noisy),
        ),
        notes=(
            *NOTES,
            "The theorem compares bounds where all errors are tiny; a visible gain in test error needs the noisier "
            "regime, which lies outside the recalled conditions of the theorem.",
            "Where classes are dead in some replicates and not in others, results have two modes; the figures show "
            "medians, the claims rest on means.",
        ),
    )
