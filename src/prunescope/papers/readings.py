"""The readings that networks of every study share; which networks there are, each paper's points say."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from prunescope.base.value import Value
from prunescope.measures import EL2N, GraNd, LayerSparsity, Risk
from prunescope.measures.measure import Measure
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe


def risk_on_test(run: Value) -> Reading:
    """Error and loss on the test set at the end of a run."""
    return Reading(measure=Risk(split="test"), state=final(run))


def risk_on_train(run: Value) -> Reading:
    """Error and loss on the training set at the end of a run, and their parts on flipped labels."""
    return Reading(measure=Risk(split="train"), state=final(run))


class Trained:
    """What every paper's point has: the recipe of one network, and its risks."""

    recipe: Recipe

    @cached_property
    def test(self) -> Reading:
        """Error and loss on the test set."""
        return risk_on_test(self.recipe)

    @cached_property
    def train(self) -> Reading:
        """Error and loss on the training set, on original and on flipped labels."""
        return risk_on_train(self.recipe)


def layer_sparsity(run: Value) -> Reading:
    """The share of zeros at the end of a run, in all and of every layer."""
    return Reading(measure=LayerSparsity(), state=final(run))


EarlyScore = Literal["el2n", "grand"]
"""Scores of training examples that are taken early in training."""
EARLY_SCORES: Mapping[EarlyScore, Measure] = MappingProxyType({"el2n": EL2N(), "grand": GraNd()})


def early_score(members: Iterable[Recipe], score: EarlyScore = "el2n") -> Combined:
    """The score of every training example, mean over an ensemble (`families.ensemble`): {score: float64 [N]}.

    Source: Paul et al. 2021.
    """
    readings = [Reading(measure=EARLY_SCORES[score], state=final(run)) for run in members]
    return Combined(function="prunescope.measures.combine:mean", inputs=tuple(readings))
