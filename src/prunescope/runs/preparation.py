"""How this machine will carry out a plan: by which engine, in which packs, for how many seconds.

Belongs here: from a plan to all that is measured before anything runs. Does not belong here: measuring itself
(`calibration.py`, `pricing.py`, `stacking.py`), the work (`execute.py`).
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prunescope.base.errors import UsageError
from prunescope.runs.calibration import for_stacks, kernels, known_kernels
from prunescope.runs.engines import LOOP, EngineSetting, Wanted, engine_named
from prunescope.runs.packing import Packing
from prunescope.runs.placement import device_named
from prunescope.runs.plan import Plan, prices
from prunescope.runs.pricing import Prices
from prunescope.runs.stacking import in_packs, may_stack, packing
from prunescope.runs.store import Store
from prunescope.runs.workbench import CHECKPOINT_SECONDS, Workbench
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.kernels.specialized import has_large_filters
from prunescope.tasks.model import Model, Network

WORTH_SECONDS = 20.0
"""Products are measured for work of at least so many seconds; measuring takes up to three."""


@dataclass(frozen=True)
class Prepared:
    """A plan, where it is carried out, and what was measured for it.

    alone, seconds: the price of each piece of work by itself, and where runs are packed as `packed` says.
    """

    left: Plan
    bench: Workbench
    prices: Prices
    packed: Packing
    alone: dict[str, float]
    seconds: dict[str, float]


def prepare(
    left: Plan,
    store: Store,
    *,
    workers: int,
    device: str = "cpu",
    engine: str | None = None,
    stack: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Prepared:
    """Measures what is not known of this machine and chooses engine and packs, unless they are given.

    engine: "loop", "lean" or "compiled", which is priced as "lean" is: compiling every kind of run to price it takes
    minutes. An engine that is named trains one run at a time unless `stack` says otherwise. stack: runs in one program;
    fewer where memory or the network does not admit so many.

    Raises UsageError for a device or an engine that is not here, and for stacks of a compiled network.
    """
    if engine == "compiled" and stack not in (None, 1):
        raise UsageError(
            f"engine 'compiled' trains one run at a time, not stack={stack}; leave one of the two out"
        )
    if engine is not None and stack is None:
        stack = 1
    here = partial(Workbench, store, device=device_named(device), checkpoint_seconds=checkpoint_seconds)
    bench = _bench(left, here, engine, stacks=may_stack(left, stack))
    plain = bench.setting.replace(kernels=bench.setting.kernels.replace(compiled=False))
    measured = here(setting=plain) if plain != bench.setting else bench
    known = Prices(measured)
    alone = prices(left, known)
    packed = packing(left, alone, measured, workers=workers, stack=stack)
    return Prepared(left, bench, known, packed, alone, in_packs(left, alone, packed))


def default_workers(device: str = "cpu") -> int:
    """One worker a core that this process may use; a GPU is one worker's, whose programs hold many runs."""
    if device != "cpu":
        return 1
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def workers_for(left: Plan, workers: int | None, device: str = "cpu") -> int:
    """How many workers a plan gets: as asked for, by default one a core or one a GPU, and no more than there is work.

    Raises UsageError for fewer than one.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers={workers} is not possible; use 1 or more")
    return min(workers or default_workers(device), max(1, len(left.left)))


def _bench(left: Plan, here: Callable[..., Workbench], engine: str | None, *, stacks: bool) -> Workbench:
    """Where runs are trained by a named engine or the fastest, with the products measured for this machine.

    On a CPU "lean" does what "loop" does with fewer copies, so that only products are measured, and in which order
    images lie, by the price of all the work: pixel by pixel is faster for narrow convolutions and may not be for wide
    ones. For little work nothing is, and products are torch's own. On a GPU the two, "lean" with images pixel by pixel,
    and steps played from a recording are compared by price. "compiled" is never chosen unasked: it takes half a minute
    for every network. here: makes a workbench of a setting. stacks: whether their switch point is of interest.
    """
    plain = here(setting=EngineSetting(engine="lean"))
    named = None if engine is None else engine_named(engine, plain.device)
    if named == "loop":
        return here(setting=LOOP)
    fastest = (
        _on_cpu(left, plain, here, stacks) if plain.device == "cpu" else _on_gpu(left, plain, here, named)
    )
    if named != "compiled":
        return fastest
    setting = fastest.setting
    return here(setting=setting.replace(kernels=setting.kernels.replace(compiled=True)))


def _on_cpu(left: Plan, plain: Workbench, here: Callable[..., Workbench], stacks: bool) -> Workbench:
    known = known_kernels(plain.store)
    if known is None:
        if _work(left, plain) < WORTH_SECONDS:
            return plain
        known = kernels(plain.store)
    if stacks:
        known = for_stacks(plain.store, known)
    among = [known]
    networks = {job.recipe.task.network.id: job.recipe.task.network for job in left.jobs.values()}
    if known.channels_last and any(_has_images(network, plain, known) for network in networks.values()):
        among.append(known.replace(channels_last=False))
    return _cheapest(left, [here(setting=plain.setting.replace(kernels=kernels)) for kernels in among])


def _has_images(network: Network, plain: Workbench, known: Kernels) -> bool:
    """Whether a network has a convolution for which it matters in which order images lie."""
    try:
        model = plain.models.get(network.id, lambda: Model(network))
        return has_large_filters(model.template(train=False), known.least)
    except Exception:  # the user's network; the run meets this, too
        return False


def _on_gpu(left: Plan, plain: Workbench, here: Callable[..., Workbench], named: Wanted | None) -> Workbench:
    if named == "lean":
        return plain
    last = here(setting=EngineSetting(engine="lean", kernels=Kernels(channels_last=True)))
    among: tuple[Workbench, ...] = (plain, last)
    if named is None:
        among = (here(setting=LOOP), *among, here(setting=EngineSetting(engine="recorded")))
    return _cheapest(left, among)


def _cheapest(left: Plan, among: Sequence[Workbench]) -> Workbench:
    """Where all the work costs least; nothing is measured where there is no choice."""
    return among[0] if len(among) == 1 else min(among, key=lambda bench: _work(left, bench))


def _work(left: Plan, bench: Workbench) -> float:
    """Seconds of all the work."""
    return sum(prices(left, Prices(bench)).values())
