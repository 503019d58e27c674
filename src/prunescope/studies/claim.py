"""Claims and verdicts.

Belongs here: what is claimed, when it can be judged, and what became of it. Does not belong here: the judgement
(`judging.py`), the rules themselves (`region.py`), or how a verdict is shown (`report.py`).
"""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

from prunescope.base.errors import UsageError
from prunescope.studies.checked import require_all
from prunescope.studies.quantity import Estimate, Estimated, Quantity, nodes_of, require_quantities
from prunescope.studies.region import Outcome, Region
from prunescope.studies.results import Node
from prunescope.studies.statistics import Interval

Basis = Literal["paper", "recalled", "proposed"]
"""Read in the paper; remembered but not found again; this project's own."""
SIGNIFICANT = 0.05
"""Holm's p up to which a verdict outlives the correction for all judged claims of its study."""
_DECISIONS: tuple[Outcome, ...] = ("reproduced", "contradicted", "inconclusive")


@dataclass(frozen=True)
class Precondition:
    """Something that must hold before a claim can be judged: "the dense network fits its training set".

    says: the sentence.
    quantity: one number, or several; all of them must lie in [at_least, at_most], in its unit.
    blocks: whether the claim is not judged where it does not hold; otherwise the verdict comes with a caution.
    """

    says: str
    quantity: Quantity
    _: KW_ONLY
    at_least: float = -math.inf
    at_most: float = math.inf
    blocks: bool = True

    def __post_init__(self) -> None:
        require_quantities([self.quantity])
        bounds = (self.at_least, self.at_most)
        numbers = all(isinstance(bound, int | float) for bound in bounds)
        if not (numbers and self.at_least <= self.at_most and any(map(math.isfinite, bounds))):
            raise UsageError(
                f"precondition {self.says!r} needs at least {self.at_least!r} and at most {self.at_most!r}, which "
                "holds always or never; give at_least= or at_most="
            )

    @property
    def unit(self) -> str:
        """Of the quantity, as it is printed."""
        return self.quantity.described


@dataclass(frozen=True)
class Claim:
    """One sentence that a study can find true or false.

    name: a file name and an anchor, so lower-case letters, digits, "-" and "_".
    says: the sentence.
    quantity: one number a replicate (paired differences where it applies), or one a case for a `Count`: [R]; where
        several parts are claimed at once (`Among`), [R, parts].
    region: where it is claimed to lie.
        An `Estimated` quantity brings its own interval, over examples.
    basis: whether the paper says so, is remembered to, or nobody but this study does.
    words: how the outcomes "reproduced", "contradicted" and "inconclusive" are said of this claim.
    unwelcome: whether it is bad news if the sentence is true; reports colour its outcomes so.
    place: where the paper says so.
    preconditions: what must hold before it can be judged.
    min_replicates: the fewest replicates that it is judged from.
    """

    name: str
    says: str
    quantity: Quantity | Estimated
    region: Region
    _: KW_ONLY
    basis: Basis = "proposed"
    place: str = ""
    words: tuple[str, str, str] = ("reproduced", "contradicted", "inconclusive")
    unwelcome: bool = False
    preconditions: tuple[Precondition, ...] = ()
    min_replicates: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.quantity, Quantity | Estimated):
            raise UsageError(f"claim {self.name!r} is about {self.quantity!r}; give a Quantity, such as ps.column(...)")
        if not isinstance(self.region, Region):
            raise UsageError(
                f"claim {self.name!r} has the region {self.region!r}; give one, such as ps.Direction('less')"
            )
        if self.basis not in get_args(Basis):
            raise UsageError(
                f"claim {self.name!r} has the basis {self.basis!r}; it is one of {', '.join(get_args(Basis))}"
            )
        if not isinstance(self.min_replicates, int):
            raise UsageError(f"claim {self.name!r} has min_replicates={self.min_replicates!r}; give a whole number")
        if len(self.words) != len(_DECISIONS) or isinstance(self.words, str):
            raise UsageError(f"claim {self.name!r} has the words {self.words!r}; give one for each of {_DECISIONS}")
        require_all(self.preconditions, Precondition, f"preconditions of claim {self.name!r}")

    @property
    def unit(self) -> str:
        """Of the quantity, as it is printed ("percentage points of test error, extended minus pruned")."""
        return self.quantity.described

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All that must be computed before it can be judged."""
        return nodes_of([self.quantity, *(condition.quantity for condition in self.preconditions)])


@dataclass(frozen=True)
class Verdict:
    """What became of a claim, by its paper's own rule and by the interval rule.

    paper, interval_rule: the two outcomes; where the study has no rule of a paper's, or that rule says nothing of such
        a quantity, the first is "no such rule".
    why: the region and the interval, or what is in the way of a judgement.
    values: the claim's numbers; of several parts the mean over replicates of each.
    interval: of the claimed quantity; None where there is no number.
    p: for the claimed region, see `Region.p_value`; None where there is no number.
    p_holm: p adjusted for all judged claims of the study.
    estimate: of an `Estimated` quantity, what it is estimated from; its values are not listed.
    extent: how the study stands to the paper's own settings, see `Extent`; empty for nothing to say.
    since: what became of the claim after it was registered, see `registration`; empty for nothing.
    """

    claim: Claim
    paper: Outcome
    interval_rule: Outcome
    why: str
    values: tuple[float, ...] = ()
    interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    estimate: Estimate | None = None
    extent: str = ""
    since: str = ""

    @property
    def n(self) -> int:
        """Number of replicates or examples; of cases for a count, of parts where several are claimed at once."""
        return self.estimate.n if self.estimate else len(self.values)

    @property
    def over(self) -> str:
        """What there are n of: replicates, examples, parts such as groups or levels."""
        return self.estimate.over if self.estimate else self.claim.region.over(self.claim.unit)

    @property
    def unit(self) -> str:
        """What the interval is of, as it is printed."""
        about = self.estimate.about if self.estimate else ""
        return ", ".join(filter(None, (self.claim.region.unit(self.claim.unit, self.n), about)))

    @property
    def fails_holm(self) -> bool:
        """Whether the interval decides, but p after Holm's correction for all judged claims is above 5 %.

        A p of one side says nothing of "contradicted", which then is not corrected.
        """
        tested = ("reproduced", "contradicted") if self.claim.region.two_sided else ("reproduced",)
        return self.interval_rule in tested and self.p_holm is not None and self.p_holm > SIGNIFICANT

    @property
    def stands(self) -> bool:
        """Whether the claim is decided, either way, and outlives the correction for all judged claims of its study."""
        return self.interval_rule in ("reproduced", "contradicted") and not self.fails_holm

    @property
    def said(self) -> str:
        """The outcome of the interval rule in the claim's own words.

        With the scale, whether it outlives Holm's correction, and whether the claim was changed after its first run.
        """
        since = f", {self.since}" if self.since else ""
        if self.interval_rule not in _DECISIONS:
            return self.interval_rule + since
        word = self.claim.words[_DECISIONS.index(self.interval_rule)]
        return f"{word}{self.extent}{', not after Holm' if self.fails_holm else ''}{since}"
