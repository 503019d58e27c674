"""128-bit digests of text and of arrays: what ids are made of."""

import hashlib
from typing import Any

import numpy as np
import torch


def text_digest(text: str) -> str:
    """128 bits of BLAKE2b over UTF-8 text, as 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def array_digest(*arrays: np.ndarray[Any, Any] | torch.Tensor) -> str:
    """128 bits of BLAKE2b over dtype, shape and little-endian bytes of arrays, in the order given."""
    hasher = hashlib.blake2b(digest_size=16)
    for array in arrays:
        plain = array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else array
        plain = np.ascontiguousarray(plain.astype(plain.dtype.newbyteorder("<"), copy=False))
        hasher.update(f"{plain.dtype.str}{plain.shape}".encode())
        hasher.update(plain.reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()
