"""atinit/compare: Which weights should go before training, does the pattern matter, and what does training without them
cost?

Every method of pruning at initialization on one task, with the controls that say what matters: random masks, scores,
the scores' masks shuffled within layers, and masks that move during training; beside them the dense network and the
rewound masks of iterative magnitude pruning.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

import prunescope as ps
from prunescope.papers.atinit.methods import DENSE, REWOUND, SCORES, Method, control, methods, scores, static_mask
from prunescope.papers.atinit.quantities import Arms
from prunescope.papers.atinit.scales import EXPONENTS, SMOKE, Count, Ground, sparsity
from prunescope.papers.readings import noise_name

COST = {"smoke": "10 seconds", "laptop": "30 minutes", "paper": "15 hours"}
FIGURE = "after Frankle et al. 2021 and Evci et al. 2020"
Panels = Mapping[str, Sequence[str]]
"""The methods of every panel, by its title."""


class Settings(ps.Value):
    """What is compared.

    ground: network, data and training.
    mild: exponent of the density, 0.8^mild, at which pruning is said to cost nothing.
    judged: exponent of the density at which methods are compared.
    margin: percentage points of test error that count as nothing.
    period: training between two exchanges of weights, of SET and RigL.
    batches: training batches behind the scores of SNIP and GraSP.
    rounds: of scoring and pruning, of SynFlow and of iterative SNIP.
    iterative: whether SNIP in rounds is run, too.
    """

    ground: Ground
    mild: int = 2
    judged: int = 10
    margin: float = Field(default=0.5, gt=0)
    period: ps.Duration = "100it"
    batches: Count = 1
    rounds: Count = 100
    iterative: bool = False

    @property
    def methods(self) -> tuple[Method, ...]:
        """What is compared, but for the dense network and the rewound masks."""
        makers = scores(batches=self.batches, rounds=self.rounds, iterative=self.iterative)
        return methods(makers, convolutions=self.ground.convolutions, period=self.period)

    @property
    def at_initialization(self) -> tuple[str, ...]:
        """Whose masks are chosen before training and stay: neither those that move nor the shuffled controls."""
        return tuple(method.name for method in self.methods if method.group in ("random masks", "scores"))

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        self.ground.check_judged(self.mild, self.judged)
        return self


SCALES = {
    "smoke": Settings(ground=SMOKE, period="10it", rounds=5, iterative=True),
    "laptop": Settings(ground=Ground(exponents=EXPONENTS, epochs=40, share=0.2)),
    "paper": Settings(
        ground=Ground(noises=(0.0, 0.2), exponents=(*range(2, 21, 2), 23, 26), replicates=5, epochs=40), iterative=True
    ),
}


@dataclass(frozen=True)
class Says:
    """Makes claims about networks at one noise level."""

    arms: Arms
    noise: float

    def __call__(self, name: str, sentence: str, quantity: ps.Quantity, region: ps.Region, **more: Any) -> ps.Claim:
        """One claim, named after the noise level."""
        under = f"At {noise_name(self.noise)}" if self.noise else "Without label noise"
        name = f"{name.lower().replace(',', '').replace(' ', '-')}-{100 * self.noise:g}"
        return ps.Claim(name, f"{under}, {sentence}.", quantity, region, **more)

    def error(self, method: str = DENSE, exponent: int = 0, split: str = "test") -> ps.Quantity:
        """Of a method at this noise level."""
        return self.arms.at(method, self.noise, exponent).error(split)

    def dense_fits(self, at_most: float) -> ps.Precondition:
        """The dense network fits its training labels, the wrong ones included."""
        says = f"the dense network fits its training labels at {noise_name(self.noise)}"
        return ps.Precondition(says, self.error(split="train"), at_most=at_most)

    def retains(self, method: str, exponent: int, margin: float) -> ps.Claim:
        """A method at a mild sparsity costs next to nothing."""
        says = (
            f"a network pruned before training to {sparsity(exponent)} sparsity ({method}) errs at most {margin:g} "
            "points more on the test set than the dense one"
        )
        place = "Yang et al. 2023, abstract (task and sparsity are proposed here); the margin is proposed here"
        source = {
            "basis": "proposed" if self.noise else "paper",
            "place": place,
            "preconditions": (self.dense_fits(at_most=5.0),),
        }
        cost = self.error(method, exponent) - self.error()
        return self(f"{method}-retains", says, cost, ps.Direction("less", than=margin), **source)


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    ground = settings.ground
    arms = Arms(ground, settings.methods)
    panels = groups(arms)
    says = [Says(arms, noise) for noise in ground.noises]
    patterns = [[only_layers_matter(each, name, settings) for name in SCORES] for each in says]
    errors = [claim for each in says for claim in error_claims(each, settings)]
    return ps.Study(
        *ps.titled(__doc__),
        settings=settings,
        scale=ground.words(scale),
        recalled=True,
        figures=(
            error_figure(arms, panels, *errors, *(claim for each in patterns for claim in each)),
            pattern_figure(arms, *patterns[0]),
            fit_figure(arms, panels),
            *layer_figures(arms, panels, *map(never_collapses, says)),
        ),
        notes=(
            "All methods meet at the same sparsity over all weights, the output layer included; Bernoulli masks meet "
            "it in expectation. Nothing is rescaled after pruning.",
            "A method may empty a layer, or leave no path from the input to the output. Such a run is trained like any "
            "other and counted as collapsed; its test error is that of guessing.",
            "SET and RigL have no more weights at any time than the others, but look at others during training. The "
            "rewound masks need the dense network to be trained first, and every sparser one in turn: they are the "
            "reference, not a competitor.",
            "The sparsities at which claims are judged and the margins are proposed here.",
        ),
    )


def error_claims(says: Says, settings: Settings) -> Iterator[ps.Claim]:
    """Which methods err less than others, at one noise level."""
    for name in ("Bernoulli", "SNIP", "GraSP", "SynFlow"):
        yield says.retains(name, settings.mild, settings.margin)
    static = static_mask(convolutions=settings.ground.convolutions)
    frankle, evci = "Frankle et al. 2021, section 4", "Evci et al. 2020, section 4"
    errors = {name: says.error(name, settings.judged) for name in says.arms.names}
    more, at = ps.Direction("greater"), f"at {sparsity(settings.judged)} sparsity"
    for better, worse, source in (
        *((name, "uniform", frankle) for name in SCORES),
        (static, "uniform", evci),
        ("SET", static, f"Mocanu et al. 2018; {evci}"),
        ("RigL", static, evci),
        ("RigL", "SET", evci),
    ):
        recalled = {"basis": "recalled", "place": f"{source}; the task and the sparsity are proposed here"}
        sentence = f"{at}, {better} errs less on the test set than {worse}"
        yield says(f"{better}-beats-{worse}", sentence, errors[worse] - errors[better], more, **recalled)
    rewound, fixed = errors[REWOUND], [errors[name] for name in settings.at_initialization]
    best = ps.combined(lambda *each: min(each, key=np.mean), *fixed, label="best at initialization", unit=rewound.unit)
    yield says(
        "rewound-beats-all",
        f"{at}, masks from iterative pruning, rewound to initialization, err less than the best method at "
        "initialization",
        best - rewound,
        more,
        basis="recalled",
        place=f"{frankle} (there after the first epochs, not at initialization); the task and the sparsity are "
        "proposed here",
    )


def only_layers_matter(says: Says, score: str, settings: Settings) -> ps.Claim:
    """Shuffling a method's mask within layers changes nothing."""
    sentence = (
        f"at {sparsity(settings.judged)} sparsity, shuffling the mask of {score} within layers moves the test error by "
        f"less than {settings.margin:g} points"
    )
    place = (
        "Frankle et al. 2021, section 5; Yang et al. 2023, introduction, says it of some of these methods; the "
        "margin is proposed here"
    )
    moved = says.error(control(score), settings.judged) - says.error(score, settings.judged)
    none, recalled = ps.Equivalence(settings.margin), {"basis": "recalled", "place": place}
    return says(f"{score}-only-layers", sentence, moved, none, **recalled)


def never_collapses(says: Says) -> ps.Claim:
    """A claim of all sparsities, so about the one where most layers are empty."""
    exponents = says.arms.ground.exponents
    empty = [says.arms.at("SynFlow", says.noise, exponent).empty_layers for exponent in exponents]
    return ps.Claim(
        f"synflow-never-collapses-{100 * says.noise:g}",
        f"SynFlow leaves a weight in every layer, up to {sparsity(exponents[-1])} sparsity.",
        ps.combined(lambda *each: np.max(each, axis=0), *empty, label="at the worst", unit="empty layers"),
        ps.Direction("less", than=1.0),
        basis="recalled",
        place="Tanaka et al. 2020, section 4 (SynFlow avoids layer collapse)",
    )


def error_figure(arms: Arms, panels: Panels, *claims: ps.Claim) -> ps.Figure:
    """Test error over the weights that remain."""
    caption = (
        "Test error of networks pruned before training and trained in full, and of the dense network (dashed). The "
        "band is one standard deviation over replicates, thin lines are replicates."
    )
    plot, title = lines("test_error", "test error, %"), "Test error over sparsity"
    return ps.Figure("error", title, caption=caption, rows=rows(arms, panels), plot=plot, claims=claims)


def fit_figure(arms: Arms, panels: Panels, *claims: ps.Claim) -> ps.Figure:
    """Training error over the weights that remain."""
    caption = "The same runs: error on the training set, against the labels that were trained on."
    plot, title = lines("train_error", "training error, %"), "Training error over sparsity"
    return ps.Figure("fit", title, caption=caption, rows=rows(arms, panels), plot=plot, claims=claims)


def pattern_figure(arms: Arms, *claims: ps.Claim) -> ps.Figure:
    """Each score against its control: the same number of weights in every layer, but other ones."""
    names = [method.name for method in arms.methods if method.group == "scores"]
    labels = {DENSE: DENSE} | dict.fromkeys(names, "chosen by the score")
    labels |= {control(name): "shuffled within layers" for name in names}
    pairs = rows(arms, {name: (name, control(name)) for name in names}, noises=arms.ground.noises[:1])
    title = "Does the pattern matter, or only how many weights each layer keeps?"
    caption = "Test error of masks by score, and of random masks with as many weights in each layer."
    plot = replace(lines("test_error", "test error, %"), series="weights")
    named = [replace(each, labels={**each.labels, "weights": labels[str(each.labels["method"])]}) for each in pairs]
    return ps.Figure("pattern", title, caption=caption, rows=named, plot=plot, claims=claims)


def layer_figures(arms: Arms, panels: Panels, *claims: ps.Claim) -> Iterator[ps.Figure]:
    """The density of the layer that keeps least, and how many networks have collapsed."""
    pruned = rows(arms, panels, dense=False)
    caption = (
        "Weights that remain in the layer that keeps the smallest share of its own. A curve ends where every replicate "
        "has lost a whole layer."
    )
    plot = lines("thinnest_layer", "weights remaining in the sparsest layer, %", log_y=True, references=())
    title = "What the sparsest layer keeps"
    yield ps.Figure("thinnest", title, caption=caption, rows=pruned, plot=plot, claims=claims)
    caption = (
        "Share of replicates with a training loss within 1 % of guessing's or above: a layer has lost every weight "
        "(the data name it), or no path of weights leads from the input to the output. They are trained and shown like "
        "the others."
    )
    plot = lines("learned_nothing", "networks that learned nothing, %", references=())
    yield ps.Figure("collapse", "Collapsed networks", caption=caption, rows=pruned, plot=plot)


def rows(arms: Arms, panels: Panels, *, noises: Sequence[float] = (), dense: bool = True) -> list[ps.Computed]:
    """The networks of every panel and noise level, the dense ones in each; no noises means all there are."""
    noises = noises or arms.ground.noises
    return [
        ps.Computed(networks.nodes, networks.table, {"panel": panel, "method": networks.method})
        for noise in noises
        for title, names in panels.items()
        for panel in [f"{title}, {noise_name(noise)}" if len(noises) > 1 else title]
        for networks in arms.networks.values()
        if networks.noise == noise and networks.method in (*names, *[DENSE] * dense)
    ]


def groups(arms: Arms) -> dict[str, list[str]]:
    """The methods by the group that they are shown in; the rewound masks stand beside the dynamic ones."""
    panels: dict[str, list[str]] = {}
    for method in arms.methods:
        panels.setdefault(method.group, []).append(method.name)
    if arms.rewound:
        moving = panels.pop("dynamic", [])
        panels["dynamic, and rewound" if moving else "rewound"] = [*moving, REWOUND]
    return panels


def lines(y: str, y_label: str, *, references: tuple[str, ...] = (DENSE,), log_y: bool = False) -> ps.Lines:
    """Over the weights that were asked for: what remains differs by a little between replicates of random masks."""
    plot = ps.Lines("weights_asked", y, series="method", x_label="weights remaining, %", y_label=y_label)
    return replace(plot, log_x=True, log_y=log_y, reverse_x=True, references=references)
