"""From a study and a store to a bundle."""

import glob
import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from prunescope import __version__
from prunescope.base.errors import UsageError
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.opening import open_store
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store
from prunescope.sharing import bundle
from prunescope.sharing.places import is_remote, upload
from prunescope.sharing.records import measured
from prunescope.studies.publish import publish as write_report
from prunescope.studies.study import Study, require_study
from prunescope.studies.summary import described

_FACTS = ("status", "why", "step", "steps", "sparsity", "parameters", "layers", "resolved")


def publish(
    study: Study,
    to: Path | str,
    *,
    store: Store | Path | str,
    command: str = "",
    source: Mapping[str, Any] | None = None,
    registered: Study | None = None,
) -> bundle.Bundle:
    """Writes everything that the store holds of a study as a bundle; trains nothing.

    to: a folder, new, empty or an older bundle, which is replaced; or "hf:user/name", a data set of the Hub.
    command: how to make the report again.
    source: how the study is called ("study", "scale", "null", "most"), so that others can build it.
    registered: the study as it was registered, where replicates were added since; by default itself.

    Weights are not part of a bundle, only their digests; neither are data, names of machines, or code of one's own.

    Raises UsageError where nothing of the study is stored, and for a folder that holds something else; OSError, with
    the folder in it, where it cannot be written.
    """
    require_study(study)
    store = open_store(store)
    place = Path("." + re.sub(r"\W", "_", str(to))) if is_remote(to) else Path(to).expanduser().resolve()
    if place.exists() and (other := bundle.strangers(place)):
        raise UsageError(f"{place} holds something else than a bundle ({other[0]}); name a new or an empty folder")
    temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}")
    try:
        _write(temporary, study, registered or study, store, command, source or {})
        if is_remote(to):
            upload(temporary, str(to))
            return bundle.open_bundle(temporary)
        if place.exists():
            place.rename(f"{temporary}.old")
        temporary.rename(place)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror or str(problem), str(place)) from problem
    finally:
        killed = f".{glob.escape(place.name)}.{'[0-9a-f]' * 8}*"  # what they left, and what this one wrote
        for left in place.parent.glob(killed):
            if place.exists() or left.suffix != ".old":
                shutil.rmtree(left, ignore_errors=True)
    return bundle.open_bundle(place)


def _write(root: Path, study: Study, registered: Study, store: Store, command: str, source: Mapping[str, Any]) -> None:
    every, results = closure(study.nodes), StoredResults(store)
    recipes = [node for node in every.values() if isinstance(node, Recipe)]
    known = store.known_runs(node.id for node in recipes)
    if not known:
        raise UsageError(f"nothing of {study.name} is in {store.url}; `prunescope run` makes it, --store names another")
    root.mkdir(parents=True)
    write_report(study, store, root / "report", command=command, registered=registered)
    _write_lines(root / bundle.NODES, (node.canonical for node in every.values()))
    records = (_record(store, run, facts) for run, facts in known.items())
    _write_lines(root / bundle.RUNS, (json.dumps(record, sort_keys=True) for record in records))
    for run, nodes in measured(every.values()).items():
        if values := {node.id: results[node] for node in nodes if node in results}:
            bundle.write_values(root, run, values)
    absent = [node.id for node in study.nodes if node not in results]
    facts = {
        "study": study.name,
        "question": study.question,
        "settings": described(study.settings),
        "source": dict(source),
        "prunescope": __version__,
        "torch": torch.__version__,
        "code": bundle.package_digest(),
        "lacks": len(absent),
    }
    bundle.write_head(root, facts)


def _record(store: Store, run: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """How a run ended and was executed, without the machine's name, and the digests of its states by moment."""
    manifest = store.manifest(run) or {}
    execution = dict(manifest.get("exec", {}))
    if "machine" in execution:
        execution["machine"] = execution["machine"].partition(" ")[2]
    states = {moment: store.weights(run, moment).digest for moment in sorted(facts["states"])}
    if manifest.get("status") == "done" and not states:
        raise UsageError(
            f"run {run[:12]} has lost its weights, whose digests are published; `prunescope run` makes them again"
        )
    kept = {name: manifest[name] for name in _FACTS if name in manifest}
    return {"id": run, **kept, "exec": execution, "states": states}


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
