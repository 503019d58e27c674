"""The signal-and-noise model of the theory as a value: data, network, training, predictions; and where it is run.

Belongs here: one setting, its recipes and its predictors, and the regimes that several studies share. Does not belong
here: what is read of the networks (`quantities.py`), what one study alone runs over (its own file).
"""

from math import sqrt
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

import prunescope as ps
from prunescope.tasks.data.signal_noise import DenseSignal, Signal, signal_noise
from prunescope.training.interventions import Bernoulli
from prunescope.training.stopping import AtEnd

NOTES = (
    "Of the paper, its abstract and introduction were read. The data, the network and the theorems are recalled, and "
    "every number of the setting is proposed here; a claim says on which of these it rests.",
    "A run that reaches its step limit before its target loss is not trained: it is left out of every error and loss, "
    "and never counts as memorizing.",
)
Keep = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Setting(ps.Value):
    """Two-layer network on signal and noise, full-batch gradient descent to a target training loss.

    classes: K.
    dimension: d, numbers a patch.
    examples: n, for training.
    tests: examples for testing.
    width: m, neurons a class.
    signal: the vectors that stand for the classes.
    noise: standard deviation of a noise coordinate.
    power: q of the ReLU.
    deviation: standard deviation of the initial weights.
    output_scale: factor c on the logits. Since c max(0, h)^q is max(0, c^(1/q) h)^q, the weights are c^(1/q) times as
        large and the step size is c^(2/q) times as large instead: the same networks after every step.
    lr: step size.
    target: training loss, nats, at which a run ends; None trains for `most_steps`, and then every run is trained.
    most_steps: a run that takes as many has missed its target and is not trained.

    The defaults are the noisy reference: the dense network memorizes, moderate pruning generalizes. There a network
    that keeps 1 % needs some 9,000 steps on average, single ones more than 12,000; 40,000 are enough for all.

    Source: Yang et al. 2023, section 2 (recalled); the numbers are proposed here.
    """

    added: ClassVar[frozenset[str]] = frozenset({"output_scale"})

    classes: int = Field(default=2, ge=2)
    dimension: int = Field(default=400, ge=2)
    examples: Count = 100
    tests: Count = 1000
    width: Count = 50
    signal: Signal = Signal()
    noise: float = Field(default=0.25, gt=0)
    power: float = Field(default=3.0, ge=1)
    deviation: float = Field(default=0.02, gt=0)
    output_scale: float = Field(default=1.0, gt=0)
    lr: float = Field(default=0.5, gt=0)
    target: float | None = Field(default=0.01, gt=0)
    most_steps: Count = 40_000

    @model_validator(mode="after")
    def _signals_fit(self) -> Self:
        if self.classes > self.dimension:
            raise ValueError(
                f"classes={self.classes} orthogonal signals do not fit in dimension={self.dimension}; use at most as "
                "many classes"
            )
        return self

    @property
    def chance(self) -> float:
        """The error of guessing, a fraction."""
        return 1 - 1 / self.classes

    def race(self, keep: float) -> float:
        """How far signal is ahead of memorization: (n / K) * (mu / (sigma sqrt(p d)))^q; above about 1 it wins.

        keep: p, keep probability; mu is the strength of the signal. Returns a ratio, dimensionless.

        Source: derived here from the n * SNR^q criterion of this class of models, with p d for d (masking keeps a
        signal coordinate whole and shrinks the noise by sqrt(p)).

        >>> round(Setting().race(1.0), 3)
        0.4
        """
        snr = self.signal.strength / (self.noise * sqrt(self._thinning(keep) * self.dimension))
        return float(self.examples / self.classes * snr**self.power)

    def death(self, keep: float) -> float:
        """The chance that a class has no usable signal neuron: (1 - p / 2)^m at a keep probability p.

        A neuron is usable if it keeps its class's signal coordinate (p) with a positive initial weight (1 / 2).

        Source: derived here by counting.

        >>> round(Setting().death(0.2), 3)
        0.005
        """
        return float((1 - self._thinning(keep) / 2) ** self.width)

    def _thinning(self, keep: float) -> float:
        """What masks do to signal against noise: they thin the noise, unless a dense signal is thinned as much."""
        return 1.0 if isinstance(self.signal, DenseSignal) else keep

    def dense(self, number: int) -> ps.Recipe:
        """The unpruned recipe of replicate `number`, which has its own data, initial weights and mask draw."""
        source = signal_noise(
            classes=self.classes,
            dimension=self.dimension,
            signal=self.signal,
            noise=self.noise,
            train=self.examples,
            test=self.tests,
            seed=number,
        )
        net = ps.network(
            "prunescope.tasks.nets:TwoLayer",
            inputs=self.dimension,
            width=self.width,
            classes=self.classes,
            power=self.power,
            deviation=self.deviation * self.output_scale ** (1 / self.power),
        )
        return ps.Recipe(
            task=ps.Task(network=net, data=ps.Data(source=source)),
            optimizer=ps.SGD(),
            schedule=ps.Constant(lr=self.lr * self.output_scale ** (2 / self.power)),
            batch=self.examples,
            length=f"{self.most_steps}it",
            stop=AtEnd() if self.target is None else ps.LossBelow(loss=self.target),
            seeds=ps.replicate(number),
        )


def pruned(dense: ps.Recipe, keep: float) -> ps.Recipe:
    """The recipe with each weight kept with probability `keep` at initialization.

    Masks of one replicate are nested: what a smaller probability keeps, a larger one keeps too. Keep 1 removes nothing.
    """
    return ps.during_training(dense, Bernoulli(keep=keep))


class Arm(ps.Value):
    """One regime: a setting over keep probabilities, with those at which the claims are judged, fixed beforehand.

    setting: network, data and training.
    keeps: probabilities that a weight remains.
    mild: one of them, at which pruning is said to help.
    over: one of them, at which it is said to harm.
    replicates: runs of each network, each with its own seed.
    """

    setting: Setting
    keeps: tuple[Keep, ...]
    mild: Keep
    over: Keep
    replicates: Count = 10

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        check_judged("keeps", self.keeps, self.mild, self.over)
        return self


def check_judged(name: str, keeps: tuple[float, ...], *judged: float) -> None:
    """Raises ValueError unless the dense network and those that are judged are run."""
    if missing := {1.0, *judged} - set(keeps):
        raise ValueError(f"{name}={keeps} lack {sorted(missing)}, at which claims are judged; add them")


TINY = Setting(dimension=60, examples=20, tests=100, width=8, noise=0.4, deviation=0.1, most_steps=400)
SMOKE = Arm(setting=TINY, keeps=(1.0, 0.3, 0.05), mild=0.3, over=0.05, replicates=2)
NOISY = Arm(setting=Setting(), keeps=(1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01), mild=0.2, over=0.01)
QUIET = Setting(dimension=4000, width=20, noise=0.047, deviation=0.1, most_steps=60_000)
THEORY = Arm(setting=QUIET, keeps=(1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.03, 0.01), mild=0.3, over=0.01)
HIGH = Arm(
    setting=QUIET.replace(dimension=10_000, tests=500, noise=0.029, lr=2.0),
    keeps=(1.0, 0.5, 0.3, 0.1, 0.02, 0.005),
    mild=0.5,
    over=0.005,
    replicates=20,
)
CLASSES = NOISY.replace(setting=Setting(classes=4, noise=0.2), keeps=(1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01))
DENSE_SIGNAL = NOISY.replace(setting=Setting(signal=DenseSignal()), keeps=(1.0, 0.7, 0.5, 0.3, 0.2, 0.1), over=0.1)
