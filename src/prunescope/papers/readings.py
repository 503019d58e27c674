"""The readings that networks of every study share; which networks there are, each paper's points say."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Literal

import prunescope as ps
from prunescope.measures import EL2N, GraNd


def at_end(run: ps.Value, measure: ps.Measure) -> ps.Reading:
    """A measure of the last state of a run."""
    return ps.Reading(measure=measure, state=ps.final(run))


def risk_on_test(run: ps.Value) -> ps.Reading:
    """Error and loss on the test set at the end of a run."""
    return at_end(run, ps.Risk(split="test"))


def risk_on_train(run: ps.Value) -> ps.Reading:
    """Error and loss on the training set at the end of a run, and their parts on flipped labels."""
    return at_end(run, ps.Risk(split="train"))


def layer_sparsity(run: ps.Value) -> ps.Reading:
    """The share of zeros at the end of a run, in all and of every layer."""
    return at_end(run, ps.LayerSparsity())


class Trained:
    """What every paper's point has: the recipe of one network, and its risks on the test and the training set."""

    recipe: ps.Recipe

    test = cached_property(lambda self: risk_on_test(self.recipe))
    train = cached_property(lambda self: risk_on_train(self.recipe))


EarlyScore = Literal["el2n", "grand"]
"""Scores of training examples that are taken early in training."""
EARLY_SCORES: Mapping[EarlyScore, ps.Measure] = {"el2n": EL2N(), "grand": GraNd()}


def early_score(members: Iterable[ps.Recipe], score: EarlyScore = "el2n") -> ps.Combined:
    """The score of every training example, mean over an ensemble (`families.ensemble`): {score: float64 [N]}.

    Source: Paul et al. 2021.
    """
    readings = [at_end(run, EARLY_SCORES[score]) for run in members]
    return ps.Combined(function="prunescope.measures.combine:mean", inputs=tuple(readings))


def noise_name(noise: float) -> str:
    """A noise level for people: "no label noise", "15 % label noise"."""
    return f"{100 * noise:g} % label noise" if noise else "no label noise"
