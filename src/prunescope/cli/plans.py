"""A plan in words and numbers, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.text import Text

from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.cli.orders import Machine, Order, patience
from prunescope.cli.screen import answers, messages, size, table
from prunescope.runs.graph.nodes import Measured, Trace
from prunescope.runs.graph.recipe import Recipe

if TYPE_CHECKING:
    from prunescope.runs.execution.preparation import Prepared
    from prunescope.runs.store.plan import Job, Plan
    from prunescope.runs.store.store import Store

NUMBERS = ("needed", "stored", "failed", "to do")
WORTH_SECONDS = 60.0
"""Plans that take less are not priced in the other precision: looking costs seconds itself."""
WORTH = 0.8
"""Of the time in this precision."""


def print_priced(order: Order, folder: str, machine: Machine, *, as_json: bool = False) -> None:
    """Prints the plan of what was asked for; images of the shape of published data that are missing stand in."""
    from prunescope.tasks.data.stand_in import stand_ins

    with stand_ins() as missing:
        print_plan(order, folder, machine, as_json=as_json)
    for name in missing:
        text = f"{name} is not here: images of its shape stood in, and no run on it counts as stored; "
        messages().print(Text(f"{text}`prunescope data get {name}` downloads it"), soft_wrap=True)


def print_plan(order: Order, folder: str, machine: Machine, *, as_json: bool = False) -> None:
    """Prints what a study is about, what it needs, what is stored, and what the rest costs.

    Where replicates are added until claims are decided it is that of the most, with the cost of the first look.
    """
    from prunescope.runs.store.plan import plan as plan_of
    from prunescope.runs.store.store import Store

    store, console = Store(folder), answers()
    study = order.at(order.most) if order.most else order.study
    with patience():
        todo = plan_of(study.nodes, store)
    kinds, (price, sentences) = groups(todo), _priced(todo, store, machine)
    sentences += [_first_look(order, store, machine)] if order.most else []
    if as_json:
        console.print_json(json.dumps({"study": study.name, "kinds": kinds, "price": price, "notes": sentences}))
        return
    console.print(Text(study.scale), soft_wrap=True)
    rows = table("kind", *NUMBERS, right=NUMBERS)
    for kind, counts in kinds.items():
        rows.add_row(Text(kind), *(str(counts[name]) for name in NUMBERS))
    console.print(rows)
    for sentence in sentences:
        console.print(Text(sentence), soft_wrap=True)


def _first_look(order: Order, store: Store, machine: Machine) -> str:
    from prunescope.runs.execution.display import duration
    from prunescope.runs.store.plan import plan as plan_of
    from prunescope.studies.looks import FIRST

    price, _ = _priced(plan_of(order.at(FIRST).nodes, store), store, machine)
    costs = f"takes about {duration(price['clock'])} of it" if price else "needs nothing more"
    return f"That is {order.most} replicates, added until claims are decided: the first look, at {FIRST}, {costs}."


def _priced(todo: Plan, store: Store, machine: Machine) -> tuple[dict[str, Any] | None, list[str]]:
    """What the rest of a plan costs in seconds and bytes, None where nothing is left, and sentences about it."""
    from prunescope.runs.execution.display import duration

    rest, said = todo.feasible(), []
    if blocked := len(todo.work) - len(rest.work):
        said.append(f"{blocked} of these need a run that failed and will not be tried.")
    if not rest.work:
        return None, [*said, "Nothing is left to do."]
    prepared = _prepared(rest, store, machine)
    price, count = prepared.cost, prepared.workers
    said += [*prepared.notes, *pack_sentences(prepared), f"Runs are trained by {prepared.bench.setting.sentence}."]
    said.append(
        f"The rest takes about {duration(price.clock)} with {count} worker{'s' if count > 1 else ''} on "
        f"{machine.device} ({duration(price.work)} of work, {duration(price.longest)} on the longest path) "
        f"and at most {size(price.disk)} of disk, as measured on this machine, with its cores free."
    )
    if bound := rest.open_ended():
        said.append(f"{bound} of these depend on results or may stop early; they are priced at the most they can cost.")
    if advice := faster_precision(todo, store, machine, price.clock):
        said.append(advice)
    return {**vars(price), "workers": count, "device": machine.device}, said


def _prepared(plan: Plan, store: Store, machine: Machine) -> Prepared:
    """A plan with its cost, as it would be carried out."""
    from prunescope.runs.execution.preparation import prepare

    return prepare(
        plan, store, workers=machine.workers, device=machine.device, engine=machine.engine, stack=machine.stack
    )


def faster_precision(plan: Plan, store: Store, machine: Machine, clock: float) -> str:
    """A sentence on the other precision where the rest of a plan takes much less time in it, else empty.

    It is told, never chosen unasked: results differ, and ids with them. On a GPU, and for bfloat16 on a processor
    without instructions for it, nothing is measured.

    clock: seconds in the precision that the plan has.
    """
    from prunescope.runs.execution.display import duration
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
    instead = _prepared(rest, store, machine).cost.clock
    if instead > WORTH * clock:
        return ""
    why = "" if has_bfloat16() else "; this processor has no instructions for bfloat16 and emulates it"
    return (
        f"With -s precision={other} it would take about {duration(instead)}{why}. Results then differ by rounding, and "
        "are stored as runs of their own."
    )


def pack_sentences(prepared: Prepared) -> list[str]:
    """How many runs of what train in how many programs, and the share of their price that it saves."""
    packing = prepared.packing
    by_name: dict[str, list[Job]] = {}
    for job in prepared.plan.jobs.values():
        if packing.size(job.recipe) > 1:
            by_name.setdefault(job.recipe.task.network.path.rpartition(":")[2], []).append(job)
    sentences = []
    for name, jobs in by_name.items():
        alone = sum(prepared.alone[job.id] for job in jobs)
        packed = sum(prepared.seconds[job.id] for job in jobs)
        most = max(packing.size(job.recipe) for job in jobs)
        change = 100 * (1 - packed / max(alone, 1e-12))
        sentences.append(
            f"{len(jobs)} runs of {name} train up to {most} in one program, "
            f"{abs(change):.0f} % {'cheaper' if change >= 0 else 'dearer'} than each by itself."
        )
    return sentences


def groups(plan: Plan) -> dict[str, Counter[str]]:
    """The runs, traces and readings of a plan by kind: how many are needed, stored, stored as failed, left."""
    counts: dict[str, Counter[str]] = {}
    blocked = plan.downstream(plan.failed)
    for kind in (Recipe, Trace, Measured):
        for node in plan.nodes.values():
            if isinstance(node, kind):
                failed, stored = int(node.id in plan.failed), int(_is_stored(node, plan, blocked))
                one = {"needed": 1, "stored": stored, "failed": failed, "to do": 1 - max(failed, stored)}
                counts.setdefault(_kind(node), Counter()).update(one)
    return counts


def _is_stored(node: Value, plan: Plan, blocked: set[str]) -> bool:
    if isinstance(node, Trace):
        job = plan.jobs.get(node.run.id)
        return node.id not in blocked and (job is None or node.probe not in job.probes)
    return node.id not in plan.work and node.id not in plan.failed


def _kind(node: Value) -> str:
    """The kind of a node, for people."""
    if isinstance(node, Measured):
        return f"reading: {_title(node.of)}"
    if isinstance(node, Trace):
        return f"trace: {_title(node.probe)}"
    assert isinstance(node, Recipe)
    network, noise = node.task.network, node.task.data.label_noise
    name = network.path.rpartition(":")[2] + (" scaled" if network.args.get("scale", 1.0) != 1.0 else "")
    noisy = f", noise {100 * noise:g} %" if noise else ""
    start = "continued" if isinstance(node.start, StateRef) else "from scratch"
    interventions = ", ".join(dict.fromkeys(type(value).__name__ for value in node.interventions))
    return f"run: {name}{noisy}, {start}{', ' if interventions else ''}{interventions}"


def _title(value: Value) -> str:
    split = getattr(value, "split", "")
    return type(value).__name__ + (f" on {split}" if split else "")
