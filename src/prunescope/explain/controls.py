"""Controls: other ways to a lower error than pruning, each against the dense network of its replicate."""

from prunescope.base.errors import UsageError
from prunescope.explain.design import DENSE, Design
from prunescope.measures import Examples
from prunescope.runs.graph.families import final, in_iterations
from prunescope.runs.graph.nodes import Combined, Reading, Trace
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.studies import Quantity, arrays
from prunescope.studies.selection import stopped_early
from prunescope.training.probes import Curve


def controls(design: Design) -> tuple[dict[str, Quantity], list[str]]:
    """What each control changes in test error, [R], by its name, and why others cannot be had."""
    error = design.outcomes[0]
    dense = design.value(DENSE, error)
    found, missing = {"early stopping": _early_stopping(design).named("", error.unit) - dense}, []
    ways = {"the schedule stretched to as many steps": _stretched, "without what pruning gives up": _leave_out}
    for name, way in ways.items():
        try:
            found[name] = design.read(way(design), error) - dense
        except UsageError as problem:
            missing.append(f"There is no control '{name}': {problem}.")
    return found, missing


def _early_stopping(design: Design) -> Quantity:
    """Test error of the dense network after the epoch that is best for the other replicates."""
    curves = [Trace(probe=Curve(split="test"), run=run) for run in design.dense]
    return arrays(curves, "error", scale=100.0 if design.base.task.target.decides else 1.0).map(stopped_early)


def _stretched(design: Design) -> list[Recipe]:
    """Dense networks with one schedule as long as all of the pruned network's."""
    clock = design.base.clock()
    steps = clock.total + design.how.levels * (clock.total - clock.steps(design.how.rewind))
    return [in_iterations(run, steps) for run in design.dense]


def _leave_out(design: Design) -> list[Recipe]:
    """Dense networks trained without the examples that the dense one learns and the pruned one does not."""
    design.base.task.target.require_decisions("leaving out what pruning gives up")
    found = []
    for pair in zip(design.dense, design.recipes(design.pruned), strict=True):
        inputs = tuple(Reading(measure=Examples(split="train"), state=final(run)) for run in pair)
        kept = Combined(function="prunescope.measures.combine:not_given_up", inputs=inputs)
        rule = Subset(source=kept, rule="prunescope.studies.subsets:only_where", args={"name": "kept", "is_true": True})
        found.append(in_iterations(pair[0]).replace(examples=rule))
    return found
