"""The default generators of torch, NumPy and Python, seeded where code that a user wrote may draw from them."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds them for the block, by the last 32 bits, and restores them; those of a GPU where it is in use."""
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
