"""Trackio: a project a study, in a folder; needs the extra `trackio`. `TRACKIO_DIR=<folder> trackio show` shows it."""

import contextlib
import io
import os
from collections.abc import Iterable
from pathlib import Path

from prunescope.base.errors import UsageError
from prunescope.sharing.leaves import require
from prunescope.sharing.records import Record


def write(records: Iterable[Record], place: Path) -> None:
    """One run of Trackio a record; one that was written before is deleted there first.

    Raises UsageError where Trackio was imported before for another folder, which it cannot change.
    """
    os.environ["TRACKIO_DIR"] = str(place.resolve())  # which Trackio reads when it is imported, and nowhere else
    trackio, utils = require("trackio", "trackio", "trackio.utils")
    if Path(utils.TRACKIO_DIR) != place.resolve():
        raise UsageError(f"Trackio writes to {utils.TRACKIO_DIR} in this process; name that folder, or start anew")
    for record in records:
        with contextlib.redirect_stdout(io.StringIO()):
            with contextlib.suppress(ValueError):  # a project that is new
                for before in trackio.Api().runs(record.group):
                    if before.name == record.name:
                        before.delete()
            run = trackio.init(
                project=record.group,
                name=record.name,
                config=dict(record.settings),
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
            for step, values in record.rows():
                run.log(values, step=step)
            run.log({f"result/{name}": value for name, value in record.results.items()}, step=record.last)
            run.finish()
