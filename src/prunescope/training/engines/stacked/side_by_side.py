"""Several programs at a time on a GPU, each on a stream of its own.

A small network leaves most of a GPU idle. The host hands out the steps of one program and goes on to the next without
waiting, so that their kernels run at the same time. On a CPU there is one queue, and programs go one after another.

A program keeps its stream for good: torch gives the memory that it lets go of to whatever is asked for next on the
stream where that memory came from, and kernels on another stream might still be reading it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch

MOST = 16
"""Streams at once; more programs share them. A GPU runs few more kernels at a time."""

Stream = torch.cuda.Stream


class Streams:
    """The streams of an engine, made when they are first needed; none on a CPU."""

    def __init__(self) -> None:
        self._made: list[Stream] = []

    def choose(self, device: torch.device, taken: Sequence[Stream | None]) -> Stream | None:
        """The stream of a new program: the one that fewest of the others have. taken: theirs; None on a CPU."""
        if device.type != "cuda":
            return None
        if len(self._made) < MOST and all(stream in taken for stream in self._made):
            self._made.append(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
        return min(self._made, key=taken.count)


@contextmanager
def on(stream: Stream | None) -> Iterator[None]:
    """What is done inside goes to the stream, after all that was asked for before; None stays where it is."""
    if stream is None:
        yield
        return
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield


def join(streams: Iterable[Stream | None]) -> None:
    """What is asked for from here on comes after the work of all these streams."""
    for stream in streams:
        if stream is not None:
            torch.cuda.current_stream().wait_stream(stream)
