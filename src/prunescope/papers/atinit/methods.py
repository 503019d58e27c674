"""The ways to get a sparse network without training the dense one first, as interventions.

Belongs here: one line a method. Does not belong here: what an intervention does (`training/interventions/`), the
rewound masks of iterative pruning, which need other runs (`arms.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from prunescope.base.steps import Duration
from prunescope.sparsity.grasp import GraSP
from prunescope.sparsity.scores import Magnitude, Random, Score
from prunescope.sparsity.select import Scope, Sparsity
from prunescope.sparsity.snip import SNIP
from prunescope.sparsity.synflow import SynFlow
from prunescope.training.interventions import (
    Bernoulli,
    Grow,
    Intervention,
    Prune,
    PruneRounds,
    ShuffleMasks,
)

Group = Literal["random masks", "scores", "layers of the scores, shuffled", "dynamic"]
DENSE = "dense"
REWOUND = "IMP, rewound"


@dataclass(frozen=True)
class Method:
    """One way to prune.

    make: from the density, the share of weights that stay, to what acts in the run. group: what it is shown beside.
    """

    name: str
    group: Group
    make: Callable[[float], tuple[Intervention, ...]]


def random(scope: Scope) -> Callable[[float], tuple[Intervention, ...]]:
    """Random masks with the layer densities of a law, to the exact sparsity."""
    return lambda density: (_prune(density, Random(), scope=scope),)


def scored(score: Score) -> Callable[[float], tuple[Intervention, ...]]:
    """The smallest scores over all layers go, in one cut before the first step."""
    return lambda density: (_prune(density, score),)


def rounds(score: Score) -> Callable[[float], tuple[Intervention, ...]]:
    """The same in 100 rounds, the score taken anew before each."""
    return lambda density: (PruneRounds(prune=_prune(density, score)),)


def shuffled(
    make: Callable[[float], tuple[Intervention, ...]],
) -> Callable[[float], tuple[Intervention, ...]]:
    """As many weights of each layer as the method keeps, but random ones."""
    return lambda density: tuple(ShuffleMasks(of=one) for one in make(density))


def dynamic(scope: Scope, grow: Grow) -> Callable[[float], tuple[Intervention, ...]]:
    """A random mask with the layer densities of a law, then weights exchanged during training."""
    return lambda density: (*random(scope)(density), grow)


def bernoulli(density: float) -> tuple[Intervention, ...]:
    """Every weight stays with probability `density`, independently of the others."""
    return (Bernoulli(keep=density, allow_collapse=True),)


BERNOULLI = Method("Bernoulli", "random masks", bernoulli)
SCORES: Mapping[str, Callable[[float], tuple[Intervention, ...]]] = MappingProxyType(
    {
        "magnitude": scored(Magnitude()),
        "SNIP": scored(SNIP()),
        "GraSP": scored(GraSP()),
        "SynFlow": rounds(SynFlow()),
    }
)


def methods(*, convolutions: bool, period: Duration = "100it") -> tuple[Method, ...]:
    """All methods for a network; without convolutions the law with kernels is the law without, so it is left out.

    period: between two exchanges of weights of SET and RigL, which start from the law with kernels.

    Source: Yang et al. 2023, section 2 (Bernoulli; recalled); Mocanu et al. 2018 (Erdos-Renyi, SET); Evci et al.
    2020 (kernels, RigL); Lee et al. 2019 (SNIP); Wang et al. 2020 (GraSP); Tanaka et al. 2020 (SynFlow, 100 rounds);
    Frankle et al. 2021 (magnitude at initialization, shuffled layers). The number of batches of SNIP and GraSP
    and the shares that SET and RigL exchange are the defaults of `SNIP`, `GraSP` and `Grow`.
    """
    law: Scope = "erdos_renyi_kernel" if convolutions else "erdos_renyi"
    masks = [
        BERNOULLI,
        Method("uniform", "random masks", random("uniform")),
        Method("Erdos-Renyi", "random masks", random("erdos_renyi")),
    ]
    if convolutions:
        masks.append(Method("Erdos-Renyi-kernel", "random masks", random(law)))
    scores = [Method(name, "scores", make) for name, make in SCORES.items()]
    controls = [
        Method(control(name), "layers of the scores, shuffled", shuffled(make))
        for name, make in SCORES.items()
    ]
    moving = [
        Method("SET", "dynamic", dynamic(law, Grow(by="random", decay="constant", period=period))),
        Method("RigL", "dynamic", dynamic(law, Grow(period=period))),
    ]
    return (*masks, *scores, *controls, *moving)


def start_of_dynamic(*, convolutions: bool) -> str:
    """The name of the random mask that SET and RigL start from."""
    return "Erdos-Renyi-kernel" if convolutions else "Erdos-Renyi"


def control(name: str) -> str:
    """The name of a score's shuffled control."""
    return f"{name}, shuffled"


def _prune(density: float, score: Score, *, scope: Scope = "global") -> Prune:
    """A cut to the density; an empty layer is let through, because the study counts it."""
    sparsity = round(1 - density, 6)
    return Prune(amount=Sparsity(final=sparsity), score=score, scope=scope, allow_collapse=True)
