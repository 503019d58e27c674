"""The sentences at the head of an audit: what happened, to whom, whether it is more than another seed, what is safe."""

import numpy as np

from prunescope.audit.gate import points
from prunescope.audit.tables import Findings
from prunescope.studies.contrast import Contrast

NAMED = 3
"""Groups that are named at most."""


def head(findings: Findings) -> str:
    """What is doubtful; what happened to the sparsest network, to whom, and whether it is more than another seed."""
    one = max(findings.pruned, key=lambda one: one.other.sparsity)
    parts = [f"Careful: {doubt}." for doubt in findings.doubts]
    parts += [_what(one), _stranger(one), _whom(one), _seeds(one), _controls(findings)]
    parts += [_safe(findings)] if len(findings.pruned) > 1 else []
    return " ".join(filter(None, parts))


def _what(one: Contrast) -> str:
    before, after = (100 * float(network.wrong.mean()) for network in (one.dense, one.other))
    lost, won = int(one.lost.sum()), int(one.won.sum())
    were = "answer was" if lost == 1 else "answers were"
    size = f"{100 * abs(one.other.sparsity):.1f} % " + ("sparse" if one.other.sparsity >= 0 else "more weights")
    return (
        f"{one.other.name} ({size}) is wrong on {after:.1f} % of "
        f"{len(one.evidence):,} examples, the dense network on {before:.1f} %: {lost} {were} lost and {won} won "
        f"(McNemar's p {one.mcnemar:.2g})."
    )


def _stranger(one: Contrast) -> str:
    """A warning where the dense network knows nothing of these examples, which are of several classes."""
    right = float((~one.dense.wrong).mean())
    likeliest = float(np.bincount(one.dense.label).max() / len(one.evidence))
    if likeliest == 1 or right > likeliest + 2 * (likeliest * (1 - likeliest) / len(one.evidence)) ** 0.5:
        return ""
    return (
        "The dense network is hardly better than naming the most frequent class always: these may be other data than "
        "it was trained for, or classes in another order, or inputs normalized in another way."
    )


def _whom(one: Contrast) -> str:
    places = one.grouped
    family = one.changes.at(places)
    worst = int(family.low.argmax())
    low, estimate, high = (100 * float(end[worst]) for end in (family.low, family.estimate, family.high))
    if low <= 0:
        return "No class or group is shown to lose."
    return (
        f"The surest loss is that of {one.parts[places[worst]].title}: {estimate:.1f} points [{low:.1f}, {high:.1f}]."
    )


def _seeds(one: Contrast) -> str:
    if not one.evidence.twins:
        return "No twin is given, so nobody can tell whether another seed would have changed as much."
    low = one.floor.excess.low
    harmed = [one.parts[place].title for place in (-low).argsort() if low[place] > 0]
    if not harmed:
        return "No loss is shown to be more than another seed would cause."
    more = f" and {len(harmed) - NAMED} more" if len(harmed) > NAMED else ""
    return f"More than another seed would cause is lost by {', '.join(harmed[:NAMED])}{more}."


def _controls(findings: Findings) -> str:
    """How often the controls are wrong, which were not pruned."""
    controls, sets = set(map(id, findings.evidence.controls)), findings.populations.items()
    errors = {name: [100 * one.wrong.mean() for one in some] for name, some in sets if id(some[0]) in controls}
    ends = {name: dict.fromkeys(f"{end:.1f}" for end in (min(both), max(both))) for name, both in errors.items()}
    wrong = [f"{name} on {' to '.join(two)} %" for name, two in ends.items()]
    return f"Without pruning, {', '.join(wrong)} are wrong." if wrong else ""


def _safe(findings: Findings) -> str:
    best, why = findings.safe
    safe = "no sparsity here is shown to be safe" if best is None else f"the safe sparsity is {100 * best:.1f} %"
    return f"If no class or group may lose more than {points(findings.delta)}, {safe}{why}."
