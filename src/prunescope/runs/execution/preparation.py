"""How this machine will carry out a plan: by which engine, in which packs, for how many seconds.

Belongs here: choosing from what is measured. Does not belong here: measuring itself (`machine/`), the work
(`ensure.py`).
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prunescope.base.errors import UsageError
from prunescope.runs.execution.workbench import CHECKPOINT_SECONDS, Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.devices import device_named
from prunescope.runs.machine.engines import LOOP, EngineSetting, engine_named
from prunescope.runs.machine.inspections import inspections, slow_notes
from prunescope.runs.machine.pack_sizes import packing
from prunescope.runs.machine.packing import Packing
from prunescope.runs.machine.pricing import START_SECONDS, Cost, Prices, cost, prices
from prunescope.runs.store.plan import Plan
from prunescope.runs.store.store import Store
from prunescope.tasks.inspection import Inspection
from prunescope.tasks.kernels.kernel_config import Kernels, fastest
from prunescope.tasks.kernels.specialized import suits_channels_last

WORTH_SECONDS = 20.0
"""Seconds of work below which products are torch's: the others are compiled once a machine, which takes seconds."""


@dataclass(frozen=True)
class Prepared:
    """A plan, where it is carried out, and what was measured for it.

    plan: what is to be done.
    inspections: what the networks of the plan are.
    bench: makes runs and readings by the engine that was chosen.
    prices: of runs and readings by themselves.
    packing: which runs train together.
    alone: seconds of each piece of work by itself.
    seconds: the same where runs are packed.
    workers: how many will share it; 1 is this process.
    """

    plan: Plan
    inspections: list[Inspection]
    bench: Workbench
    prices: Prices
    packing: Packing
    alone: dict[str, float]
    seconds: dict[str, float]
    workers: int

    @property
    def cost(self) -> Cost:
        """What it will take."""
        return cost(self.plan, self.prices, self.seconds, workers=self.workers)

    @property
    def notes(self) -> list[str]:
        """What is worth a line: what is unusual about a network, what is slow, and how runs are packed."""
        unusual = [part.sentence for part in self.inspections if not part.is_usual]
        slow = slow_notes(job.recipe for job in self.plan.jobs.values())
        return [*dict.fromkeys(unusual), *slow, *self.packing.notes]


def prepare(
    plan: Plan,
    store: Store,
    *,
    workers: int | None = None,
    device: str = "cpu",
    engine: str | EngineSetting | None = None,
    stack: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Prepared:
    """Looks at the networks, measures what is not known of this machine, and chooses engine and packs unless given.

    workers: as `workers_for` takes it; by default 1 for less work than worker processes need to begin.
    engine: "loop", "lean", or a recorded setting; one run trains at a time then, unless `stack` says otherwise.
    stack: runs in one program; fewer where memory or the network does not admit so many.

    Raises UsageError for a device or an engine that this machine does not have, and for networks, losses and data that
    cannot be used as they are, a last batch of one example among them; CodeChanged for code that is not the stored
    runs'.
    """
    if engine is not None and stack is None:
        stack = 1
    looks = inspections(plan, store)
    make = partial(Workbench, store, device=device_named(device), checkpoint_seconds=checkpoint_seconds)
    bench = _bench(plan, make, engine)
    price = Prices(bench)
    alone = prices(plan, price)
    count = 1 if workers is None and sum(alone.values()) < START_SECONDS else workers_for(plan, workers, device)
    packs = packing(plan, alone, bench, workers=count, stack=stack)
    return Prepared(plan, looks, bench, price, packs, alone, packs.seconds(plan, alone), count)


def workers_for(plan: Plan, workers: int | None, device: str = "cpu") -> int:
    """How many workers a plan gets: never more than it has pieces of work.

    By default one a core that this process may use; on a GPU one, whose programs hold many runs.

    Raises UsageError for fewer than one.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers={workers} is not possible; use 1 or more")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    default = max(1, cores) if device == "cpu" else 1
    return min(workers or default, max(1, len(plan.work)))


def _bench(plan: Plan, make: Callable[..., Workbench], engine: str | EngineSetting | None) -> Workbench:
    """A workbench with the named engine, or the fastest, and the products for this machine.

    On a CPU "lean" does what "loop" does with fewer copies, so that only the order in which images lie is chosen, by
    the price of all the work: pixel by pixel is faster for narrow convolutions and may not be for wide ones.

    On a GPU three are compared by price: "loop", "lean", and "lean" with images pixel by pixel.

    make: makes a workbench of a setting.
    """
    if isinstance(engine, EngineSetting):
        return make(setting=engine)
    if engine is not None and engine_named(engine) == "loop":
        return make(setting=LOOP)
    lean = make(setting=EngineSetting(engine="lean"))
    if lean.device == "cpu":
        return _on_cpu(plan, lean, make)
    if engine is not None:
        return lean
    channels_last = make(setting=EngineSetting(engine="lean", kernels=Kernels(channels_last=True)))
    return _cheapest(plan, [make(setting=LOOP), lean, channels_last])


def _on_cpu(plan: Plan, lean: Workbench, make: Callable[..., Workbench]) -> Workbench:
    if _work(plan, lean) < WORTH_SECONDS:
        return lean
    best = fastest()
    options = [best]
    recipes = {job.recipe.task.network.id: job.recipe for job in plan.jobs.values()}
    if any(_has_images(recipe, lean, best) for recipe in recipes.values()):
        options.append(best.replace(channels_last=False))
    return _cheapest(plan, [make(setting=lean.setting.replace(kernels=kernels)) for kernels in options])


def _has_images(recipe: Recipe, bench: Workbench, kernels: Kernels) -> bool:
    """Whether a network has a convolution for which it matters in which order images lie."""
    try:
        return suits_channels_last(bench.model(recipe).template(train=False), kernels.least)
    except Exception:  # the user's network; the run meets this, too
        return False


def _cheapest(plan: Plan, benches: Sequence[Workbench]) -> Workbench:
    """Where all the work costs least; nothing is measured where there is no choice."""
    return benches[0] if len(benches) == 1 else min(benches, key=lambda bench: _work(plan, bench))


def _work(plan: Plan, bench: Workbench) -> float:
    """Seconds of all the work."""
    return sum(prices(plan, Prices(bench)).values())
