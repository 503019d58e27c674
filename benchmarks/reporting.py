"""Question: how long does the report of a whole paper take when everything is stored?"""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.laboratory import Laboratory
from benchmarks.result import Numbers, Result
from prunescope.papers.jin2022 import whole
from prunescope.papers.jin2022.settings import SCALES
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store.store import Store
from prunescope.studies.publish import publish

SETTINGS = SCALES["smoke"].replace(epochs=1, share=0.2)
"""The smoke scale with less training: how long a network trained does not change the report of it."""


def reporting(lab: Laboratory) -> list[Result]:
    """All of Jin et al. 2022 at smoke scale: building the study; judging, drawing and writing its report."""
    with tempfile.TemporaryDirectory(prefix="prunescope-report-") as folder:
        store = Store(f"{folder}/store")
        ensure(whole.build(SETTINGS, "smoke").nodes, store=store, workers=1)
        seconds = np.array([_seconds(store, Path(folder)) for _ in range(1 + lab.scale.rounds)])[1:]
        page = (Path(folder) / "report" / "index.html").stat().st_size
    size: Numbers = np.array([page / 2**20])
    return [
        Result("building the study", seconds[:, 0], "s"),
        Result("its report", seconds[:, 1], "s", high=10),
        Result("the page", size, "MiB"),
    ]


def _seconds(store: Store, folder: Path) -> tuple[float, float]:
    """Seconds to build the study, and to write its report."""
    began = time.perf_counter()
    study = whole.build(SETTINGS, "smoke")
    built = time.perf_counter()
    publish(study, store, folder / "report")
    return built - began, time.perf_counter() - built
