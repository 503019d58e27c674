"""From a study and a store to its report on disk."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from prunescope.base.errors import UsageError
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.nodes import Measured
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.inspections import stored_notes
from prunescope.runs.store import provenance
from prunescope.runs.store.opening import open_store
from prunescope.runs.store.plan import plan
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store
from prunescope.studies import report as pages
from prunescope.studies.folder import require_folder
from prunescope.studies.registration import registration
from prunescope.studies.report import Written
from prunescope.studies.study import Study, require_study

STORE, REPORTS = "prunescope-store", "prunescope-reports"


def publish(study: Study, store: Store, folder: Path, *, command: str = "", registered: Study | None = None) -> Written:
    """Writes the report of whatever the store holds of a study; computes no reading and trains nothing.

    command: how to make the report again. registered: the study as it was registered, where replicates were added
    since; by default itself. The same store gives the same bytes.

    Raises UsageError where nothing of the study is stored.
    """
    require_study(study)
    require_folder(folder)
    registered = registered or study
    planned, results = plan(study.nodes, store), StoredResults(store)
    pieces = {key for key, node in planned.nodes.items() if isinstance(node, Recipe | Measured)}
    if pieces and pieces <= planned.work.keys():
        how = f"`{command}` runs it" if command else "`ps.ensure(study.nodes, store=...)` makes it"
        raise UsageError(f"nothing of {study.name} under these settings is stored in {store.url}; {how}")
    study, data = replace(study, notes=(*study.notes, *stored_notes(planned.runs, store))), variants(planned.runs)
    if study.extent:
        study = replace(study, extent=replace(study.extent, data=data))
    else:
        study = replace(study, notes=(*study.notes, *(f"Data: {text}." for text in data)))
    curves = [node for figure in study.figures for nodes in figure.lineage.values() for node in nodes]
    return pages.write(
        study,
        results,
        folder,
        cost=provenance.cost(planned.runs, store),
        lineage=provenance.lineage(curves, store),
        failures=planned.failed,
        command=command,
        registered=registration(registered, store),
    )


def variants(runs: Iterable[Run]) -> tuple[str, ...]:
    """What the data of runs are, where they are not the published files, each once."""
    sources = {run.task.data.source.digest: run.task.data.source for run in runs if isinstance(run, Recipe)}
    return tuple(dict.fromkeys(f"{s.variant}, digest {s.digest[:12]}" for s in sources.values() if s.variant))


def report(study: Study, folder: Path | str | None = None, *, store: Store | Path | str = STORE) -> Written:
    """The report of a study from whatever a store holds of it, as a notebook asks for it; trains nothing.

    folder: where it is written; by default `prunescope-reports/` and the study's name.
    store: the store, or its folder.

    What is written draws itself in a notebook, and has the verdicts as `.verdicts`.
    """
    return publish(study, open_store(store), Path(folder or Path(REPORTS) / study.name))
