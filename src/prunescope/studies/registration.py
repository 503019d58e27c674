"""What a study claimed before its first run, kept in the store, and what was changed after it.

A registration lies in `registered/<study>.<settings>.json` of the store and is never rewritten. It holds the sentence,
the region, the preconditions and the nodes of every claim, and the paper's rule; not how numbers are computed from
the nodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prunescope.base.digest import text_digest
from prunescope.runs.store.codec import damaged
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.sealed import record_bytes
from prunescope.runs.store.store import Store, file_name
from prunescope.studies.claim import Claim
from prunescope.studies.study import Study

_FIELDS = {"when", "there", "of", "rule", "claims"}
CHANGED, ADDED = "claim changed after the first run", "claim added after the first run"


@dataclass(frozen=True)
class Registration:
    """A study beside what was registered of it.

    digest: of all registered claims and the rule.
    sentence: when they were registered, and how many results were there already.
    marks: what became of a claim since, by its name; empty of one that is as it was.
    """

    digest: str
    sentence: str
    marks: Mapping[str, str]


def register(study: Study, store: Store) -> None:
    """Writes down what a study claims under its settings, unless that was done before."""
    if store.storage.exists(key := _key(study)):
        return
    nodes = {node.id: node for claim in study.claims for node in claim.nodes}
    results = StoredResults(store)
    record = {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "there": sum(node in results for node in nodes.values()),
        "of": len(nodes),
        "rule": study.rule.name if study.rule else "",
        "claims": {claim.name: _record(claim) for claim in study.claims},
    }
    store.storage.create(key, record_bytes(record))


def registration(study: Study, store: Store) -> Registration | None:
    """What was registered of a study under its settings, beside what it claims now; None where nothing was or is."""
    record: dict[str, Any] | None = store.record(_key(study))
    if record is not None and not (isinstance(record, dict) and record.keys() >= _FIELDS):
        raise damaged(store.where(_key(study)), "it is no registration")
    if not record or not (record["claims"] or study.claims):
        return None
    before: dict[str, Any] = record["claims"]
    now = {claim.name: _record(claim) for claim in study.claims}
    marks = {name: ADDED for name in now if name not in before}
    marks |= {name: CHANGED for name, text in now.items() if name in before and before[name] != text}
    there = f"when {record['there']} of {record['of']} of their results were in it already"
    digest = text_digest(repr((record["rule"], sorted(before.items()))))[:12]
    sentences = [
        f"{len(before)} claims were registered in this store on {record['when']} as {digest}, "
        f"{there if record['there'] else 'before any of their results was in it'}."
    ]
    if gone := sorted(before.keys() - now.keys()):
        sentences.append(f"Registered, and gone since: {', '.join(gone)}.")
    if (rule := study.rule.name if study.rule else "") != record["rule"]:
        sentences.append(f"The paper’s rule was {record['rule'] or 'none'} and is {rule or 'none'} now.")
    return Registration(digest, " ".join(sentences), marks)


def _record(claim: Claim) -> dict[str, str]:
    """All that a claim's verdict depends on, as plain text; of its nodes a digest."""
    conditions = [f"{c.says}: {c.at_least:g} to {c.at_most:g} {c.unit}" for c in claim.preconditions]
    return {
        "says": claim.says,
        "basis": claim.basis,
        "region": repr(claim.region),
        "quantity": claim.unit,
        "preconditions": "; ".join(conditions),
        "least replicates": str(claim.min_replicates),
        "nodes": text_digest(" ".join(sorted(node.id for node in claim.nodes)))[:12],
    }


def _key(study: Study) -> str:
    return f"registered/{file_name(study.name)}.{study.settings.id[:8]}.json"
