"""Of which benchmarks, at which label noise, Jin et al. 2022 say what: the basis of every claim.

Belongs here: which statements are the paper's for which benchmark and noise level, as a table. Does not belong here:
what the claims are (`statements.py` and its siblings), published numbers (`published.py`).

The paper's text names a number of benchmarks ("11 of 13") more often than the benchmarks. What it says of one of them
alone is a claim of the paper only there; elsewhere the same claim is this project's, and says so.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict

from prunescope.studies.claim import Basis

Cells = frozenset[tuple[str, float]]
"""Benchmarks at noise levels."""


class Said(TypedDict):
    """Who says a claim, and where."""

    basis: Basis
    place: str


BENCHMARKS = ("lenet", "resnet20", "vgg16", "resnet32", "resnet32-wide", "resnet50")
"""The paper's benchmarks; which of the two widths its ResNet-32 has is not known."""

NOISES = (0.15, 0.3, 0.6)
"""Noise levels on CIFAR. Source: VGG-16's, section 4; of ResNet-20 and ResNet-32 only 60 % is named (Fig. 5)."""


def _cells(**noises: tuple[float, ...]) -> Cells:
    return frozenset((name, noise) for name, levels in noises.items() for noise in levels)


SATURATED = ("resnet20", "resnet32", "resnet32-wide")
"""Where the dense network's loss on influential examples is high already at 60 % noise. Source: Fig. 5."""

KNOWN = _cells(
    **{"lenet": (0.05,), "resnet20": NOISES, "vgg16": NOISES, "resnet32": NOISES, "resnet32-wide": NOISES}
)
"""Noise levels of the paper, as far as they are known; LeNet has two more, ResNet-50 has one."""

OF_THESE: Mapping[str, Cells] = MappingProxyType(
    {
        "pruning-helps": _cells(vgg16=NOISES),
        "dense-is-best": _cells(lenet=(0.05,)),
        "gain-grows-at-each": _cells(vgg16=NOISES),
        "influential-change-less": _cells(**dict.fromkeys(SATURATED, (0.6,))),
        "extended-matches-everywhere": _cells(vgg16=(0.0,)),
        "extended-is-worse": _cells(vgg16=NOISES, resnet20=NOISES),
        "extended-gap": KNOWN,
        "width-is-worse-clean": frozenset(),
        "width-is-worse": _cells(vgg16=NOISES),
        "width-gap": KNOWN,
        "fit-gap": _cells(vgg16=NOISES),
        "noisy-loss-around-a-tenth": _cells(resnet20=NOISES),
        "influential-worsen": _cells(vgg16=NOISES, resnet20=(0.15, 0.3), resnet32=(0.15, 0.3)),
        "class-harm": frozenset(),
        "algorithm-matches": frozenset(),
        "removal-helps-at-another-level": frozenset(),
    }
)
"""What the paper says of these alone.

pruning-helps, gain-grows-at-each: numbers of VGG-16 (section 4); 11 of 13 help, but which, beside LeNet at 5 % (dense
is best), is not said. extended-is-worse, width-is-worse: ranges that lie above 0 (sections 5.1, 5.2).
width-is-worse-clean: 4 of 5, not said which. influential-worsen, influential-change-less: Fig. 5 excepts ResNet-50 and
LeNet at 5 %, and sees little change for ResNet-20 and ResNet-32 at 60 %. class-harm: section 7 leaves label categories
open. algorithm-matches: which algorithms Appendix C compares is not known, but for SynFlow's score.
"""

NOT_OF_THESE: Mapping[str, Cells] = MappingProxyType(
    {"noisy-loss-rises": _cells(lenet=(0.05,), resnet50=(0.15,))}
)
"""What the paper says of all its benchmarks but these (Fig. 5: the same exceptions)."""


def is_dense(benchmark: str, noise: float) -> bool:
    """Whether the paper finds the dense network best of all."""
    return (benchmark, noise) in OF_THESE["dense-is-best"]


def said(statement: str, benchmark: str, place: str, noise: float = 0.0) -> Said:
    """Basis and place of a claim about a benchmark at a noise level.

    "proposed" where the paper does not say it, or is not known to have this noise level.
    """
    known = noise == 0 or (benchmark, noise) in KNOWN
    if statement in OF_THESE:
        theirs = (benchmark, noise) in OF_THESE[statement]
    else:
        theirs = benchmark in BENCHMARKS and (benchmark, noise) not in NOT_OF_THESE.get(statement, ())
    if theirs and known:
        return {"basis": "paper", "place": f"Jin et al. 2022, {place}"}
    level = "; the noise level is proposed here" if theirs else ""
    return {"basis": "proposed", "place": f"after Jin et al. 2022, {place}{level}"}
