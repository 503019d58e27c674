"""Named randomness: the only maker of random generators.

A draw is keyed by (seed, purpose, position), never by how many draws came before it. So nothing has to be saved
to resume, the order of execution cannot matter, and two purposes never share a stream.
"""

import hashlib
import json

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
