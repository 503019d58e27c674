"""Which runs train together in one program.

Belongs here: what runs must have in common, and taking some of those that wait. Does not belong here: how many are
worth it (`stacking.py`), training them (`together.py`).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from prunescope.runs.plan import Job, Plan
from prunescope.runs.recipe import Everything, Fresh, Recipe
from prunescope.training.engines.stacked.forward import Method


@dataclass(frozen=True)
class Pack:
    """Several runs for one program.

    size: the most that it may hold at a time. way: how the network is applied to all of them. Both are recorded with
    each run.
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
        *(augmentation.id for augmentation in task.data.augmentation),
        recipe.optimizer.id,
        f"{recipe.batch} {recipe.precision} {recipe.train_examples}",
    )
    return " ".join(parts)


@dataclass(frozen=True)
class Packing:
    """How many runs of a kind train together. sizes: by what they have in common; a kind that is absent is not packed.

    shares: what a run's place in a program costs as a share of what it costs alone, by the same and its `like`.
    ways: how the network is applied to all. notes: what cannot be had as it was asked for, for people. apart: runs that
    gain nothing in a program though others of their kind do, by the same and their `like`.
    """

    sizes: dict[str, int]
    shares: dict[tuple[str, str], float]
    ways: dict[str, Method] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    apart: frozenset[tuple[str, str]] = frozenset()

    def adding(
        self, kind: str, size: int, way: Method, shares: dict[str, float], *, apart: Collection[str] = ()
    ) -> "Packing":
        """The same and one more kind. shares: by a run's `like`; apart: of those that are not packed."""
        return replace(
            self,
            sizes=self.sizes | {kind: size},
            shares=self.shares | {(kind, text): share for text, share in shares.items()},
            ways=self.ways | {kind: way},
            apart=self.apart | {(kind, text) for text in apart},
        )

    def noting(self, note: str) -> "Packing":
        """The same with one more note, if there is something in it that was not said before."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *([note] if note else [])))))

    def pack(self, jobs: Sequence[Job], most: int) -> Pack:
        """These runs in one program of at most so many."""
        return Pack(tuple(jobs), most, self.ways.get(common(jobs[0].recipe) or "", "layers"))

    def size(self, recipe: Recipe) -> int:
        """How many such runs train together at most."""
        kind = common(recipe) or ""
        return 1 if (kind, like(recipe)) in self.apart else self.sizes.get(kind, 1)

    def share(self, job: Job) -> float:
        """The cost of such a run in a program, as a share of its cost alone."""
        return self.shares.get((common(job.recipe) or "", like(job.recipe)), 1.0)

    def says(self, left: Plan, alone: dict[str, float], packed: dict[str, float]) -> list[str]:
        """For people: how many runs of what train in how many programs, and the share of their price that it saves."""
        by_name: dict[str, list[Job]] = {}
        for job in left.jobs.values():
            if self.size(job.recipe) > 1:
                by_name.setdefault(job.recipe.task.network.path.rpartition(":")[2], []).append(job)
        lines = []
        for name, jobs in by_name.items():
            before, after = (sum(seconds[job.id] for job in jobs) for seconds in (alone, packed))
            most = max(self.size(job.recipe) for job in jobs)
            change = 100 * (1 - after / max(before, 1e-12))
            lines.append(
                f"{len(jobs)} runs of {name} train up to {most} in one program, "
                f"{abs(change):.0f} % {'cheaper' if change >= 0 else 'dearer'} than each by itself."
            )
        return lines


ALONE = Packing({}, {})
"""Every run by itself."""


def take(
    first: str, waiting: Sequence[str], jobs: Callable[[str], Job], *, most: int, workers: int
) -> list[str]:
    """The keys of a pack: `first`, and of the waiting ones those most like it, the nearest in front.

    No more than its share where several workers wait for work of this kind: of runs with like interventions, too. They
    are alike in sparsity and so in how long they take, and one worker with all the long ones would keep the others
    waiting.
    """
    kind, here = common(jobs(first).recipe), like(jobs(first).recipe)
    alike = dict.fromkeys(key for key in waiting if key != first and common(jobs(key).recipe) == kind)
    groups: dict[str, list[str]] = {here: [first]}
    for key in sorted(alike):
        groups.setdefault(like(jobs(key).recipe), []).append(key)
    nearest = sorted(groups, key=lambda text: (text != here, text))
    chosen = [key for text in nearest for key in groups[text][: _share(len(groups[text]), workers)]]
    return chosen[: min(most, _share(1 + len(alike), workers))]


def _share(count: int, workers: int) -> int:
    return -(-count // workers)


@lru_cache(100_000)
def like(recipe: Recipe) -> str:
    """What a run begins with and its interventions, as a text: runs that are alike in it are alike in sparsity."""
    begins = "" if isinstance(recipe.start, Fresh) else "continued "
    return begins + " ".join(value.canonical for value in recipe.interventions)
