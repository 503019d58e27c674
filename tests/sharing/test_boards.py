"""Curves and results on boards, each opened with the board's own reader."""

import importlib.util
import math
import sys

import numpy as np
import pytest

import prunescope as ps
from prunescope.base.errors import UsageError
from prunescope.sharing import sinks
from prunescope.sharing.records import of_nodes, of_runs

CURVE = "Curve test/error"


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs {package}")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A store, the nodes of a chain of two runs, and the values that the store has of them."""
    store = ps.Store(tmp_path_factory.mktemp("store"))
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=(4,), inputs=16, classes=4)
    task = ps.Task(network=net, data=ps.Data(source=ps.synthetic(train=64, test=32)))
    base = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=16, length="3ep")
    chain = ps.imp(base, levels=1)
    nodes = [ps.Trace(probe=ps.Curve(split="test"), run=run) for run in chain]
    nodes += [ps.Trace(probe=ps.AroundEvents(), run=chain[-1])]
    nodes += [ps.Reading(measure=ps.Risk(split="test"), state=ps.final(run)) for run in chain]
    return store, nodes, ps.ensure(nodes, store=store, workers=1)


def test_records_are_what_the_store_has(world):
    store, nodes, results = world
    dense, pruned = of_nodes(store, nodes, "tiny")
    steps, values = dense.curves[CURVE]
    assert steps.tolist() == results[nodes[0]]["step"].tolist() == [4, 8, 12]
    assert np.array_equal(values, results[nodes[0]]["error"])
    assert pruned.results["Risk test/error"] == float(results[nodes[4]]["error"])
    assert pruned.settings["task.network.args.hidden"] == [4] and pruned.results["sparsity"] > 0.1
    assert {"AroundEvents test before events/loss", "AroundEvents test after events/loss"} <= pruned.curves.keys()
    assert next(iter(dense.rows()))[0] == 4
    (by_id,) = of_runs(store, [dense.id])
    assert np.array_equal(by_id.curves["trace/error"][1], values)


def opened_tensorboard(place, record):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(place / "tiny" / record.name)).Reload()
    rows = events.Scalars(CURVE.replace(" ", "_"))
    assert events.Scalars("result/sparsity")[0].value == pytest.approx(record.results["sparsity"])
    return [row.step for row in rows], [row.value for row in rows]


def records_of_log(content):
    """The records of a LevelDB log behind a header of seven bytes: [crc 4][length 2][kind 1], in blocks of 32 kB."""
    assert content[:4] == b":W&B"
    place, record = 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def opened_wandb(place, record):
    from wandb.proto import wandb_internal_pb2

    (path,) = place.glob(f"wandb/offline-run-*/run-{record.id}.wandb")
    rows = []
    for content in records_of_log(path.read_bytes()):
        row = wandb_internal_pb2.Record()
        row.ParseFromString(content)
        if row.WhichOneof("record_type") == "history":
            rows.append({"/".join(i.nested_key) or i.key: float(i.value_json) for i in row.history.item})
    kept = [(int(row["_step"]), row[CURVE]) for row in rows if CURVE in row]
    return [step for step, _ in kept], [value for _, value in kept]


def opened_mlflow(place, record):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place.resolve() / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    (run,) = client.search_runs([experiment], f"tags.prunescope = '{record.id}'")
    assert run.data.metrics["result/sparsity"] == record.results["sparsity"]
    assert run.data.params["batch"] == "16"
    rows = client.get_metric_history(run.info.run_id, CURVE)
    return [row.step for row in rows], [row.value for row in rows]


def opened_trackio(place, record):
    from trackio.sqlite_storage import SQLiteStorage

    rows = [row for row in SQLiteStorage.get_logs("tiny", record.name) if CURVE in row]
    return [row["step"] for row in rows], [row[CURVE] for row in rows]


BOARDS = {
    "tensorboard": (opened_tensorboard, "tensorboardX", "tensorboard"),
    "wandb": (opened_wandb, "wandb", "wandb"),
    "mlflow": (opened_mlflow, "mlflow", "mlflow"),
    "trackio": (opened_trackio, "trackio", "trackio"),
}


def test_every_board_is_tried_here():
    assert sinks.boards() == sorted(BOARDS)


@pytest.mark.parametrize(
    "board", [pytest.param(name, marks=[needs(writer), needs(reader)]) for name, (_, writer, reader) in BOARDS.items()]
)
@pytest.mark.filterwarnings("ignore")
def test_a_board_shows_what_the_store_has(board, world, tmp_path, monkeypatch):
    store, nodes, _ = world
    monkeypatch.setenv("TRACKIO_DIR", "")
    for _ in range(2):  # once more changes nothing, but a board that sends offline folders has two of them
        if board != "wandb" or not list(tmp_path.iterdir()):
            assert sinks.write(of_nodes(store, nodes, "tiny"), board, tmp_path) == 2
    for record in of_nodes(store, nodes, "tiny"):
        steps, values = BOARDS[board][0](tmp_path, record)
        expected = record.curves[CURVE]
        assert steps == expected[0].tolist()
        assert all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(values, expected[1], strict=True))


def test_a_package_that_is_missing_is_named(world, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UsageError, match=r"this needs tensorboardX: pip install 'prunescope\[tensorboard\]'"):
        sinks.write(iter(()), "tensorboard", tmp_path)
    with pytest.raises(UsageError, match="no 'paper' to export to; there are mlflow"):
        sinks.write(iter(()), "paper", tmp_path)
