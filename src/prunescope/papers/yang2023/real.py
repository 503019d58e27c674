"""The abstract's two statements on real data: random pruning at initialization, and rewound magnitude masks.

Belongs here: the study, for any ground. Does not belong here: the grounds (`mnist.py`, `cifar.py`), the claims
(`real_claims.py`), the runs (`papers/atinit/arms.py`, shared with the comparison of all methods).
"""

from typing import Self

from pydantic import Field, model_validator

from prunescope.base.value import Value
from prunescope.papers.atinit import views
from prunescope.papers.atinit.arms import Arms
from prunescope.papers.atinit.ground import Ground
from prunescope.papers.atinit.methods import BERNOULLI, SCORES, VARIANTS, ranked, scores
from prunescope.papers.yang2023.real_claims import claims
from prunescope.papers.yang2023.setting import PAPER
from prunescope.papers.yang2023.thresholds import Thresholds
from prunescope.studies.study import Study


class Settings(Value):
    """What is run, and where claims look.

    mild, over: exponents of the density, fixed beforehand. margin: percentage points of test error that count as
    nothing. tolerance: percentage points of error that a network may lose beside its dense one, or one standard
    deviation of dense networks if that is more, before it is said to suffer. All are proposed here. variants: whether
    two other ways to draw independent masks are run beside: `methods.VARIANTS`. scores: whether masks by score are,
    with all their thresholds; without label noise they are runs of atinit/compare.
    """

    ground: Ground
    mild: int = 2
    over: int = 20
    margin: float = Field(default=0.5, gt=0)
    tolerance: float = Field(default=0.1, ge=0)
    variants: bool = False
    scores: bool = False

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        if missing := {self.mild, self.over} - set(self.ground.exponents):
            raise ValueError(
                f"ground.exponents={self.ground.exponents} lack {sorted(missing)}, at which claims are judged; "
                "add them"
            )
        return self


def study(name: str, question: str, settings: Settings, scale: str) -> Study:
    """The study called `name` under these settings."""
    variants = VARIANTS if settings.variants else ()
    by_score = ranked(scores()) if settings.scores else ()
    arms = Arms(settings.ground, (BERNOULLI, *variants, *by_score))
    masks = tuple(name for name in arms.names if name not in SCORES)
    panels = {"random pruning at initialization, and rewound magnitude masks": masks}
    panels |= {"masks by score": SCORES} if by_score else {}
    noises = settings.ground.noises
    thresholds = Thresholds(arms, settings.tolerance)
    figures = [views.error_figure(arms, panels), views.fit_figure(arms, panels)]
    figures += [views.memory_figure(arms, panels)] if max(noises) > 0 else []
    return Study(
        name,
        question,
        settings=settings,
        scale=settings.ground.words(scale),
        paper=PAPER,
        nodes=[*arms.nodes, *thresholds.every],
        figures=(*figures, thresholds.figure()),
        claims=claims(thresholds, mild=settings.mild, over=settings.over, margin=settings.margin),
        notes=(
            "Of the paper, its abstract and introduction were read; that it has experiments on this data, and the two "
            "thresholds, are recalled. Widths, schedules, sparsities and label noise are proposed here.",
            "Every weight stays with the same probability, in all layers; unless a variant says so, nothing is "
            "rescaled. Masks of a replicate are nested over sparsities.",
            "The statement on over-pruning needs training that succeeds at extreme sparsity. Where the training error "
            "says it does not, the claim is not judgeable here, whatever the test error is.",
        ),
    )
