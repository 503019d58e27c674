"""What the paper says of mild pruning and of over-pruning, as claims about one regime.

Belongs here: claims and the regime that they are about. Does not belong here: figures (`views.py`), the settings.
"""

from dataclasses import dataclass

import numpy as np

from prunescope.base.value import Value
from prunescope.papers.yang2023.sweep import Point, Sweep
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Direction, Equivalence, MedianDirection
from prunescope.studies.results import Numbers, Results, column

ABSTRACT = "Yang et al. 2023, abstract (the setting and the keep probability are proposed here)"
INTRODUCTION = "Yang et al. 2023, introduction (the setting and the keep probability are proposed here)"
MARGIN = "the margin is proposed here"
GENERALIZES = 5.0
"""Test error, percent, up to which a network is said to generalize (proposed)."""
NEAR_CHANCE = 5.0
"""Percentage points below the error of guessing from which a network is said to guess (proposed)."""


@dataclass(frozen=True)
class Regime:
    """One sweep and where on it the claims look: a mild and an over-pruning keep probability."""

    name: str
    sweep: Sweep
    mild: float
    over: float

    @property
    def nodes(self) -> list[Value]:
        """Everything that figures and claims need."""
        return [*self.sweep.nodes, *(point.displacement for point in self.sweep.row(self.mild))]

    def gain(self, results: Results, reading: str, name: str) -> Numbers:
        """The dense network minus the mildly pruned one, paired: [replicates that reached their target in both]."""
        both = self.sweep.trained(results, 1.0, self.mild)
        dense, mild = (
            self.sweep.values(results, keep, reading, name, among=both) for keep in (1.0, self.mild)
        )
        return np.asarray(dense - mild)

    def at(self, results: Results, keep: float, reading: str, name: str) -> Numbers:
        """A number of the replicates that reached their target at one keep probability."""
        return self.sweep.values(results, keep, reading, name, among=self.sweep.trained(results, keep))

    def claim_name(self, name: str) -> str:
        """Unique among the regimes of a study."""
        return f"{self.name}-{name}"

    @property
    def guessing(self) -> float:
        """The error of guessing, percent."""
        return 100 * self.sweep.setting.chance


def mild_lowers_error(regime: Regime) -> Claim:
    """Mild pruning lowers the test error, where the dense network has an error to lower."""
    return Claim(
        regime.claim_name("mild-lowers-error"),
        f"{_in(regime)}, keeping {100 * regime.mild:g} % of the weights lowers the test error of most networks.",
        basis="paper",
        place=ABSTRACT,
        region=MedianDirection("greater"),
        sample=lambda r: 100 * regime.gain(r, "test", "error"),
        preconditions=(regime.sweep.are_trained(1.0, regime.mild),),
        unit="percentage points of test error, dense minus pruned",
    )


def mild_lowers_loss(regime: Regime) -> Claim:
    """Mild pruning lowers the test loss, where the dense network already generalizes."""
    return Claim(
        regime.claim_name("mild-lowers-loss"),
        f"{_in(regime)}, where the dense network already generalizes, keeping {100 * regime.mild:g} % of the weights "
        "lowers the test loss of most networks.",
        basis="paper",
        place=ABSTRACT,
        region=MedianDirection("greater"),
        sample=lambda r: regime.gain(r, "test", "loss"),
        preconditions=(regime.sweep.are_trained(1.0, regime.mild), _dense_generalizes(regime)),
        unit="nats, dense minus pruned",
    )


def mild_generalizes(regime: Regime) -> Claim:
    """Below a threshold of pruning, the trained network generalizes well."""
    return Claim(
        regime.claim_name("mild-generalizes"),
        f"{_in(regime)}, networks that keep {100 * regime.mild:g} % of their weights train to the target loss, and "
        f"most err on less than {GENERALIZES:g} % of the test set.",
        basis="paper",
        place=f"{ABSTRACT}; {MARGIN}",
        region=MedianDirection("less", than=GENERALIZES),
        sample=lambda r: 100 * regime.at(r, regime.mild, "test", "error"),
        preconditions=(regime.sweep.are_trained(regime.mild),),
        unit="% test error",
    )


def over_guesses(regime: Regime) -> Claim:
    """Over-pruned networks still reach the target training loss, and guess on the test set."""
    return Claim(
        regime.claim_name("over-guesses"),
        f"{_in(regime)}, networks that keep {100 * regime.over:g} % of their weights still train to the target loss, "
        f"and most are within {NEAR_CHANCE:g} points of guessing on the test set, or worse.",
        basis="paper",
        place=f"{ABSTRACT}; {MARGIN}",
        region=MedianDirection("greater", than=regime.guessing - NEAR_CHANCE),
        sample=lambda r: 100 * regime.at(r, regime.over, "test", "error"),
        preconditions=(regime.sweep.are_trained(regime.over),),
        unit="% test error",
    )


def over_is_confidently_wrong(regime: Regime) -> Claim:
    """The test loss of an over-pruned network is at least that of guessing, log K."""
    classes = regime.sweep.setting.classes
    return Claim(
        regime.claim_name("over-loss"),
        f"{_in(regime)}, the test loss of most over-pruned networks is above log {classes}, the loss of guessing.",
        basis="recalled",
        place="Yang et al. 2023, theorem on over-pruning (recalled)",
        region=MedianDirection("greater", than=float(np.log(classes))),
        sample=lambda r: regime.at(r, regime.over, "test", "loss"),
        preconditions=(regime.sweep.are_trained(regime.over),),
        unit="nats",
    )


def dead_guesses(regime: Regime) -> Claim:
    """Over-pruned networks without any usable signal neuron guess: what explains over-pruning."""

    def sample(results: Results) -> Numbers:
        sweep = regime.sweep
        row, alive = sweep.row(regime.over), sweep.trained(results, regime.over)
        dead = [n for n in alive if _all_dead(results, row[n])]
        return 100 * column(results, [row[n].test for n in dead], name="error")

    return Claim(
        regime.claim_name("dead-guesses"),
        f"{_in(regime)}, over-pruned networks in which every class is dead train to the target loss and guess.",
        basis="proposed",
        place="the counting argument behind the theorem on over-pruning (recalled); the margin is proposed",
        region=Direction("greater", than=regime.guessing - NEAR_CHANCE),
        sample=sample,
        unit="% test error",
    )


def noise_memorized_falls(regime: Regime) -> Claim:
    """Mild pruning reduces the noise that is memorized, the quantity of the theory."""
    return Claim(
        regime.claim_name("noise-falls"),
        f"{_in(regime)}, a mildly pruned network memorizes less noise than the dense one.",
        basis="paper",
        place=INTRODUCTION + "; the quantity is recalled",
        region=Direction("greater"),
        sample=lambda r: regime.gain(r, "features", "noise_mean"),
        preconditions=(regime.sweep.are_trained(1.0, regime.mild),),
        unit="product of weights and noise patch, dense minus pruned",
    )


def noise_response_falls(regime: Regime) -> Claim:
    """Mild pruning reduces the effect of fresh noise on the logits, in absolute terms."""
    return Claim(
        regime.claim_name("response-falls"),
        f"{_in(regime)}, mild pruning reduces how much fresh noise alone moves the logits.",
        basis="proposed",
        place="another reading of the introduction's reduced effect of noise",
        region=Direction("greater"),
        sample=lambda r: regime.gain(r, "response", "response_mean"),
        preconditions=(regime.sweep.are_trained(1.0, regime.mild),),
        unit="logits, standard deviation over fresh noise, dense minus pruned",
    )


def signal_is_kept(regime: Regime) -> Claim:
    """Mild pruning preserves the signal that is learned."""
    return Claim(
        regime.claim_name("signal-kept"),
        f"{_in(regime)}, a mildly pruned network learns at least 90 % of the dense network's signal.",
        basis="paper",
        place=INTRODUCTION + "; 90 % is proposed here",
        region=Direction("greater", than=0.9),
        sample=lambda r: _signal_ratio(regime, r),
        preconditions=(regime.sweep.are_trained(1.0, regime.mild), _dense_generalizes(regime)),
        unit="signal learned, pruned over dense",
    )


def features_are_learned(regime: Regime) -> Claim:
    """Weights move far: feature learning, not a linearization around the initial weights."""

    def sample(results: Results) -> Numbers:
        row, trained = regime.sweep.row(regime.mild), regime.sweep.trained(results, regime.mild)
        return column(results, [row[number].displacement for number in trained], name="relative")

    return Claim(
        regime.claim_name("features-move"),
        f"{_in(regime)}, training moves the weights of a mildly pruned network by more than their initial length.",
        basis="paper",
        place=INTRODUCTION + "; the factor 1 is proposed here",
        region=Direction("greater", than=1.0),
        sample=sample,
        preconditions=(regime.sweep.are_trained(regime.mild),),
        unit="displacement over initial length",
    )


def dense_memorizes(regime: Regime) -> Claim:
    """Where noise is strong, the dense network fits its training set by noise and guesses."""
    return Claim(
        regime.claim_name("dense-memorizes"),
        f"{_in(regime)}, dense networks train to the target loss, and most are within {NEAR_CHANCE:g} points of "
        "guessing on the test set.",
        basis="proposed",
        place="the signal race: without pruning, memorization wins; the margin is proposed",
        region=MedianDirection("greater", than=regime.guessing - NEAR_CHANCE),
        sample=lambda r: 100 * regime.at(r, 1.0, "test", "error"),
        preconditions=(regime.sweep.are_trained(1.0),),
        unit="% test error",
    )


def gains_nothing(regime: Regime) -> Claim:
    """Where masking shortens signal and noise alike, mild pruning changes no error."""
    return Claim(
        regime.claim_name("gains-nothing"),
        f"{_in(regime)}, keeping {100 * regime.mild:g} % of the weights moves the test error by less than "
        f"{NEAR_CHANCE:g} points.",
        basis="recalled",
        place="Yang et al. 2023, why the signal is sparse (recalled); the margin is proposed here",
        region=Equivalence(NEAR_CHANCE),
        sample=lambda r: 100 * regime.gain(r, "test", "error"),
        preconditions=(regime.sweep.are_trained(1.0, regime.mild),),
        unit="percentage points of test error, dense minus pruned",
    )


OF_EVERY_REGIME = (
    over_guesses,
    over_is_confidently_wrong,
    dead_guesses,
    noise_memorized_falls,
    noise_response_falls,
    signal_is_kept,
    features_are_learned,
)


OF_QUIET_REGIMES = (mild_generalizes, mild_lowers_loss)
"""Where the dense network already generalizes, as the theorem on mild pruning assumes."""


def _signal_ratio(regime: Regime, results: Results) -> Numbers:
    both = regime.sweep.trained(results, 1.0, regime.mild)
    dense, mild = (
        regime.sweep.values(results, keep, "features", "signal_mean", among=both)
        for keep in (1.0, regime.mild)
    )
    return np.asarray(mild / dense)


def _all_dead(results: Results, point: Point) -> bool:
    return float(results[point.neurons]["dead"]) == point.setting.classes


def _dense_generalizes(regime: Regime) -> Precondition:
    return Precondition(
        "most dense networks generalize",
        lambda r: float(np.median(100 * regime.at(r, 1.0, "test", "error"))),
        at_most=GENERALIZES,
        unit="% test error, median",
    )


def _in(regime: Regime) -> str:
    return f"In the {regime.name} regime"
