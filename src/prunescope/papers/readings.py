"""The readings that networks of every study share; which networks there are, each paper's points say."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import prunescope as ps
from prunescope.measures import EL2N, GraNd


def risk_on_test(run: ps.Value) -> ps.Reading:
    """Error and loss on the test set at the end of a run."""
    return ps.Reading(measure=ps.Risk(split="test"), state=ps.final(run))


def risk_on_train(run: ps.Value) -> ps.Reading:
    """Error and loss on the training set at the end of a run, and their parts on flipped labels."""
    return ps.Reading(measure=ps.Risk(split="train"), state=ps.final(run))


class Trained:
    """What every paper's point has: the recipe of one network, and its risks."""

    recipe: ps.Recipe

    @cached_property
    def test(self) -> ps.Reading:
        """Error and loss on the test set."""
        return risk_on_test(self.recipe)

    @cached_property
    def train(self) -> ps.Reading:
        """Error and loss on the training set, on original and on flipped labels."""
        return risk_on_train(self.recipe)


def layer_sparsity(run: ps.Value) -> ps.Reading:
    """The share of zeros at the end of a run, in all and of every layer."""
    return ps.Reading(measure=ps.LayerSparsity(), state=ps.final(run))


EarlyScore = Literal["el2n", "grand"]
"""Scores of training examples that are taken early in training."""
EARLY_SCORES: Mapping[EarlyScore, ps.Measure] = MappingProxyType({"el2n": EL2N(), "grand": GraNd()})


def early_score(members: Iterable[ps.Recipe], score: EarlyScore = "el2n") -> ps.Combined:
    """The score of every training example, mean over an ensemble (`families.ensemble`): {score: float64 [N]}.

    Source: Paul et al. 2021.
    """
    readings = [ps.Reading(measure=EARLY_SCORES[score], state=ps.final(run)) for run in members]
    return ps.Combined(function="prunescope.measures.combine:mean", inputs=tuple(readings))
