"""What is claimed of an effect and its parts, and which of them are told from chance: one rule for the whole report.

A part is told from chance if its claim stands (`Verdict.stands`): its two-sided p is at most 5 % after Holm's
correction for all claims, and so its interval excludes 0. Where nothing has an effect, anything is told from chance in
at most 5 % of studies; the same holds of those parts that have none beside parts that have one.
"""

from collections.abc import Iterable, Mapping

from prunescope.studies import Claim, Quantity, TwoSided, Verdict
from prunescope.studies.statistics import Interval

WHOLE = "pruning"
SUFFIX = "-lowers-the-error"


def claims(label: str, whole: Quantity, parts: Mapping[str, Quantity]) -> tuple[Claim, ...]:
    """That pruning lowers what the label says, and that each of its parts does."""
    says = {WHOLE: "Pruning", **{name: f"The part of {name}" for name in parts}}
    quantities = {WHOLE: whole, **parts}
    return tuple(
        Claim(f"{part}{SUFFIX}", f"{says[part]} lowers {label}.", quantity, TwoSided("less"))
        for part, quantity in quantities.items()
    )


def intervals(verdicts: Iterable[Verdict]) -> dict[str, Interval | None]:
    """The interval of every part and of the whole, as its claim has it; None where it is not known."""
    return {v.claim.name.removesuffix(SUFFIX): v.interval for v in verdicts}


def told(verdicts: Iterable[Verdict], among: Iterable[str]) -> list[str]:
    """Which of some parts are told from chance, the largest change first."""
    sizes = {part: abs(found.estimate) for part, found in intervals(v for v in verdicts if v.stands).items() if found}
    return sorted((part for part in among if part in sizes), key=lambda part: -sizes[part])
