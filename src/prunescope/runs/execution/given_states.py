"""Given states come into the store: a run's folder each, with one state and a manifest."""

from collections.abc import Iterable

from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL
from prunescope.base.value import Value
from prunescope.runs.execution.manifest import base_manifest, sizes
from prunescope.runs.graph.given import Given
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store


def keep_given(nodes: Iterable[Value], store: Store) -> None:
    """Stores the given states among some nodes that are not stored yet.

    Raises UsageError for one that is neither stored nor at hand, since it was given in another process.
    """
    states = {node.id: node for node in nodes if isinstance(node, Given)}
    stored = store.known_runs(states)
    for key, node in states.items():
        if key in stored and FINAL.id in stored[key]["states"]:
            continue
        if node.weights is None:
            raise UsageError(f"the given state {key[:8]} is not in {store.url}; give it again, by its file or module")
        if key in stored:
            store.add_parts(key, {FINAL.id: node.weights}, {})
            continue
        nothing = dict.fromkeys(("step", "steps", "most_steps", "epoch_steps"), 0)
        manifest = base_manifest(node, "done", StoredResults(store)) | nothing | sizes(node.weights)
        store.add_run(key, manifest, {FINAL.id: node.weights}, {})
