"""yang2023/variations: the two statements with four classes, and the control in which no gain should appear.

With a dense signal, masking shortens the signal as much as the noise, so the race between them is the same at every
keep probability: what a sparse signal gains has to vanish.
"""

from prunescope.base.value import Value
from prunescope.papers.yang2023 import statements, views
from prunescope.papers.yang2023.mild_and_over import TINY, Arm
from prunescope.papers.yang2023.setting import NOTES, PAPER, Setting
from prunescope.papers.yang2023.statements import Regime
from prunescope.papers.yang2023.sweep import Sweep
from prunescope.studies.study import Study
from prunescope.tasks.data.signal_noise import DenseSignal

CLASSES = Arm(
    setting=Setting(classes=4, noise=0.2),
    keeps=(1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01),
    mild=0.2,
    over=0.01,
    replicates=10,
)
DENSE = Arm(
    setting=Setting(signal=DenseSignal()),
    keeps=(1.0, 0.7, 0.5, 0.3, 0.2, 0.1),
    mild=0.2,
    over=0.1,
    replicates=10,
)


class Settings(Value):
    """What is varied: the number of classes, and the kind of signal, whose `over` is only where its curve ends."""

    classes: Arm = CLASSES
    dense_signal: Arm = DENSE


SCALES = {
    "smoke": Settings(
        classes=Arm(
            setting=TINY.replace(classes=4), keeps=(1.0, 0.3, 0.05), mild=0.3, over=0.05, replicates=2
        ),
        dense_signal=Arm(
            setting=TINY.replace(signal=DenseSignal()),
            keeps=(1.0, 0.3),
            mild=0.3,
            over=0.3,
            replicates=2,
        ),
    ),
    "laptop": Settings(
        classes=CLASSES.replace(keeps=(1.0, 0.5, 0.2, 0.05, 0.01), replicates=10),
        dense_signal=DENSE.replace(keeps=(1.0, 0.5, 0.2, 0.1)),
    ),
    "paper": Settings(),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    arms = {
        f"{settings.classes.setting.classes}-class": settings.classes,
        "dense-signal": settings.dense_signal,
    }
    regimes = [
        Regime(name, Sweep(arm.setting, arm.keeps, arm.replicates), mild=arm.mild, over=arm.over)
        for name, arm in arms.items()
    ]
    classes, dense = regimes
    sweeps = {regime.name: regime.sweep for regime in regimes}
    return Study(
        "yang2023/variations",
        "Do the statements on pruning hold for more classes, and does the gain vanish when the signal is dense?",
        settings=settings,
        scale=f"{scale}: {settings.classes.replicates} replicates of more classes, "
        f"{settings.dense_signal.replicates} of the dense signal",
        paper=PAPER,
        nodes=[*classes.nodes, *dense.nodes],
        figures=(views.error_figure(sweeps), views.loss_figure(sweeps), views.feature_figure(sweeps)),
        claims=(
            statements.mild_lowers_error(classes),
            statements.over_guesses(classes),
            statements.over_is_confidently_wrong(classes),
            statements.dead_guesses(classes),
            statements.dense_memorizes(classes),
            statements.gains_nothing(dense),
        ),
        notes=NOTES,
    )
