"""MLflow: an experiment a study, in `mlflow.db`; needs the extra `mlflow`. See `mlflow ui --backend-store-uri`."""

from collections.abc import Iterable
from pathlib import Path

from prunescope.sharing.leaves import require
from prunescope.sharing.records import Record

MOST = 1000
"""Metrics that one call takes."""
LONGEST = 6000
"""Characters that a parameter may have."""


def write(records: Iterable[Record], place: Path) -> None:
    """One run of MLflow a record; one that was written before is deleted there first."""
    _, tracking, entities = require("mlflow", "mlflow", "mlflow.tracking", "mlflow.entities")
    place.mkdir(parents=True, exist_ok=True)
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{place.resolve() / 'mlflow.db'}")
    for record in records:
        known = client.get_experiment_by_name(record.group)
        experiment = (
            known.experiment_id
            if known
            else client.create_experiment(record.group, (place / "artifacts").resolve().as_uri())
        )
        for before in client.search_runs([experiment], f"tags.prunescope = '{record.id}'"):
            client.delete_run(before.info.run_id)
        run = client.create_run(experiment, run_name=record.name, tags={"prunescope": record.id}).info.run_id
        params = [entities.Param(name, str(value)[:LONGEST]) for name, value in record.settings.items()]
        metrics = [
            entities.Metric(_name(name), value, 0, step) for step, row in record.rows() for name, value in row.items()
        ]
        metrics += [
            entities.Metric(_name(f"result/{name}"), value, 0, record.last) for name, value in record.results.items()
        ]
        client.log_batch(run, params=params)
        for first in range(0, len(metrics), MOST):
            client.log_batch(run, metrics=metrics[first : first + MOST])
        client.set_terminated(run, "FINISHED" if record.status == "done" else "FAILED")


def _name(name: str) -> str:
    """A name that MLflow permits."""
    return "".join(letter if letter.isalnum() or letter in "_-./ " else "_" for letter in name)
