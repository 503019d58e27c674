"""128-bit digests of text and of arrays: what ids are made of."""

import hashlib
from typing import Any

import numpy as np
import torch

_OF_NUMPY = {torch.from_numpy(np.zeros(1, kind)).dtype for kind in "?bhilBHILefdFD"}


def text_digest(text: str) -> str:
    """128 bits of BLAKE2b over UTF-8 text, as 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def array_digest(*arrays: np.ndarray[Any, Any] | torch.Tensor) -> str:
    """128 bits of BLAKE2b over dtype, shape and little-endian bytes of arrays, in the order given."""
    hasher = hashlib.blake2b(digest_size=16)
    for array in arrays:
        plain = _plain(array) if isinstance(array, torch.Tensor) else array
        if isinstance(array, torch.Tensor) and (array.dtype not in _OF_NUMPY or array.layout is not torch.strided):
            hasher.update(f"{array.dtype} {array.layout}".encode())
        plain = np.ascontiguousarray(plain.astype(plain.dtype.newbyteorder("<"), copy=False))
        hasher.update(f"{plain.dtype.str}{plain.shape}".encode())
        hasher.update(plain.reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()


def _plain(leaf: torch.Tensor) -> np.ndarray[Any, Any]:
    """A tensor as an array; kinds of numbers that NumPy has not, such as bfloat16, as float32."""
    leaf = leaf.detach().cpu()
    leaf = leaf.dequantize() if leaf.is_quantized else leaf.to_dense() if leaf.layout is not torch.strided else leaf
    return (leaf if leaf.dtype in _OF_NUMPY else leaf.float()).resolve_conj().resolve_neg().numpy()
