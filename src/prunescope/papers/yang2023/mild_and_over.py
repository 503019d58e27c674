"""yang2023/mild-and-over: Does mild pruning at initialization help, and does over-pruning memorize noise and guess?

The abstract's two statements, in three regimes side by side. Noisy: the dense network memorizes, so the gain shows in
the test error. Theory-like: the dense network already generalizes, as the theorem assumes, so it shows in the test
loss; at its sparsest some class still keeps a signal neuron in some replicates. High-dimensional: the same in so many
dimensions that networks nearly as sparse as the theorem's (1.8 / (K m log d) of the weights) can memorize; hardly any
class keeps one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

import prunescope as ps
from prunescope.papers.yang2023 import quantities
from prunescope.papers.yang2023.quantities import Networks, among, among_dead, among_trained, medians, study
from prunescope.papers.yang2023.scales import HIGH, NOISY, SMOKE, THEORY, TINY, Arm

COST = {"smoke": "5 seconds", "laptop": "3 minutes", "paper": "20 minutes"}
FIGURE = "the abstract's two statements"

GENERALIZES = 5.0  # percent test error up to which a network is said to generalize; proposed
NEAR_CHANCE = 5.0  # points below the error of guessing from which a network is said to guess; proposed
ABSTRACT = "Yang et al. 2023, abstract (the setting and the keep probability are proposed here)"
INTRODUCTION = "Yang et al. 2023, introduction (the setting and the keep probability are proposed here)"
MARGIN = "; the margin is proposed here"
GUESSING = "guessing"


class Settings(ps.Value):
    """What the study runs.

    noisy: the regime in which the dense network memorizes.
    theory: the regime nearest to the assumptions of the paper.
    high: the regime of many dimensions, which takes most of the time; null leaves it out.

    More classes: `-s noisy.setting.classes=4 -s noisy.setting.noise=0.2`.
    """

    noisy: Arm = NOISY
    theory: Arm = THEORY
    high: Arm | None = HIGH


SCALES = {
    "smoke": Settings(
        noisy=SMOKE,
        theory=SMOKE.replace(setting=TINY.replace(dimension=200, noise=0.05)),
        high=SMOKE.replace(setting=TINY.replace(dimension=300, noise=0.04)),
    ),
    "laptop": Settings(high=None),
    "paper": Settings(),
}


@dataclass(frozen=True)
class Regime:
    """An arm's networks by keep probability, and what is said of those at which it is judged.

    name: what reports call it.
    arm: its settings.
    quiet: whether the dense network already generalizes, as the theorem on mild pruning assumes.
    """

    name: str
    arm: Arm
    quiet: bool = False

    @cached_property
    def networks(self) -> dict[float, Networks]:
        """By keep probability, as the arm lists them."""
        return quantities.sweep(self.arm.setting, self.arm.keeps, self.arm.replicates)

    @property
    def judged(self) -> tuple[Networks, Networks, Networks]:
        """The dense, the mildly pruned and the over-pruned networks."""
        return self.networks[1.0], self.networks[self.arm.mild], self.networks[self.arm.over]

    def says(
        self, name: str, sentence: str, quantity: ps.Quantity, region: ps.Region, *networks: Networks, **more: Any
    ) -> ps.Claim:
        """A claim on the regime, see `quantities.among`; by default one of the paper's abstract."""
        says, source = f"In the {self.name} regime, {sentence}.", {"basis": "paper", "place": ABSTRACT}
        return among(f"{self.name}-{name}", says, quantity, region, *networks, **source | more)


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    arms = {"noisy": settings.noisy, "theory-like": settings.theory, "high-dimensional": settings.high}
    regimes = [Regime(name, arm, quiet=name != "noisy") for name, arm in arms.items() if arm is not None]
    replicates = [f"{each.arm.replicates} replicates in the {each.name} regime" for each in regimes]
    figures = (
        error_figure(regimes, [claim for each in regimes for claim in error_claims(each)]),
        loss_figure(regimes, [claim for each in regimes for claim in loss_claims(each)]),
        feature_figure(regimes, [claim for each in regimes for claim in feature_claims(each)]),
        fate_figure(regimes),
    )
    return study(
        __doc__,
        settings,
        f"{scale}: {', '.join(replicates)}",
        figures,
        "The theorem compares bounds where all errors are tiny; a visible gain in test error needs the noisier regime, "
        "which lies outside the recalled conditions of the theorem.",
        "Where classes are dead in some replicates and not in others, errors and losses have two modes. Claims on them "
        "are about most networks: the median over replicates, with its exact interval; the others rest on means.",
        "Medians were adopted after a first run of the noisy and the theory-like regime had been judged by means. The "
        "high-dimensional regime was then found by exploring, on other replicates, where over-pruned networks guess; "
        "its settings and what is claimed of it were fixed before its first run.",
        "In the noisy and the theory-like regime the over-pruned networks keep more than the theorem's 1 / (K m log "
        "d), so some keep a signal neuron by chance; in the noisy one, with d = 400, less would leave too few weights "
        "to memorize.",
    )


def error_claims(regime: Regime) -> Iterator[ps.Claim]:
    """What mild pruning and over-pruning do to the test error; it depends on what the dense network does."""
    dense, mild, over = regime.judged
    keeps, guess = f"{100 * mild.keep:g} % of", 100 * regime.arm.setting.chance - NEAR_CHANCE
    guesses = ps.MedianDirection("greater", than=guess)
    if regime.quiet:
        small = ps.MedianDirection("less", than=GENERALIZES)
        says = (
            f"networks that keep {keeps} their weights train to the target loss, and most err on less than "
            f"{GENERALIZES:g} % of the test set"
        )
        yield regime.says("mild-generalizes", says, mild.error(), small, mild, place=ABSTRACT + MARGIN)
    else:
        gain, more = dense.error() - mild.error(), ps.MedianDirection("greater")
        says = f"keeping {keeps} the weights lowers the test error of most networks"
        yield regime.says("mild-lowers-error", says, gain, more, dense, mild)
        says = (
            f"dense networks train to the target loss, and most are within {NEAR_CHANCE:g} points of guessing on the "
            "test set"
        )
        place = "the signal race: without pruning, memorization wins; the margin is proposed"
        yield regime.says("dense-memorizes", says, dense.error(), guesses, dense, basis="proposed", place=place)
    says = (
        f"networks that keep {100 * over.keep:g} % of their weights still train to the target loss, and most are "
        f"within {NEAR_CHANCE:g} points of guessing on the test set, or worse"
    )
    yield regime.says("over-guesses", says, over.error(), guesses, over, place=ABSTRACT + MARGIN)
    says = (
        f"In the {regime.name} regime, over-pruned networks in which every class is dead train to the target loss and "
        "guess."
    )
    place = "the counting argument behind the theorem on over-pruning (recalled); the margin is proposed"
    above = ps.Direction("greater", than=guess)
    yield ps.Claim(f"{regime.name}-dead-guesses", says, among_dead(over), above, place=place)


def loss_claims(regime: Regime) -> Iterator[ps.Claim]:
    """The same on test losses, where the dense network has no errors to lose."""
    dense, mild, over = regime.judged
    if regime.quiet:
        says = (
            f"where the dense network already generalizes, keeping {100 * mild.keep:g} % of the weights lowers the "
            "test loss of most networks"
        )
        gain, more, fits = dense.loss() - mild.loss(), ps.MedianDirection("greater"), (generalizes(dense),)
        yield regime.says("mild-lowers-loss", says, gain, more, dense, mild, also=fits)
    classes, place = regime.arm.setting.classes, "Yang et al. 2023, theorem on over-pruning (recalled)"
    says = f"the test loss of most over-pruned networks is above log {classes}, the loss of guessing"
    worse = ps.MedianDirection("greater", than=float(np.log(classes)))
    yield regime.says("over-loss", says, over.loss(), worse, over, basis="recalled", place=place)


def feature_claims(regime: Regime) -> Iterator[ps.Claim]:
    """What the introduction says that mild pruning does to signal and noise."""
    dense, mild, _ = regime.judged
    both, more = (dense, mild), ps.Direction("greater")
    says = "a mildly pruned network memorizes less noise than the dense one"
    noise, place = dense.feature("noise_mean") - mild.feature("noise_mean"), f"{INTRODUCTION}; the quantity is recalled"
    yield regime.says("noise-falls", says, noise, more, *both, place=place)
    says = "mild pruning reduces how much fresh noise alone moves the logits"
    gain, place = dense.response - mild.response, "another reading of the introduction's reduced effect of noise"
    yield regime.says("response-falls", says, gain, more, *both, basis="proposed", place=place)
    says = "a mildly pruned network learns at least 90 % of the dense network's signal"
    signals = (each.feature("signal_mean") for each in (mild, dense))
    kept = ps.combined(np.divide, *signals, label="pruned over dense", unit="signal learned")
    most, place = ps.Direction("greater", than=0.9), f"{INTRODUCTION}; 90 % is proposed here"
    yield regime.says("signal-kept", says, kept, most, *both, place=place, also=(generalizes(dense),))
    says = "training moves the weights of a mildly pruned network by more than their initial length"
    far, place = ps.Direction("greater", than=1.0), f"{INTRODUCTION}; the factor 1 is proposed here"
    yield regime.says("features-move", says, mild.displacement, far, mild, place=place)


def generalizes(dense: Networks) -> ps.Precondition:
    """The dense network has no test error to lose, as the theorem on mild pruning assumes."""
    error = among_trained(dense.error(), dense).map(lambda each: [np.median(each)], label="median", unit="% test error")
    return ps.Precondition("most dense networks generalize", error, at_most=GENERALIZES)


def error_figure(regimes: Sequence[Regime], claims: Iterable[ps.Claim]) -> ps.Figure:
    """The abstract's figure: both errors of every regime."""

    def series(of: Networks) -> dict[str, ps.Quantity]:
        guess = ps.constant(100 * of.setting.chance, replicates=len(of.runs))
        return {"test error": of.error(), "training error": of.error("train"), GUESSING: guess}

    return ps.Figure(
        "error",
        "Training and test error over the keep probability",
        caption="Error on the training and the test set after random pruning at initialization and training to the "
        "target loss. Medians over replicates, which differ in data, initial weights and mask; the band holds the "
        "middle half, thin lines are replicates. Runs that miss the target loss are left out.",
        rows=rows(regimes, series),
        plot=over_keep("error, %", references=(GUESSING,)),
        claims=tuple(claims),
    )


def loss_figure(regimes: Sequence[Regime], claims: Iterable[ps.Claim]) -> ps.Figure:
    """Where errors are tiny, losses still differ."""

    def series(of: Networks) -> dict[str, ps.Quantity]:
        guess = ps.constant(float(np.log(of.setting.classes)), replicates=len(of.runs))
        return {"test loss": of.loss(), "training loss": of.loss("train"), GUESSING: guess}

    return ps.Figure(
        "loss",
        "Training and test loss over the keep probability",
        caption="Every run stops at the same training loss, so all that differs is what it learned to get there. A "
        "test loss above that of guessing (log K, dashed) is confidently wrong. Medians and middle halves.",
        rows=rows(regimes, series),
        plot=over_keep("loss, nats", references=(GUESSING,), log_y=True),
        claims=tuple(claims),
    )


def feature_figure(regimes: Sequence[Regime], claims: Iterable[ps.Claim] = ()) -> ps.Figure:
    """Signal learned and noise memorized over the keep probability."""
    return ps.Figure(
        "features",
        "What is learned: signal and noise",
        caption="Signal learned: the largest product of a class's neurons with the signal of the class. Noise "
        "memorized: the largest product of a class's neurons with the noise patch of a training example, mean over the "
        "examples. Medians and middle halves.",
        rows=rows(regimes, lambda of: {label: of.feature(name) for name, label in quantities.FEATURES.items()}),
        plot=over_keep(quantities.PRODUCT),
        claims=tuple(claims),
    )


def fate_figure(regimes: Sequence[Regime]) -> ps.Figure:
    """Shares of dead classes, counted and predicted, and of runs that miss the target loss."""

    def table(of: Networks, results: ps.Results) -> ps.Table:
        shares = of.shares(results) | {"dead classes, predicted": 100 * of.setting.death(of.keep)}
        return [{"quantity": name, "keep": 100 * of.keep, "value": share} for name, share in shares.items()]

    return ps.Figure(
        "fate",
        "Dead classes and runs that do not train",
        caption="A class is dead if pruning leaves it no neuron that sees its signal with a positive weight: it can "
        "only memorize. Counted over replicates, and predicted by (1 - p / 2)^m for a sparse signal. Below, runs that "
        "reach their step limit before the target loss, or diverge.",
        rows=[
            ps.Computed(networks.dead_classes.nodes, partial(table, networks), {"panel": regime.name})
            for regime in regimes
            for networks in regime.networks.values()
        ],
        plot=over_keep("share, %"),
    )


def rows(regimes: Iterable[Regime], series: Callable[[Networks], Mapping[str, ps.Quantity]]) -> list[ps.Rows]:
    """Some series over the keep probability, one panel a regime."""
    return [
        ps.Rows(
            {"panel": regime.name, "quantity": label, "keep": 100 * networks.keep},
            {"trained": networks.trained, "value": quantity},
        )
        for regime in regimes
        for networks in regime.networks.values()
        for label, quantity in series(networks).items()
    ]


def over_keep(y_label: str, **more: Any) -> ps.Lines:
    """How these figures are drawn."""
    return medians("keep", "value", "quantity", quantities.KEPT, y_label, reverse_x=True, **more)
