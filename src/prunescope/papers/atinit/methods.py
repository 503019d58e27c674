"""The ways to get a sparse network without training the dense one first, as interventions.

Belongs here: one line a method. Does not belong here: what an intervention does (`training/interventions/`), the
rewound masks of iterative pruning, which need other runs (`arms.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    Rescale,
    ShuffleMasks,
)

Group = Literal["random masks", "scores", "layers of the scores, shuffled", "dynamic"]
Make = Callable[[float], tuple[Intervention, ...]]
"""From the density, the share of weights that stay, to what acts in the run."""
DENSE = "dense"
REWOUND = "IMP, rewound"


@dataclass(frozen=True)
class Method:
    """One way to prune.

    group: what it is shown beside.
    """

    name: str
    group: Group
    make: Make


def random(scope: Scope) -> Make:
    """Random masks with the layer densities of a law, to the exact sparsity."""
    return lambda density: (_prune(density, Random(), scope=scope),)


def scored(score: Score) -> Make:
    """The smallest scores over all layers go, in one cut before the first step."""
    return lambda density: (_prune(density, score),)


def in_rounds(score: Score, rounds: int) -> Make:
    """The same in so many rounds, the score taken anew before each."""
    return lambda density: (PruneRounds(prune=_prune(density, score), rounds=rounds),)


def shuffled(make: Make) -> Make:
    """As many weights of each layer as the method keeps, but random ones."""
    return lambda density: tuple(ShuffleMasks(of=one) for one in make(density))


def dynamic(scope: Scope, grow: Grow) -> Make:
    """A random mask with the layer densities of a law, then weights exchanged during training."""
    return lambda density: (*random(scope)(density), grow)


def bernoulli(density: float) -> tuple[Intervention, ...]:
    """Every weight stays with probability `density`, independently of the others."""
    return (Bernoulli(keep=density, allow_collapse=True),)


def rescaled(density: float) -> tuple[Intervention, ...]:
    """The same, with the weights that stay divided by sqrt(density), so that sums keep their variance."""
    return (*bernoulli(density), Rescale(by=density**-0.5))


def without_output(density: float) -> tuple[Intervention, ...]:
    """The same, but below 10 % the output layer stays whole; the sparsity asked for is that of the other layers."""
    exclude = ("fc.weight",) if density < KEEP_OUTPUT_BELOW else ()
    return (Bernoulli(keep=density, exclude=exclude, allow_collapse=True),)


KEEP_OUTPUT_BELOW = 0.1
BERNOULLI = Method("Bernoulli", "random masks", bernoulli)
VARIANTS = (
    Method("Bernoulli, rescaled", "random masks", rescaled),
    Method("Bernoulli, output kept", "random masks", without_output),
)
"""Other ways to draw independent masks, proposed here; at 10 % and more the second is `BERNOULLI` itself."""
SCORES = ("magnitude", "SNIP", "GraSP", "SynFlow")
"""The scores that claims are about."""


def scores(*, batches: int = 1, rounds: int = 100, iterative: bool = False) -> dict[str, Make]:
    """The scores by name. batches: of SNIP and GraSP; rounds: of SynFlow and, if `iterative`, of SNIP in rounds."""
    found = {
        "magnitude": scored(Magnitude()),
        "SNIP": scored(SNIP(batches=batches)),
        "GraSP": scored(GraSP(batches=batches)),
        "SynFlow": in_rounds(SynFlow(), rounds),
    }
    return found | ({"SNIP in rounds": in_rounds(SNIP(batches=batches), rounds)} if iterative else {})


def ranked(makers: Mapping[str, Make]) -> tuple[Method, ...]:
    """The methods that rank weights by these scores."""
    return tuple(Method(name, "scores", make) for name, make in makers.items())


def methods(
    *,
    convolutions: bool,
    period: Duration = "100it",
    batches: int = 1,
    rounds: int = 100,
    iterative: bool = False,
) -> tuple[Method, ...]:
    """All methods for a network; without convolutions the law with kernels is the law without, so it is left out.

    period: between two exchanges of weights of SET and RigL, which start from the law with kernels. The rest: see
    `scores`.

    Source: Yang et al. 2023, section 2 (Bernoulli; recalled); Mocanu et al. 2018 (Erdos-Renyi, SET); Evci et al.
    2020 (kernels, RigL); Lee et al. 2019 (SNIP); de Jorge et al. 2021 (SNIP in rounds); Wang et al. 2020 (GraSP);
    Tanaka et al. 2020 (SynFlow, 100 rounds); Frankle et al. 2021 (magnitude at initialization, shuffled layers). The
    shares that SET and RigL exchange are the defaults of `Grow`.
    """
    law: Scope = "erdos_renyi_kernel" if convolutions else "erdos_renyi"
    masks = [
        BERNOULLI,
        Method("uniform", "random masks", random("uniform")),
        Method("Erdos-Renyi", "random masks", random("erdos_renyi")),
    ]
    if convolutions:
        masks.append(Method("Erdos-Renyi-kernel", "random masks", random(law)))
    makers = scores(batches=batches, rounds=rounds, iterative=iterative)
    controls = [
        Method(control(name), "layers of the scores, shuffled", shuffled(make))
        for name, make in makers.items()
    ]
    moving = [
        Method("SET", "dynamic", dynamic(law, Grow(by="random", decay="constant", period=period))),
        Method("RigL", "dynamic", dynamic(law, Grow(period=period))),
    ]
    return (*masks, *ranked(makers), *controls, *moving)


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
