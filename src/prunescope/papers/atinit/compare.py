"""atinit/compare: every method of pruning at initialization on one task, with the controls that say what matters.

Random masks, scores, the scores' masks shuffled within layers, and masks that move during training; beside them the
dense network and the rewound masks of iterative magnitude pruning.
"""

from typing import Self

from pydantic import Field, model_validator

from prunescope.base.steps import Duration
from prunescope.base.value import Value
from prunescope.papers.atinit import statements, views
from prunescope.papers.atinit.arms import Arms
from prunescope.papers.atinit.ground import Count, Ground
from prunescope.papers.atinit.methods import SCORES, Method, methods, start_of_dynamic
from prunescope.studies.claim import Claim
from prunescope.studies.study import Study

EXPONENTS = (2, 4, 6, 8, 10, 12, 14, 20, 26)


class Settings(Value):
    """What is compared.

    mild, judged: the exponents of the density at which claims look, fixed beforehand: one where pruning should cost
    nothing, one where methods should differ. margin: percentage points of test error that count as nothing. period:
    between two exchanges of weights of SET and RigL. batches: that SNIP and GraSP see. rounds: of SynFlow and of SNIP
    in rounds, which is run if `iterative`.
    """

    ground: Ground
    mild: int = 2
    judged: int = 10
    margin: float = Field(default=0.5, gt=0)
    period: Duration = "100it"
    batches: Count = 1
    rounds: Count = 100
    iterative: bool = False

    @property
    def methods(self) -> tuple[Method, ...]:
        """What is compared, but for the dense network and the rewound masks."""
        return methods(
            convolutions=self.ground.convolutions,
            period=self.period,
            batches=self.batches,
            rounds=self.rounds,
            iterative=self.iterative,
        )

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        if missing := {self.mild, self.judged} - set(self.ground.exponents):
            raise ValueError(
                f"ground.exponents={self.ground.exponents} lack {sorted(missing)}, at which claims are judged; add them"
            )
        return self


SCALES = {
    "smoke": Settings(
        ground=Ground(benchmark="digits", hidden=(16, 8), exponents=(2, 10), replicates=2, epochs=2),
        period="10it",
        rounds=5,
        iterative=True,
    ),
    "laptop": Settings(ground=Ground(exponents=EXPONENTS, epochs=40, share=0.2)),
    "paper": Settings(
        ground=Ground(noises=(0.0, 0.2), exponents=(*range(2, 21, 2), 23, 26), replicates=5, epochs=40),
        iterative=True,
    ),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    ground = settings.ground
    arms = Arms(ground, settings.methods)
    panels = views.groups(arms)
    return Study(
        "atinit/compare",
        "Which weights should go before training, does the pattern matter, and what does training without them cost?",
        settings=settings,
        scale=ground.words(scale),
        nodes=arms.nodes,
        figures=(
            views.error_figure(arms, panels),
            views.pattern_figure(arms, ground.noises[0]),
            views.fit_figure(arms, panels),
            views.layer_figure(arms, panels),
            views.collapse_figure(arms, panels),
        ),
        claims=tuple(claim for noise in ground.noises for claim in claims(arms, settings, noise)),
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


def claims(arms: Arms, settings: Settings, noise: float) -> tuple[Claim, ...]:
    """All claims at one noise level."""
    judged, margin = settings.judged, settings.margin
    static = start_of_dynamic(convolutions=arms.ground.convolutions)
    frankle = "Frankle et al. 2021, section 4"

    def beats(better: str, worse: str, place: str) -> Claim:
        return statements.beats(arms, better, worse, noise=noise, exponent=judged, place=place)

    return (
        *(
            statements.retains(arms, name, noise=noise, exponent=settings.mild, margin=margin)
            for name in ("Bernoulli", "SNIP", "GraSP", "SynFlow")
        ),
        *(
            statements.only_layers_matter(arms, name, noise=noise, exponent=judged, margin=margin)
            for name in SCORES
        ),
        *(beats(name, "uniform", frankle) for name in SCORES),
        beats(static, "uniform", "Evci et al. 2020, section 4"),
        beats("SET", static, "Mocanu et al. 2018; Evci et al. 2020, section 4"),
        beats("RigL", static, "Evci et al. 2020, section 4"),
        beats("RigL", "SET", "Evci et al. 2020, section 4"),
        statements.tickets_beat_all(arms, tuple(m.name for m in arms.methods), noise=noise, exponent=judged),
        statements.never_collapses(arms, "SynFlow", noise=noise),
    )
