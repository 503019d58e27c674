"""TensorBoard: one folder of events a run; needs the extra `tensorboard`. Look at them with `tensorboard --logdir`."""

from collections.abc import Iterable
from pathlib import Path

from prunescope.sharing.leaves import require
from prunescope.sharing.records import Record

_OURS = ".prunescope"


def write(records: Iterable[Record], place: Path) -> None:
    """Curves, settings and results of every run, in `place`/<group>/<run>."""
    boards, summary = require("tensorboard", "tensorboardX", "tensorboardX.summary")
    for record in records:
        folder = place / record.group / record.name
        for before in folder.glob(f"**/events.out.tfevents.*{_OURS}"):
            before.unlink()
        with boards.SummaryWriter(str(folder), filename_suffix=_OURS) as writer:
            for name, (steps, values) in record.curves.items():
                for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                    writer.add_scalar(name, value, step)
            settings = {name: _plain(value) for name, value in record.settings.items()}
            results = {f"result/{name}": value for name, value in record.results.items()}
            for part in summary.hparams(settings, results):  # `add_hparams` would open another file of events
                writer.file_writer.add_summary(part)
            for name, value in results.items():
                writer.add_scalar(name, value, record.last)


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str) else str(value)
