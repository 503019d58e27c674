"""Controls: other ways to a lower error than pruning, each against the dense network of its replicate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.explain.design import DENSE, Design
from prunescope.measures import Examples
from prunescope.runs.graph.families import final, in_iterations
from prunescope.runs.graph.nodes import Combined, Reading, Trace
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.studies import Quantity, arrays
from prunescope.studies.results import Numbers
from prunescope.training.probes import Curve

Values = Mapping[str, NDArray[Any]]


def controls(design: Design) -> tuple[dict[str, Quantity], list[str]]:
    """What each control changes in test error, [R], and why others cannot be had."""
    dense = design.value(DENSE, design.outcomes[0])
    unit, percent = dense.unit, 100.0 if design.base.task.target.decides else 1.0
    found = {"early stopping": _early_stopping(design, percent).named("early stopping", unit) - dense}
    ways = {
        "the schedule stretched to as many steps": _stretched,
        "without the examples that pruning gives up": _leave_out,
    }
    missing = []
    for name, way in ways.items():
        try:
            readings = [Reading(measure=Examples(split="test"), state=final(run)) for run in way(design)]
        except UsageError as problem:
            missing.append(f"No control '{name}': {problem}.")
            continue
        found[name] = Quantity(name, unit, tuple(readings), _errors(readings, design)) - dense
    return found, missing


def _errors(readings: Sequence[Reading], design: Design) -> Any:
    return lambda results: [design.outcomes[0].on(results[reading], slice(None)) for reading in readings]


def _early_stopping(design: Design, percent: float) -> Quantity:
    """Test error of the dense network after the epoch that is best for the other replicates."""

    def judged(errors: Numbers) -> Numbers:
        others = (errors.sum(axis=0) - errors) / (len(errors) - 1)
        return np.asarray(errors[np.arange(len(errors)), others.argmin(axis=1)])

    curves = [Trace(probe=Curve(split="test"), run=run) for run in design.dense]
    return arrays(curves, "error", scale=percent).map(judged)


def _stretched(design: Design) -> list[Recipe]:
    """Dense networks with one schedule as long as all of the pruned network's."""
    clock = design.base.clock()
    steps = clock.total + design.levels * (clock.total - clock.steps(design.rewind))
    return [in_iterations(run, steps) for run in design.dense]


def _leave_out(design: Design) -> list[Recipe]:
    """Dense networks trained without the examples that the dense one learns and the pruned one does not."""
    design.base.task.target.require_decisions("leaving out what pruning gives up")
    found = []
    for pair in zip(design.dense, design.recipes(design.pruned), strict=True):
        inputs = tuple(Reading(measure=Examples(split="train"), state=final(run)) for run in pair)
        fate = Combined(function="prunescope.explain.controls:fate", inputs=inputs)
        kept = Subset(source=fate, rule="prunescope.studies.subsets:only_where", args={"name": "kept", "is_true": True})
        found.append(in_iterations(pair[0]).replace(examples=kept))
    return found


def fate(values: Sequence[Values]) -> dict[str, NDArray[np.bool_]]:
    """Which training examples are not given up, from `Examples` of the dense and the pruned network: {"kept": [N]}.

    Given up is what the dense network gets right and the pruned one does not.
    """
    dense, pruned = (value["correct"] for value in values)
    return {"kept": ~(dense & ~pruned)}
