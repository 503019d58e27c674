"""Work on what does not change any more, beside training: checkpoints, and what probes see.

On a GPU the thread has a stream of its own, which waits for what was under way when a piece was handed over, so that
steps and pieces overlap. An engine never changes a state that it has let go of, so a piece sees what it would have seen
at once, and results do not change.
"""

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from threading import Condition, Thread

import torch

from prunescope.base.errors import PrunescopeError

WAITING = 4
"""Pieces that may wait: each holds a state in memory."""

Piece = Callable[[], object]


class Lost(PrunescopeError):
    """Something failed beside training; what it would have seen is lost, and so are the runs as they are in memory."""


class Background:
    """A thread that does pieces of work one after the other, in the order in which they are handed over.

    One that fails is tried once more while nothing else is under way: it may only have lacked memory. If it fails
    again, every later call raises `Lost`, so that nothing incomplete is stored.
    """

    def __init__(self, device: str = "cpu") -> None:
        # Of the other priority: torch hands streams out in turns, and this one must not be that of a recording.
        self._stream = None if torch.device(device).type == "cpu" else torch.cuda.Stream(device, priority=-1)  # type: ignore[no-untyped-call]
        self._pieces: deque[tuple[Piece, torch.cuda.Event | None]] = deque()
        self._changed, self._closed = Condition(), False
        self._failed, self._lost = False, False
        self._thread = Thread(target=self._work, name="background", daemon=True)
        self._thread.start()

    def do(self, piece: Piece) -> None:
        """Hands a piece over; waits first while too many do. Raises Lost."""
        self._wait(WAITING - 1)
        ready = None if self._stream is None else torch.cuda.current_stream().record_event()
        with self._changed:
            self._pieces.append((piece, ready))
            self._changed.notify_all()

    def wait(self) -> None:
        """Until every piece is done. Raises Lost."""
        self._wait(0)

    def close(self) -> None:
        """Ends the thread after the piece that it is at; what waits is not done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _wait(self, most: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._pieces) <= most or self._failed)
        if self._failed:
            self._again()

    def _again(self) -> None:
        """All pieces in this thread; the other one rests after a failure."""
        if self._lost:
            raise Lost("what this run was to store or to see is lost; the same command goes on from its checkpoint")
        self._lost = True
        while self._pieces:
            try:
                self._done(*self._pieces[0])
            except Exception as problem:
                raise Lost(
                    f"what was done beside training failed twice: {problem or type(problem).__name__}"
                ) from problem
            self._pieces.popleft()
        with self._changed:
            self._failed = self._lost = False
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or (bool(self._pieces) and not self._failed))
                if self._closed:
                    return
                first = self._pieces[0]
            try:
                self._done(*first)
            except Exception:  # tried again by the owner, who is told if that fails, too
                failed = True
            else:
                failed = False
            with self._changed:
                self._failed = failed
                if not failed:
                    self._pieces.popleft()
                self._changed.notify_all()

    def _done(self, piece: Piece, ready: torch.cuda.Event | None) -> None:
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            if self._stream is not None and ready is not None:
                self._stream.wait_event(ready)
            piece()
            if self._stream is not None:
                self._stream.synchronize()  # the piece's tensors may be freed from here on
