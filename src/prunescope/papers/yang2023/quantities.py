"""What is read of the signal-and-noise networks: errors, losses, signal and noise of runs that reached their target.

Belongs here: the replicates of one network and their numbers. Does not belong here: the setting (`scales.py`), claims.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

import prunescope as ps
from prunescope.base.reference import FINAL
from prunescope.measures import NoiseResponse, SignalAndNoise, SignalNeurons, WeightVector
from prunescope.measures.measure import SplitName
from prunescope.papers.readings import risk_on_train
from prunescope.papers.yang2023 import PAPERS
from prunescope.papers.yang2023.scales import NOTES, Setting, pruned
from prunescope.runs.store.results import Failed, Missing
from prunescope.studies import Node
from prunescope.studies.claim import Basis
from prunescope.studies.results import scalar

PRUNED = ps.Moment(when="after", at="0it")
KEPT = "weights kept at initialization, %"
SPLITS: dict[SplitName, str] = {"test": "test", "train": "training"}
PRODUCT = "product of weights and patch"
FEATURES = {
    "signal_mean": "signal, mean over classes",
    "signal_min": "signal, worst class",
    "noise_mean": "noise memorized",
}
"""The largest product of a class's neurons with its signal, and with the noise patches of its training examples."""


@dataclass(frozen=True)
class Networks:
    """The replicates of one network, which differ in data, initial weights and mask.

    setting: data, network and training.
    keep: the share of weights that is kept at initialization.
    runs: one recipe a replicate.

    Every number of a trained network is not a number where a run missed its target loss.
    """

    setting: Setting
    keep: float
    runs: tuple[ps.Recipe, ...]

    @cached_property
    def trained(self) -> ps.Quantity:
        """Whether each run reached its target loss within its step limit; one that diverged did not."""
        nodes, places = (*self.runs, *self._training_risks), range(len(self.runs))
        return ps.Quantity("", "", nodes, lambda results: [self.is_trained(results, number) for number in places])

    def is_trained(self, results: ps.Results, number: int) -> bool | float:
        """The same of one replicate; not a number where that is unknown, which no run that is there is."""
        try:
            steps = float(results[self.runs[number]]["steps"])
        except Failed:
            return False
        if self.setting.target is None:
            return np.nan if np.isnan(steps) else True
        if steps < self.setting.most_steps:
            return True
        loss = float(results[self._training_risks[number]]["loss"])
        return np.nan if np.isnan(steps + loss) else loss <= self.setting.target

    def error(self, split: SplitName = "test") -> ps.Quantity:
        """On the test or the training set."""
        return self._read(ps.Risk(split=split), "error", f"percentage points of {SPLITS[split]} error", scale=100)

    def loss(self, split: SplitName = "test") -> ps.Quantity:
        """Mean over the test or the training set."""
        return self._read(ps.Risk(split=split), "loss", "nats")

    def feature(self, name: str) -> ps.Quantity:
        """Signal learned or noise memorized, by a name among `FEATURES`."""
        return self._read(SignalAndNoise(signal=self.setting.signal), name, PRODUCT)

    @property
    def response(self) -> ps.Quantity:
        """How much fresh noise alone moves the logits."""
        unit = "logits, standard deviation over fresh noise"
        return self._read(NoiseResponse(signal=self.setting.signal), "response_mean", unit)

    @property
    def displacement(self) -> ps.Quantity:
        """How far training moved the weights from where pruning left them; every weight is stored for it."""
        before, after = self._at(PRUNED, WeightVector()), self._at(FINAL, WeightVector())

        def relative(results: ps.Results, number: int) -> float:
            start, end = (results[nodes[number]]["weights"].astype(np.float64) for nodes in (before, after))
            return float(np.linalg.norm(end - start) / np.linalg.norm(start))

        return self.of_trained(relative, (*before, *after), "displacement over initial length")

    @property
    def dead_classes(self) -> ps.Quantity:
        """Classes that pruning left without any usable signal neuron."""
        return self._read(SignalNeurons(signal=self.setting.signal), "dead", "classes", moment=PRUNED)

    def shares(self, results: ps.Results) -> dict[str, float]:
        """Percent of dead classes and of runs that were not trained, over the replicates of which that is known."""
        neurons = self._at(PRUNED, SignalNeurons(signal=self.setting.signal))
        classes = self.setting.classes
        dead = [100 * float(results[node]["dead"]) / classes for node in neurons if node in results]
        missed: list[float] = []
        for number in range(len(self.runs)):
            with suppress(Missing):
                missed.append(100 * (1 - self.is_trained(results, number)))
        means = {"dead classes": dead, "runs not trained": missed}
        return {name: float(np.mean(share)) for name, share in means.items() if share}

    def _read(
        self, measure: ps.Measure, name: str, unit: str, *, scale: float = 1.0, moment: ps.Moment = FINAL
    ) -> ps.Quantity:
        nodes = self._at(moment, measure)

        def value(results: ps.Results, number: int) -> float:
            return scale * scalar(results[nodes[number]], node=nodes[number], name=name)

        return self.of_trained(value, nodes, unit)

    def of_trained(self, read: Callable[[ps.Results, int], float], nodes: Iterable[Node], unit: str) -> ps.Quantity:
        """A number of every network by its place, read only where the run reached its target."""

        def values(results: ps.Results) -> list[float]:
            trained = [self.is_trained(results, number) is True for number in range(len(self.runs))]
            return [read(results, number) if it else np.nan for number, it in enumerate(trained)]

        label = "dense" if self.keep == 1 else "pruned"
        return ps.Quantity(label, unit, (*nodes, *self.trained.nodes), values)

    def _at(self, moment: ps.Moment, measure: ps.Measure) -> list[ps.Reading]:
        return [ps.Reading(measure=measure, state=ps.StateRef(run=run, moment=moment)) for run in self.runs]

    @cached_property
    def _training_risks(self) -> list[ps.Reading]:
        return [risk_on_train(run) for run in self.runs]


def study(doc: str | None, settings: ps.Value, scale: str, figures: Iterable[ps.Figure], *notes: str) -> ps.Study:
    """A study of the model, whose name and question are those of its module's docstring."""
    of_model = ps.Study(*ps.titled(doc), settings=settings, scale=scale, figures=tuple(figures))
    return replace(of_model, paper=PAPERS["yang2023"], recalled=True, notes=(*NOTES, *notes))


def medians(x: str, y: str, series: str, x_label: str, y_label: str, **more: Any) -> ps.Lines:
    """A plot of medians over replicates and their middle half: where classes may be dead, numbers have two modes."""
    plot = ps.Lines(x, y, series=series, x_label=x_label, y_label=y_label, log_x=True)
    return replace(plot, centre="median", band="quartiles", **more)


def sweep(setting: Setting, keeps: Iterable[float], replicates: int) -> dict[float, Networks]:
    """The networks of a setting by keep probability; a replicate has the same data and weights at all of them."""
    dense = [setting.dense(number) for number in range(replicates)]
    return {keep: Networks(setting, keep, tuple(pruned(run, keep) for run in dense)) for keep in keeps}


def among_trained(quantity: ps.Quantity, *networks: Networks) -> ps.Quantity:
    """The numbers of the replicates that reached their target in all these networks: [how many do]."""
    trained = [each.trained for each in networks]
    selected = ps.combined(lambda values, *those: values[np.logical_and.reduce(those)], quantity, *trained)
    return selected.named(quantity.label, quantity.unit)


def among(
    name: str,
    says: str,
    quantity: ps.Quantity,
    region: ps.Region,
    *networks: Networks,
    place: str,
    basis: Basis = "proposed",
    also: tuple[ps.Precondition, ...] = (),
) -> ps.Claim:
    """A claim about the replicates that reach their target in all of some networks, which most must do.

    also: what must hold besides.
    """
    ready = (are_trained(*networks), *also)
    trained = among_trained(quantity, *networks)
    return ps.Claim(name, says, trained, region, basis=basis, place=place, preconditions=ready)


def among_dead(networks: Networks) -> ps.Quantity:
    """Test errors of the trained networks in which no class has a usable signal neuron."""
    errors, classes = networks.error(), networks.setting.classes
    dead = ps.combined(lambda values, dead: values[dead == classes], errors, networks.dead_classes)
    return dead.named("all classes dead", errors.unit)


def are_trained(*networks: Networks, at_least: float = 80.0) -> ps.Precondition:
    """Most replicates reached their target loss at these keep probabilities; the share is proposed."""
    keeps = ", ".join(f"{each.keep:g}" for each in networks)
    says = f"runs that keep {keeps} of their weights reach the target training loss"
    trained = [each.trained for each in networks]
    share = ps.combined(lambda *those: [100 * np.mean(np.logical_and.reduce(those))], *trained, unit="% of replicates")
    return ps.Precondition(says, share, at_least=at_least)
