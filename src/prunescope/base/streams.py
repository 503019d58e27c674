"""Named randomness: the only maker of random generators.

A draw is keyed by (seed, purpose, position), never by how many draws came before it. So nothing has to be saved
to resume, the order of execution cannot matter, and two purposes never share a stream.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from pydantic import Field

from prunescope.base.value import Value


def stream(seed: int, *name: str | int) -> torch.Generator:
    """A fresh generator for the draw called `name` under `seed`.

    >>> a, b = stream(0, "order", 3), stream(0, "order", 3)
    >>> bool((torch.rand(4, generator=a) == torch.rand(4, generator=b)).all())
    True
    """
    return torch.Generator().manual_seed(derived(seed, *name))


def derived(seed: int, *name: str | int) -> int:
    """The seed in [0, 2^63) of the draw called `name` under `seed`, for code that makes its own generator."""
    key = hashlib.blake2b(json.dumps([seed, *name]).encode(), digest_size=8).digest()
    return int.from_bytes(key, "little") & (2**63 - 1)


class Seeds(Value):
    """The separate seeds of a run, each of which changes one thing and nothing else.

    data: which examples are held out or used.
    labels: label noise.
    init: initial weights.
    order: order of batches, augmentation, and draws of the network in training (dropout).
    mask: random scores and other draws of interventions.
    """

    data: int = Field(default=0, ge=0)
    labels: int = Field(default=0, ge=0)
    init: int = Field(default=0, ge=0)
    order: int = Field(default=0, ge=0)
    mask: int = Field(default=0, ge=0)


def replicate(number: int) -> Seeds:
    """The seeds of replicate `number`, which draws everything anew except which data are held out."""
    return Seeds(labels=number, init=number, order=number, mask=number)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The default generators of torch, NumPy and Python, seeded by the last 32 bits and restored after the block.

    For code that a user wrote, which may draw from them; those of a GPU, too, where it is in use.
    """
    seed &= 2**32 - 1
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    on_gpu = torch.cuda.get_rng_state() if used else None
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    if on_gpu is not None:
        torch.cuda.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
        if on_gpu is not None:
            torch.cuda.set_rng_state(on_gpu)
