"""A stored network as a file for others: written, read back, and compared."""

from pathlib import Path

from prunescope.base.errors import PrunescopeError
from prunescope.base.reference import StateRef
from prunescope.runs.graph.given import Run
from prunescope.runs.machine.modules import LoadedModule, loaded
from prunescope.runs.store.store import Store
from prunescope.sharing import exporters
from prunescope.sharing.leaves import leaf
from prunescope.sharing.network import portable
from prunescope.tasks.functional import close

CLOSE = 1e-5
"""What a written file computes differs from the network by no more than this, relative to the largest output."""


def export(
    state: StateRef | Run | str, to: str, path: Path | str, *, store: Store | Path | str, smaller: bool = False
) -> LoadedModule:
    """Writes a stored network to a file, reads the file and compares its outputs; returns what was written.

    state: a run, for its end, or one of its kept states; or the first digits of a run's id.
    to: a format: safetensors, torch.export or onnx. smaller: leaves out filters and neurons of which nothing is left.

    The file takes examples normalized as in training; what else one has to know is in it under "prunescope".

    Raises Missing when the state is not stored; UsageError for another format, a package that is not installed, a
    network that cannot be exported or made smaller; PrunescopeError where outputs differ or the file cannot be written,
    and leaves no file then.
    """
    exporter = leaf(exporters, to)
    taken = loaded(state, store=store, smaller=smaller)
    network, path = portable(taken), Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial{exporter.SUFFIX}")
    try:
        outputs = exporter.write(network, partial)
        expected = network.expected
        if not close(outputs, expected, CLOSE):
            gap = float((outputs - expected).abs().max()) if outputs.shape == expected.shape else float("inf")
            raise PrunescopeError(f"{to} computes something else than the network (by {gap:.2g}); nothing was written")
        partial.replace(path)
    except PrunescopeError:
        raise
    except Exception as problem:  # of a full disk safetensors, torch and ONNX each have an error of their own
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise PrunescopeError(f"{path} cannot be written as {to} ({reason}); nothing was written") from problem
    finally:
        partial.unlink(missing_ok=True)
    return taken
