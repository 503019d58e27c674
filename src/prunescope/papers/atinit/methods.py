"""The ways to get a sparse network without training the dense one first, as interventions: one line a method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import prunescope as ps
from prunescope.sparsity.derivative_scores import SNIP, GraSP, SynFlow
from prunescope.sparsity.select import Scope
from prunescope.training.interventions import Bernoulli, Grow, PruneRounds, Rescale, ShuffleMasks

Group = Literal["random masks", "scores", "layers of the scores, shuffled", "dynamic"]
Make = Callable[[float], tuple[ps.Intervention, ...]]
"""From the density, the share of weights that stay, to what acts in the run."""
DENSE = "dense"
REWOUND = "IMP, rewound"
SCORES = ("magnitude", "SNIP", "GraSP", "SynFlow")
"""The scores that claims are about."""


@dataclass(frozen=True)
class Method:
    """One way to prune.

    group: what it is shown beside.
    """

    name: str
    group: Group
    make: Make


def cut(score: ps.Score, *, scope: Scope = "global", rounds: int = 0) -> Make:
    """The smallest scores go, in one cut before the first step, or in rounds, the score taken anew before each.

    An empty layer is let through, because the study counts it.
    """

    def make(density: float) -> tuple[ps.Intervention, ...]:
        amount = ps.Sparsity(final=round(1 - density, 6))
        prune = ps.Prune(amount=amount, score=score, scope=scope, allow_collapse=True)
        return (PruneRounds(prune=prune, rounds=rounds) if rounds else prune,)

    return make


def shuffled(make: Make) -> Make:
    """As many weights of each layer as the method keeps, but random ones."""
    return lambda density: tuple(ShuffleMasks(of=one) for one in make(density))


def dynamic(scope: Scope, grow: Grow) -> Make:
    """A random mask with the layer densities of a law, then weights exchanged during training."""
    return lambda density: (*cut(ps.Random(), scope=scope)(density), grow)


def bernoulli(density: float, *, exclude: tuple[str, ...] = ()) -> tuple[ps.Intervention, ...]:
    """Every weight stays with probability `density`, independently of the others."""
    return (Bernoulli(keep=density, exclude=exclude, allow_collapse=True),)


def rescaled(density: float) -> tuple[ps.Intervention, ...]:
    """The same, with the weights that stay divided by sqrt(density), so that sums keep their variance."""
    return (*bernoulli(density), Rescale(by=density**-0.5))


def without_output(density: float) -> tuple[ps.Intervention, ...]:
    """The same, but below 10 % the output layer stays whole; the sparsity asked for is that of the other layers."""
    return bernoulli(density, exclude=("fc.weight",) if density < 0.1 else ())


BERNOULLI = Method("Bernoulli", "random masks", bernoulli)
VARIANTS = (
    Method("Bernoulli, rescaled", "random masks", rescaled),
    Method("Bernoulli, output kept", "random masks", without_output),
)
"""Other ways to draw independent masks, proposed here; at 10 % and more the second is `BERNOULLI` itself."""


def scores(*, batches: int = 1, rounds: int = 100, iterative: bool = False) -> dict[str, Make]:
    """The scores by name. batches: of SNIP and GraSP; rounds: of SynFlow and, if `iterative`, of SNIP in rounds."""
    snip = SNIP(batches=batches)
    makers = {
        "magnitude": cut(ps.Magnitude()),
        "SNIP": cut(snip),
        "GraSP": cut(GraSP(batches=batches)),
        "SynFlow": cut(SynFlow(), rounds=rounds),
    }
    return makers | ({"SNIP in rounds": cut(snip, rounds=rounds)} if iterative else {})


def ranked(makers: Mapping[str, Make]) -> tuple[Method, ...]:
    """The methods that rank weights by these scores."""
    return tuple(Method(name, "scores", make) for name, make in makers.items())


def methods(makers: Mapping[str, Make], *, convolutions: bool, period: ps.Duration = "100it") -> tuple[Method, ...]:
    """All methods for a network; without convolutions the law with kernels is the law without, so it is left out.

    makers: the scores. period: between two exchanges of weights of SET and RigL, which start from the law with kernels.

    Source: Yang et al. 2023, section 2 (Bernoulli; recalled); Mocanu et al. 2018 (Erdos-Renyi, SET); Evci et al.
    2020 (kernels, RigL); Lee et al. 2019 (SNIP); de Jorge et al. 2021 (SNIP in rounds); Wang et al. 2020 (GraSP);
    Tanaka et al. 2020 (SynFlow, 100 rounds); Frankle et al. 2021 (magnitude at initialization, shuffled layers). The
    shares that SET and RigL exchange are the defaults of `Grow`.
    """
    law: Scope = "erdos_renyi_kernel" if convolutions else "erdos_renyi"
    laws: dict[str, Scope] = {"uniform": "uniform", "Erdos-Renyi": "erdos_renyi"}
    laws[static_mask(convolutions=convolutions)] = law
    return (
        BERNOULLI,
        *(Method(name, "random masks", cut(ps.Random(), scope=scope)) for name, scope in laws.items()),
        *ranked(makers),
        *(Method(control(n), "layers of the scores, shuffled", shuffled(m)) for n, m in makers.items()),
        Method("SET", "dynamic", dynamic(law, Grow(by="random", decay="constant", period=period))),
        Method("RigL", "dynamic", dynamic(law, Grow(period=period))),
    )


def static_mask(*, convolutions: bool) -> str:
    """The name of the random mask that SET and RigL start from."""
    return "Erdos-Renyi-kernel" if convolutions else "Erdos-Renyi"


def control(name: str) -> str:
    """The name of a score's shuffled control."""
    return f"{name}, shuffled"
