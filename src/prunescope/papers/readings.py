"""The readings that networks of every study share; which networks there are, each paper's points say."""

from collections.abc import Mapping
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


EarlyScore = Literal["el2n", "grand"]
"""Scores of training examples that are taken early in training."""
EARLY_SCORES: Mapping[EarlyScore, ps.Measure] = {"el2n": EL2N(), "grand": GraNd()}


def noise_name(noise: float) -> str:
    """A noise level for people: "no label noise", "15 % label noise"."""
    return f"{100 * noise:g} % label noise" if noise else "no label noise"
