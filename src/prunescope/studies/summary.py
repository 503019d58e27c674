"""What a study found, as plain data and as one sentence."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from prunescope.base.value import Value
from prunescope.runs.graph.nodes import describe
from prunescope.studies.claim import Verdict
from prunescope.studies.region import Outcome
from prunescope.studies.rule import Rule
from prunescope.studies.study import Study


def summary(study: Study, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts of a study as plain data; None stands where there is no number."""
    return {
        "study": study.name,
        "question": study.question,
        "paper": study.paper,
        "rule": study.rule and study.rule.name,
        "scale": study.scale,
        "extent": study.extent
        and {"scale": study.extent.scale, "cut": study.extent.cut, "data": study.extent.data}
        | {"setting": "recalled" if study.extent.recalled else "published"},
        "settings": described(study.settings),
        "figures": [figure.name for figure in study.figures],
        "claims": [_claim_summary(verdict, study.rule) for verdict in verdicts],
    }


def described(settings: Value) -> dict[str, Any]:
    """All fields of a settings value as plain data; nested values with their class as "kind"."""
    return {name: describe(getattr(settings, name)) for name in type(settings).model_fields}


def summary_sentence(verdicts: Sequence[Verdict], rule: Rule | None = None) -> str:
    """What became of all claims, by the interval rule and that of the paper; first of the paper's own among others."""
    if not verdicts:
        return "This study makes no claims."
    noun = "claim" if len(verdicts) == 1 else "claims"
    interval = f"the interval rule finds {_counts(verdict.interval_rule for verdict in verdicts)}"
    by_paper = f"; by {rule.name}: {_counts(verdict.paper for verdict in verdicts)}" if rule else ""
    own = [verdict.interval_rule for verdict in verdicts if verdict.claim.basis == "paper"]
    first = own_sentence(own, len(verdicts))
    return f"{first}Of {len(verdicts)} {noun}{verdicts[0].extent}, {interval}{by_paper}."


def own_sentence(outcomes: Sequence[Outcome], total: int) -> str:
    """What became of the paper's own claims among `total`, with a space behind; empty where all or none are."""
    if not 0 < len(outcomes) < total:
        return ""
    return f"Of {len(outcomes)} that are the paper’s own, the interval rule finds {_counts(outcomes)}. "


def _claim_summary(verdict: Verdict, rule: Rule | None) -> dict[str, Any]:
    claim, interval = verdict.claim, verdict.interval
    return {
        "name": claim.name,
        "says": claim.says,
        "basis": claim.basis,
        "place": claim.place,
        "region": str(claim.region),
        "unit": verdict.unit,
        "quantity": claim.unit,
        "by_paper": rule and verdict.paper,
        "by_interval": verdict.interval_rule,
        "said": verdict.said,
        "why": verdict.why,
        "n": verdict.n,
        "over": verdict.over,
        "values": list(verdict.values),
        "estimate": interval and interval.estimate,
        "low": interval and interval.low,
        "high": interval and interval.high,
        "level": interval and interval.level,
        "p": verdict.p,
        "p_holm": verdict.p_holm,
    }


def _counts(outcomes: Iterable[Outcome]) -> str:
    counted = Counter(outcomes)
    said = {"too few replicates": "with too few replicates"}
    parts = [f"{counted[outcome]} {said.get(outcome, outcome)}" for outcome in get_args(Outcome) if counted[outcome]]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def json_text(record: object) -> str:
    """Plain data as JSON, with null for each number that is not finite."""
    return json.dumps(finite(record), indent=2, ensure_ascii=False, default=str, allow_nan=False)


def finite(part: Any) -> Any:
    """The same plain data with null for each number that is not finite: JSON has no word for it."""
    if isinstance(part, Mapping):
        return {name: finite(inner) for name, inner in part.items()}
    if isinstance(part, list | tuple):
        return [finite(inner) for inner in part]
    return None if isinstance(part, float) and not math.isfinite(part) else part
