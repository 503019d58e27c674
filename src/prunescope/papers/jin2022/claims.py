"""How claims of Jin et al. 2022 are made: what the paper says of which benchmark and noise level, and the sentence.

Belongs here: the maker of claims, the table of what the paper says, and regions that several figures share. Does not
belong here: the claims (each in the file of the figure that shows it), quantities (`quantities.py`).

The paper's text names a number of benchmarks ("11 of 13") more often than the benchmarks. What it says of one of them
alone is a claim of the paper only there; elsewhere the same claim is this project's, and says so.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import prunescope as ps
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.quantities import fits
from prunescope.papers.readings import noise_name
from prunescope.studies import statistics
from prunescope.studies.claim import Basis

Cells = frozenset[tuple[str, float]]
"""Benchmarks at noise levels."""
Range = tuple[float, float]
"""The ends of a published range."""

MORE, LESS, NO_MORE = ps.Direction("greater"), ps.Direction("less"), ps.Direction("less", or_matches=True)
NO_LESS = ps.Direction("greater", or_matches=True)
CLOSE = 10.0
"""Percent of the dense network's test error within which two test errors count as equal; proposed."""
AS_CLOSE = f"within {CLOSE:g} % of the dense network's test error"
SAME, NO_WORSE = ps.Equivalence(CLOSE), ps.Direction("less", or_matches=True, margin=CLOSE, level=0.90)
"""Of differences in that unit: within the margin; no further above 0 than it."""

BENCHMARKS = ("lenet", "resnet20", "vgg16", "resnet32", "resnet32-wide", "resnet50")
"""The paper's benchmarks; which of the two widths its ResNet-32 has is not known."""

NOISES = (0.15, 0.3, 0.6)
"""Noise levels on CIFAR. Source: VGG-16's, section 4; of ResNet-20 and ResNet-32 only 60 % is named (Fig. 5)."""

SATURATED = ("resnet20", "resnet32", "resnet32-wide")
"""Where the dense network's loss on influential examples is high already at 60 % noise. Source: Fig. 5."""


def _cells(noises: Mapping[str, tuple[float, ...]]) -> Cells:
    return frozenset((name, noise) for name, levels in noises.items() for noise in levels)


KNOWN = _cells({"lenet": (0.05,), "vgg16": NOISES, **dict.fromkeys(SATURATED, NOISES)})
"""Noise levels of the paper, as far as they are known; LeNet has two more, ResNet-50 has one."""

OF_THESE: Mapping[str, Cells] = {
    "pruning-helps": _cells({"vgg16": NOISES}),
    "dense-is-best": _cells({"lenet": (0.05,)}),
    "gain-grows-at-each": _cells({"vgg16": NOISES}),
    "influential-change-less": _cells(dict.fromkeys(SATURATED, (0.6,))),
    "extended-matches-everywhere": _cells({"vgg16": (0.0,)}),
    "extended-is-worse": _cells({"vgg16": NOISES, "resnet20": NOISES}),
    "extended-gap": KNOWN,
    "width-is-worse-clean": frozenset(),
    "width-is-worse": _cells({"vgg16": NOISES}),
    "width-gap": KNOWN,
    "fit-gap": _cells({"vgg16": NOISES}),
    "noisy-loss-around-a-tenth": _cells({"resnet20": NOISES}),
    "influential-worsen": _cells({"vgg16": NOISES, "resnet20": (0.15, 0.3), "resnet32": (0.15, 0.3)}),
    "class-harm": frozenset(),
    "algorithm-matches": frozenset(),
    "removal-helps-at-another-level": frozenset(),
}
"""What the paper says of these alone.

pruning-helps, gain-grows-at-each: numbers of VGG-16 (section 4); 11 of 13 help, but which, beside LeNet at 5 % (dense
is best), is not said. extended-is-worse, width-is-worse: ranges that lie above 0 (sections 5.1, 5.2).
width-is-worse-clean: 4 of 5, not said which. influential-worsen, influential-change-less: Fig. 5 excepts ResNet-50 and
LeNet at 5 %, and sees little change for ResNet-20 and ResNet-32 at 60 %. class-harm: section 7 leaves label categories
open. algorithm-matches: which algorithms Appendix C compares is not known, but for SynFlow's score.
"""

_NOT_GIVEN_UP = _cells({"lenet": (0.05,), "resnet50": (0.15,)})
NOT_OF_THESE: Mapping[str, Cells] = {"noisy-loss-rises": _NOT_GIVEN_UP, "original-loss-kept": _NOT_GIVEN_UP}
"""What the paper says of all its benchmarks but these (Fig. 5: the same exceptions)."""


@dataclass(frozen=True)
class Says:
    """Makes claims about a benchmark at a noise level.

    bench: whose networks are measured.
    noise: the share of wrong labels.
    benchmark: what the paper's statements are looked up by, "" for what it says nothing of; by default its name.
    at: where the claims hold, instead of the noise level alone; then names have the noise level where it is 0, too.
    end: of the claims' names, instead of the noise level.
    """

    bench: Benchmark
    noise: float = 0.0
    benchmark: str | None = None
    _: KW_ONLY
    at: str = ""
    end: str | None = None

    def __call__(
        self,
        name: str,
        quantity: ps.Quantity,
        region: ps.Region,
        sentence: str,
        *needs: ps.Precondition,
        place: str,
        statement: str = "",
        fitted: Sequence[ps.Precondition] | None = None,
    ) -> ps.Claim:
        """One claim.

        sentence: goes on after "Without label noise," or "At 15 % label noise,"; one that begins with a capital letter
            stands alone. It gets its full stop here.
        needs: what must hold beside `fitted`.
        place: where the paper says it; "proposed here..." for what it does not say.
        statement: its row in the tables of this file, by default its name.
        fitted: instead of the dense network fitting what it is trained on, which of noisy labels is a caution only.
        """
        benchmark = self.bench.name if self.benchmark is None else self.benchmark
        basis, where = said(statement or name, benchmark, place, self.noise)
        at = f"At {self.at or noise_name(self.noise)}" if self.noise or self.at else "Without label noise"
        end = f"-{100 * self.noise:g}" if self.noise or self.at else ""
        return ps.Claim(
            name + (end if self.end is None else self.end),
            f"{sentence}." if sentence[0].isupper() else f"{at}, {sentence}.",
            quantity,
            region,
            basis=basis,
            place=where,
            preconditions=(*((fits(self.bench, self.noise),) if fitted is None else fitted), *needs),
        )


def said(statement: str, benchmark: str, place: str, noise: float = 0.0) -> tuple[Basis, str]:
    """Basis and place of a claim about a benchmark at a noise level.

    "proposed" where the paper does not say it, or is not known to have this noise level.
    """
    if place.startswith("proposed here"):
        return "proposed", place
    known = noise == 0 or (benchmark, noise) in KNOWN
    if statement in OF_THESE:
        theirs = (benchmark, noise) in OF_THESE[statement]
    else:
        theirs = benchmark in BENCHMARKS and (benchmark, noise) not in NOT_OF_THESE.get(statement, ())
    if theirs and known:
        return "paper", f"Jin et al. 2022, {place}"
    level = "; the noise level is proposed here" if theirs else ""
    return "proposed", f"after Jin et al. 2022, {place}{level}"


def selected(claims: Iterable[ps.Claim], *names: str) -> tuple[ps.Claim, ...]:
    """Some of several claims, in this order, for a study of one noise level: their names lose it."""
    by_name = {re.sub(r"-[\d.]+$", "", claim.name): claim for claim in claims}
    return tuple(replace(by_name[name], name=name) for name in names)


def around(ends: Range, *, points: float = 1.0) -> ps.Near:
    """The region of a published range: of the same sign, and beyond an end by at most half of it or so many points.

    Whichever is more; these tolerances are proposed here.
    """
    low, high = (end + side * max(abs(end) / 2, points) for side, end in zip((-1, 1), ends, strict=True))
    low, high = max(low, 0.0) if ends[0] > 0 else low, min(high, 0.0) if ends[1] < 0 else high
    return ps.Near((low + high) / 2, (high - low) / 2)


def words(ends: Range) -> str:
    """A published range as text."""
    return f"{ends[0]:g}" if ends[0] == ends[1] else f"{ends[0]:g} to {ends[1]:g}"


def by_chance(replicates: int) -> float:
    """The share of parts that the paper's rule calls worse where nothing differs; at least two replicates."""
    return statistics.false_positive_rate(max(2, replicates)) / 2


def no_more_than_by_chance(replicates: int, *, margin: float = 0.0) -> ps.Among:
    """The region in which no more parts (groups, classes) lose by more than the margin than would by chance.

    Of quantities [replicates, parts], changes of a loss or an error, pruned minus dense.
    """
    chance = by_chance(replicates)
    share = math.floor(100 * (1 - chance))
    return ps.Among(ps.Direction("less", than=margin, or_matches=True), at_least=share, of=100, chance=chance)
