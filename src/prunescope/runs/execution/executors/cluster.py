"""Work as tasks of Ray Core (extra "ray"): Ray places them and starts them again, the store remembers what is done."""

import contextlib
import importlib
import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.runs.execution.executors.processes import STOP_SECONDS, keep_memory
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.messages import Message, Work
from prunescope.runs.execution.workbench import Workbench

KNOCK_SECONDS = 10.0
RETRIES = 3
"""How often Ray starts a task again whose process or machine died."""


class Connection:
    """Ray, started here or joined.

    slots: how many tasks it runs at the same time: one a core, or one a GPU.
    joined: whether it was in use before.
    """

    def __init__(self, address: str, *, device: str = "cpu", workers: int | None = None) -> None:
        """address: "local" starts Ray on this machine; "auto" or HOST:PORT joins a cluster.

        workers: cores to use on this machine.

        Raises UsageError where Ray is not installed or there is no such cluster.
        """
        try:
            self.ray: Any = importlib.import_module("ray")
        except ImportError:
            raise UsageError("the executor ray needs Ray: pip install 'prunescope[ray]'") from None
        self.joined = bool(self.ray.is_initialized())  # by the caller's own program, which goes on with it
        place: dict[str, Any] = {"address": address, **({"num_cpus": workers} if address == "local" else {})}
        variables = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
        try:
            _knock(address)
            self.ray.init(
                **place,
                runtime_env={"env_vars": variables},
                include_dashboard=False if address == "local" else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                ignore_reinit_error=True,
            )
        except Exception as problem:  # Ray raises OSError, ValueError, RuntimeError, and plain ones
            reason = (str(problem) or type(problem).__name__).splitlines()[0]
            if address == "local":
                fix = "try again while less else is running, or leave --executor ray out"
                raise UsageError(f"Ray does not start on this machine ({reason}); {fix}") from None
            raise UsageError(
                f"--address {address}: Ray cannot be joined ({reason}); `ray start --head` first"
            ) from None
        self.kind = "CPU" if device == "cpu" else "GPU"
        self.slots = int(self.ray.cluster_resources().get(self.kind, 0))
        if not self.slots:
            self.close()
            raise UsageError(f"the cluster at {address} has no {self.kind}; use another --device or cluster")

    def close(self) -> None:
        """Leaves Ray, unless the caller used it before."""
        if not self.joined:
            self.ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens: Ray itself would try for minutes, and fill the screen meanwhile."""
    if address == "auto":
        current = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
        address = os.environ.get("RAY_ADDRESS") or (current.read_text() if current.is_file() else "")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


class Cluster:
    """An executor whose workers are places for tasks, twice as many as run at once, so that none waits for the driver.

    What travels is a recipe, or what is read of a state. States, data and results go through the store.
    """

    def __init__(self, connection: Connection, make: Callable[[], Workbench]) -> None:
        """Starts nothing yet. make: makes the workbench of each process."""
        self.connection, self.ray, self.workers = connection, connection.ray, 2 * connection.slots
        self.make = pickle.dumps(make)
        amount = {"num_cpus": 1} if connection.kind == "CPU" else {"num_cpus": 0, "num_gpus": 1}
        self.task = self.ray.remote(**amount, max_retries=RETRIES, retry_exceptions=False)(_do)
        self.running: dict[Any, int] = {}  # workers by task

    def start(self, worker: int, work: Work) -> None:
        """Hands the work to Ray."""
        self.running[self.task.remote(work, self.make)] = worker

    def wait(self, seconds: float) -> list[Message]:
        """What tasks that ended have said. Raises PrunescopeError where a machine cannot import what it is given."""
        if not self.running:
            return []
        ended, _ = self.ray.wait(list(self.running), num_returns=1, timeout=seconds)
        messages: list[Message] = []
        for task in ended:
            worker = self.running.pop(task)
            try:
                said = self.ray.get(task)
            except (self.ray.exceptions.RayTaskError, self.ray.exceptions.RuntimeEnvSetupError) as problem:
                reason = str(problem).strip().splitlines()[-1]
                raise PrunescopeError(
                    f"a machine of the cluster cannot do the work ({reason}); install the same prunescope on all"
                ) from None
            except self.ray.exceptions.RayError:  # its process or machine died more often than Ray tries
                said = [Message("", "died"), Message("", "free")]
            messages += [replace(message, worker=worker) for message in said]
        return messages

    def stop(self) -> bool:
        """Has running tasks store a checkpoint and end, and leaves Ray."""
        for task in self.running:
            with contextlib.suppress(self.ray.exceptions.RayError):
                self.ray.cancel(task)
        if self.running:
            self.ray.wait(list(self.running), num_returns=len(self.running), timeout=STOP_SECONDS)
        self.connection.close()
        return True


@cache
def _bench(make: bytes) -> Workbench:
    """One workbench a process, which holds data and programs from task to task; its arguments are read once."""
    keep_memory()
    bench: Workbench = pickle.loads(make)()
    return bench


def _do(work: Work, make: bytes) -> list[Message]:
    """A piece of work in a process of Ray; what is to be said about it."""
    messages: list[Message] = []
    do(_bench(make), work, lambda node, steps: True, messages.append)
    return messages
