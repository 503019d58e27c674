"""Weights & Biases, offline: one folder a run; needs the extra `wandb`. `wandb sync` sends them, nothing here does."""

from collections.abc import Iterable
from pathlib import Path

from prunescope.sharing.leaves import require
from prunescope.sharing.records import Record


def write(records: Iterable[Record], place: Path) -> None:
    """One offline run a record, whose id is that of the run, so that a run that is sent twice is one."""
    (wandb,) = require("wandb", "wandb")
    place.mkdir(parents=True, exist_ok=True)
    quiet = wandb.Settings(console="off", silent=True, x_disable_stats=True, disable_git=True, save_code=False)
    for record in records:
        run = wandb.init(
            mode="offline",
            project=record.group,
            id=record.id,
            name=record.name,
            config=dict(record.settings),
            dir=str(place),
            settings=quiet,
            reinit="finish_previous",
        )
        for step, values in record.rows():
            run.log(values, step=step)
        run.summary.update({**record.results, "status": record.status})
        run.finish()
