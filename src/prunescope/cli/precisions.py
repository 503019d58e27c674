"""What the same plan would take in the other precision of training: measured and told, never chosen unasked.

Results differ, and ids with them, so a faster precision is the user's choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunescope.cli.orders import Machine
    from prunescope.runs.store.plan import Plan
    from prunescope.runs.store.store import Store

WORTH_SECONDS = 60.0
"""Plans that take less are left alone: looking costs seconds itself."""
WORTH = 0.8
"""Of the time in this precision."""


def faster_precision(plan: Plan, store: Store, machine: Machine, clock: float) -> str:
    """A sentence on the other precision where the rest of a plan takes much less time in it, else empty.

    clock: seconds in the precision that the plan has. On a GPU, and for bfloat16 on a processor without instructions
    for it, nothing is measured.
    """
    from prunescope.runs.execution.display import duration
    from prunescope.runs.graph.recipe import Recipe
    from prunescope.runs.machine.devices import has_bfloat16
    from prunescope.runs.store.plan import plan as plan_of
    from prunescope.studies.precision import InPrecision
    from prunescope.training.loop import Precision

    found = {run.precision for run in plan.runs if isinstance(run, Recipe)}
    other: Precision = "bfloat16" if found == {"float32"} else "float32"
    if clock < WORTH_SECONDS or machine.device != "cpu" or len(found) != 1:
        return ""
    if other == "bfloat16" and not has_bfloat16():
        return ""
    exchanged = InPrecision(other)
    rest = plan_of([exchanged(node) for node in plan.nodes.values()], store).feasible()
    instead = machine.prepare(rest, store).cost.clock
    if instead > WORTH * clock:
        return ""
    why = "" if has_bfloat16() else "; this processor has no instructions for bfloat16 and emulates it"
    return (
        f"With -s precision={other} it would take about {duration(instead)}{why}. Results then differ by rounding, and "
        "are stored as runs of their own."
    )
