"""Which runs train together in one program: what they must have in common, and choosing some of those that wait."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from prunescope.base.value import canonical
from prunescope.runs.graph.recipe import Everything, Fresh, Recipe
from prunescope.runs.store.plan import Job, Plan
from prunescope.training.engines.stacked.forward import Method


@dataclass(frozen=True)
class Pack:
    """Several runs for one program. Size and way are recorded with each run.

    jobs: the runs.
    size: the most that the program may hold at a time.
    way: how the network is applied to all of them.
    """

    jobs: tuple[Job, ...]
    size: int
    way: Method = "layers"


@lru_cache(100_000)
def common(recipe: Recipe) -> str | None:
    """What runs must share to train in one program, as a text; None for a run that trains by itself.

    They may differ in seeds, data and label noise, interventions and masks, learning rate, start and length, stop.
    """
    if any(value.observes for value in recipe.interventions) or not isinstance(recipe.examples, Everything):
        return None
    task = recipe.task
    parts = (
        task.network.id,
        task.loss,
        canonical(task.loss_args),
        task.target.id,
        *(augmentation.id for augmentation in task.data.augmentation),
        recipe.optimizer.id,
        f"{recipe.batch} {recipe.precision} {recipe.train_examples} {recipe.drop_last}",
        canonical(recipe.sampler),
    )
    return " ".join(parts)


@lru_cache(100_000)
def like(recipe: Recipe) -> str:
    """What a run begins with and its interventions, as a text: runs that are alike in it are alike in sparsity."""
    begins = "" if isinstance(recipe.start, Fresh) else "continued "
    return begins + " ".join(value.canonical for value in recipe.interventions)


@dataclass(frozen=True)
class Kind:
    """Runs of one kind, those that have in `common` what a program needs.

    size: most runs of one program.
    way: how the network is applied to all of them.
    shares: what a run's place in a program costs as a share of what it costs alone, by what it is `like`; a run that is
        absent gains nothing and trains by itself.
    """

    size: int
    way: Method
    shares: dict[str, float]


@dataclass(frozen=True)
class Packing:
    """Which runs train together.

    kinds: by what runs have in `common`; a kind that is absent is not packed.
    notes: what cannot be had as it was asked for, for people.
    """

    kinds: dict[str, Kind]
    notes: tuple[str, ...] = ()

    def pack(self, jobs: Sequence[Job], size: int) -> Pack:
        """These runs in one program of at most so many."""
        return Pack(tuple(jobs), size, self.kinds[common(jobs[0].recipe) or ""].way)

    def size(self, recipe: Recipe) -> int:
        """How many such runs train together at most."""
        kind = self.kinds.get(common(recipe) or "")
        return kind.size if kind is not None and like(recipe) in kind.shares else 1

    def seconds(self, plan: Plan, alone: dict[str, float]) -> dict[str, float]:
        """The price of each piece of work where runs are packed so. alone: what each costs by itself."""
        packed = {key: price * self.share(plan.jobs[key].recipe) for key, price in alone.items() if key in plan.jobs}
        return alone | packed

    def share(self, recipe: Recipe) -> float:
        """The cost of such a run as it is packed, as a share of its cost alone."""
        kind = self.kinds.get(common(recipe) or "")
        return kind.shares.get(like(recipe), 1.0) if kind is not None else 1.0


ALONE = Packing({})
"""Every run by itself."""


def choose_pack(
    first: str, waiting: Sequence[str], jobs: Callable[[str], Job], *, most: int, workers: int
) -> list[str]:
    """The keys of a pack: `first`, and of the waiting ones those most like it, the nearest in front.

    Where several workers wait for work of this kind, a pack takes no more than one worker's share, of runs with like
    interventions, too: these are alike in sparsity and so in how long they take, and one worker with all the long ones
    would keep the others waiting.
    """
    kind, first_like = common(jobs(first).recipe), like(jobs(first).recipe)
    alike = dict.fromkeys(key for key in waiting if key != first and common(jobs(key).recipe) == kind)
    groups: dict[str, list[str]] = {first_like: [first]}
    for key in sorted(alike):
        groups.setdefault(like(jobs(key).recipe), []).append(key)
    nearest = sorted(groups, key=lambda text: (text != first_like, text))
    chosen = [key for text in nearest for key in groups[text][: _share(len(groups[text]), workers)]]
    return chosen[: min(most, _share(1 + len(alike), workers))]


def _share(count: int, workers: int) -> int:
    return -(-count // workers)
