"""A store that an earlier version made is read: `stores/unsealed` is of 2026-11-22, before files carried digests."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import prunescope as ps
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.store.plan import plan
from prunescope.runs.store.provenance import cost
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store

Runs = Sequence[ps.Recipe]
OLD = Path(__file__).parent / "stores" / "unsealed"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shutil.copytree(OLD, tmp_path / "store")
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def chain() -> Runs:
    """What was trained then."""
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=(4,), inputs=64)
    task = ps.Task(network=net, data=ps.Data(source=ps.digits(), label_noise=0.4))
    base = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=64, length="1ep")
    return ps.imp(base, levels=1)


def test_runs_readings_and_traces_are_what_they_were(store: Store, chain: Runs) -> None:
    risks = [ps.Reading(measure=ps.Risk(split="test"), state=ps.final(run)) for run in chain]
    trace = Trace(run=chain[1], probe=ps.EpochAccuracy(split="test"))
    assert not plan([*risks, trace], store).work
    results = StoredResults(store)
    assert [float(results[risk]["error"]) for risk in risks] == [0.936, 0.924]
    assert results[trace]["error"].tolist() == [0.936, 0.94, 0.924]
    masks = store.weights(chain[1].id, ps.final(chain[1]).moment.id).masks
    assert sum(int((mask == 0).sum()) for mask in masks.values()) == 60


def test_what_is_measured_anew_trains_nothing_and_replaces_no_file(store: Store, chain: Runs) -> None:
    nodes = [ps.Reading(measure=ps.Risk(split="train"), state=ps.final(run)) for run in chain]
    assert not plan(nodes, store).jobs
    results = ps.ensure(nodes, store=store, workers=1)
    assert all(float(results[node]["loss"]) > 0 for node in nodes)
    kept = [path for part in ("runs", "readings") for path in (OLD / part).rglob("*.*")]
    assert len(kept) == 7
    assert all((Path(store.root) / path.relative_to(OLD)).read_bytes() == path.read_bytes() for path in kept)


def test_what_it_cost_is_told_where_only_seconds_of_work_were_written_down(store: Store, chain: Runs) -> None:
    before = cost(chain, store)
    for path in Path(store.root).rglob("manifest.json"):
        manifest = json.loads(path.read_text())
        del manifest["exec"]["elapsed"]
        path.write_text(json.dumps(manifest))
    assert cost(chain, Store(store.root)) == before and before["seconds of work"] > 0


def test_pins_of_then_are_a_list(store: Store, chain: Runs) -> None:
    folder = Path(store.root) / "pins"
    folder.mkdir()
    (folder / "quickstart.json").write_text(json.dumps([chain[0].id]))
    assert store.pins() == {"quickstart": [chain[0].id]}
