"""Several programs at a time on a GPU, each on a stream of its own.

Belongs here: which stream a program's kernels go to. Does not belong here: what a program does (`stack.py`).

A small network leaves most of a GPU idle. The host hands out the steps of one program and goes on to the next without
waiting, so that their kernels run at the same time. On a CPU there is one queue, and programs go one after another.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

MOST = 16
"""Streams at once; more programs take turns. A GPU runs few more kernels at a time."""


class Streams:
    """The streams of one device, none on a CPU."""

    def __init__(self, device: torch.device, programs: int) -> None:
        """As many as there are programs, up to a limit."""
        count = min(programs, MOST) if device.type == "cuda" and programs > 1 else 0
        self.streams = [torch.cuda.Stream(device) for _ in range(count)]  # type: ignore[no-untyped-call]

    @contextmanager
    def of(self, program: int) -> Iterator[None]:
        """What is done inside goes to the program's stream, after all that was asked for before."""
        if not self.streams:
            yield
            return
        stream = self.streams[program % len(self.streams)]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            yield

    def join(self) -> None:
        """What is asked for from here on comes after the work of all streams."""
        for stream in self.streams:
            torch.cuda.current_stream().wait_stream(stream)
