"""yang2023/variations: Do the statements on pruning hold for more classes, and does the gain vanish when the signal is
dense?

With a dense signal, masking shortens the signal as much as the noise, so the race between them is the same at every
keep probability: what a sparse signal gains has to vanish.
"""

import prunescope as ps
from prunescope.papers.yang2023 import mild_and_over
from prunescope.papers.yang2023.mild_and_over import NEAR_CHANCE, Regime
from prunescope.papers.yang2023.quantities import study
from prunescope.papers.yang2023.scales import CLASSES, DENSE_SIGNAL, SMOKE, TINY, Arm
from prunescope.tasks.data.signal_noise import DenseSignal

COST = {"smoke": "5 seconds", "laptop": "10 minutes", "paper": "20 minutes"}


class Settings(ps.Value):
    """What is varied.

    classes: a regime with another number of classes.
    dense_signal: a regime with signals that use all coordinates; its `over` is only where its curve ends.
    """

    classes: Arm = CLASSES
    dense_signal: Arm = DENSE_SIGNAL


SCALES = {
    "smoke": Settings(
        classes=SMOKE.replace(setting=TINY.replace(classes=4)),
        dense_signal=SMOKE.replace(setting=TINY.replace(signal=DenseSignal()), keeps=(1.0, 0.3), over=0.3),
    ),
    "laptop": Settings(
        classes=CLASSES.replace(keeps=(1.0, 0.5, 0.2, 0.05, 0.01)),
        dense_signal=DENSE_SIGNAL.replace(keeps=(1.0, 0.5, 0.2, 0.1)),
    ),
    "paper": Settings(),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    classes = Regime(f"{settings.classes.setting.classes}-class", settings.classes)
    signal = Regime("dense-signal", settings.dense_signal)
    dense, mild, _ = signal.judged
    says = f"keeping {100 * mild.keep:g} % of the weights moves the test error by less than {NEAR_CHANCE:g} points"
    place = "Yang et al. 2023, why the signal is sparse (recalled); the margin is proposed here"
    gain, none = dense.error() - mild.error(), ps.Equivalence(NEAR_CHANCE)
    gains_nothing = signal.says("gains-nothing", says, gain, none, dense, mild, basis="recalled", place=place)
    regimes, more = (classes, signal), f"{settings.classes.replicates} replicates of more classes"
    words = f"{scale}: {more}, {settings.dense_signal.replicates} of the dense signal"
    figures = (
        mild_and_over.error_figure(regimes, [*mild_and_over.error_claims(classes), gains_nothing]),
        mild_and_over.loss_figure(regimes, mild_and_over.loss_claims(classes)),
        mild_and_over.feature_figure(regimes),
    )
    return study(__doc__, settings, words, figures)
