"""Which runs train together in one program.

Belongs here: what runs must have in common, and choosing some of those that wait. Does not belong here: how many are
worth it (`pack_sizes.py`), training them (`execution/packed_runs.py`).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from prunescope.runs.graph.recipe import Everything, Fresh, Recipe
from prunescope.runs.store.plan import Job, Plan
from prunescope.training.engines.stacked.forward import Way


@dataclass(frozen=True)
class Pack:
    """Several runs for one program. Size and way are recorded with each run.

    jobs: the runs.
    size: the most that the program may hold at a time.
    way: how the network is applied to all of them.
    """

    jobs: tuple[Job, ...]
    size: int
    way: Way = "layers"


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


@lru_cache(100_000)
def like(recipe: Recipe) -> str:
    """What a run begins with and its interventions, as a text: runs that are alike in it are alike in sparsity."""
    begins = "" if isinstance(recipe.start, Fresh) else "continued "
    return begins + " ".join(value.canonical for value in recipe.interventions)


@dataclass(frozen=True)
class Packing:
    """How many runs of a kind train together. A kind is what they have in `common`; runs within it differ in `like`.

    sizes: most runs of one program, by kind; a kind that is absent is not packed.
    shares: what a run's place in a program costs as a share of what it costs alone, by (kind, like).
    ways: how the network is applied to all runs of a program, by kind.
    notes: what cannot be had as it was asked for, for people.
    apart: (kind, like) of runs that gain nothing in a program though others of their kind do.
    """

    sizes: dict[str, int]
    shares: dict[tuple[str, str], float]
    ways: dict[str, Way] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    apart: frozenset[tuple[str, str]] = frozenset()

    def adding(
        self, kind: str, size: int, way: Way, shares: dict[str, float], *, apart: Collection[str] = ()
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
        """The same with one more note, unless it is empty or known."""
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

    def seconds(self, plan: Plan, alone: dict[str, float]) -> dict[str, float]:
        """The price of each piece of work where runs are packed so. alone: what each costs by itself."""
        return {
            key: price * self.share(plan.jobs[key]) if key in plan.jobs else price
            for key, price in alone.items()
        }

    def sentences(self, plan: Plan, alone: dict[str, float], packed: dict[str, float]) -> list[str]:
        """For people: how many runs of what train in how many programs, and the share of their price that it saves."""
        by_name: dict[str, list[Job]] = {}
        for job in plan.jobs.values():
            if self.size(job.recipe) > 1:
                by_name.setdefault(job.recipe.task.network.path.rpartition(":")[2], []).append(job)
        sentences = []
        for name, jobs in by_name.items():
            before, after = (sum(seconds[job.id] for job in jobs) for seconds in (alone, packed))
            most = max(self.size(job.recipe) for job in jobs)
            change = 100 * (1 - after / max(before, 1e-12))
            sentences.append(
                f"{len(jobs)} runs of {name} train up to {most} in one program, "
                f"{abs(change):.0f} % {'cheaper' if change >= 0 else 'dearer'} than each by itself."
            )
        return sentences


ALONE = Packing({}, {})
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
