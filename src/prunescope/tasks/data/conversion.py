"""Arrays of any library as tensors that can be trained on, or one message that says what is wrong with them.

Belongs here: types, shapes and values of x and of y. Does not belong here: where they come from (`reading.py`), how
labels are judged (`tasks/targets/`), how they are kept (`tensors.py`).
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.free_memory import free_here

CHUNK = 2**22
"""Numbers that are looked at together; those on a disk are not all in memory."""
LARGEST = 2**24
"""Whole numbers below this are exact in float32."""
_GIVE = "give a tensor, a NumPy array, a list of numbers or a column of a table"


def tensor(value: Any, *, name: str) -> Tensor:
    """The numbers of an array, a list or a column as a tensor on the CPU: floats, 64-bit integers, or bool.

    Raises UsageError, with `name`, for what holds no numbers.
    """
    if isinstance(value, Tensor):
        if value.is_meta:
            raise UsageError(f"{name} is on the device 'meta', without numbers; {_GIVE}")
        plain = value.detach().cpu().resolve_neg()
        plain = plain.to(torch.int64) if plain.dtype in (torch.uint16, torch.uint32, torch.uint64) else plain
    else:
        array = _array(value, name)
        if array.dtype.kind == "O" and array.size and all(type(item) in (int, float, bool) for item in array.flat):
            array = np.array(array.tolist())
        if array.dtype.kind not in "iufb":
            raise UsageError(f"{name} holds {_kind(array)}; {_GIVE}")
        array = array.astype(np.float64) if array.dtype.kind == "f" and array.itemsize > 8 else array
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        wide = array.astype(np.int64) if array.dtype.kind in "iu" and array.dtype != np.uint8 else array
        plain = _from_numpy(np.require(wide, requirements="C"))
    if plain.layout != torch.strided or plain.is_nested or plain.is_quantized or plain.is_complex():
        kind = "nested" if plain.is_nested else plain.layout
        raise UsageError(
            f"{name} is {plain.dtype}, {kind}; give dense real numbers, e.g. x.to_dense() or x.to_padded_tensor(0.0)"
        )
    return plain


def texts(value: Any, *, name: str) -> list[str] | None:
    """The texts of a list, an array or a column; None if it does not hold texts only."""
    if isinstance(value, Tensor):
        return None
    array = _array(value, name)
    if array.ndim == 1 and array.size and (array.dtype.kind == "U" or all(isinstance(v, str) for v in array)):
        return [str(item) for item in array]
    return None


def inputs(value: Any, *, name: str) -> Tensor:
    """Examples as float32 [N, *shape], or whole numbers (tokens) as int64 [N, *shape] in 0 .. 2^24 - 1.

    Raises UsageError for other types and shapes, and for numbers that are not finite or beyond float32.
    """
    x = tensor(value, name=name)
    if x.dtype in (torch.uint8, torch.bool):
        raise UsageError(
            f"{name} is {x.dtype} {tuple(x.shape)}; give pixels as floating numbers, normalized (x.float() / 255), "
            "and tokens as x.long()"
        )
    if x.ndim < 2:
        raise UsageError(f"{name} is {x.dtype} {tuple(x.shape)}; give examples [N, *shape], e.g. x[:, None]")
    if 0 in x.shape[1:]:
        raise UsageError(f"{name} is {x.dtype} {tuple(x.shape)}, examples without numbers; give at least one each")
    if x.is_floating_point():
        return floats(x, name=name)
    if x.numel() and not 0 <= int(x.min()) <= int(x.max()) < LARGEST:
        raise UsageError(
            f"{name} is {x.dtype} from {int(x.min())} to {int(x.max())}; tokens lie in 0 to {LARGEST - 1}, and other "
            "numbers are given as floating numbers, x.float()"
        )
    return x.to(torch.int64)


def part(value: Any, *, name: str) -> Tensor:
    """One of several parts of the examples: as `inputs`, and bool or one number an example, too."""
    x = tensor(value, name=name)
    if x.dtype == torch.bool or x.ndim == 1:
        return x if x.dtype == torch.bool else inputs(x[:, None], name=name)[:, 0]
    return inputs(x, name=name)


def labels(value: Any, *, name: str) -> Tensor:
    """Labels as float32 or int64, of any shape [N, ...]. Raises UsageError for numbers that are not finite."""
    y = tensor(value, name=name)
    return floats(y, name=name) if y.is_floating_point() else y.to(torch.int64)


def floats(x: Tensor, *, name: str) -> Tensor:
    """The same numbers in float32. Raises UsageError if some are not finite, before or after."""
    if x.dtype != torch.float32:
        require_memory(4 * x.numel(), name=name)
    small = x if x.dtype == torch.float32 else x.to(torch.float32)
    if not all(bool(torch.isfinite(part).all()) for part in torch.split(small.reshape(-1), CHUNK)):
        row = int((~torch.isfinite(small)).reshape(len(x), -1).any(1).nonzero()[0])
        if bool(torch.isfinite(x).all()):
            raise UsageError(
                f"{name} holds {float(x[row].abs().max()):.3g} in example {row}, beyond float32 (3.4e38), in which "
                "networks compute; scale it"
            )
        raise UsageError(
            f"{name} holds values that are infinite or not a number, first in example {row}; remove those examples"
        )
    return small


def require_memory(size: int, *, name: str) -> None:
    """Raises UsageError if so many bytes do not fit into the memory that is free, with the way that needs none."""
    if size > (free := free_here()):
        raise UsageError(
            f"{name} takes {size / 1e9:.1f} GB in memory, and {free / 1e9:.1f} GB are free; write it as float32 with "
            "np.lib.format.open_memmap('train_x.npy', mode='w+', ...) and give np.load('train_x.npy', mmap_mode='r'): "
            "then only what a batch needs is read"
        )


def _from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor in the memory, or in the file, of the array; nobody writes into it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def same_length(parts: Mapping[str, Sequence[Any] | Tensor], *, name: str) -> int:
    """The number of examples. Raises UsageError if there are none, or other numbers in some parts."""
    sizes = {part: len(values) for part, values in parts.items()}
    if len(set(sizes.values())) != 1:
        raise UsageError(
            f"{name} has {', '.join(f'{size} of {part}' for part, size in sizes.items())}; give one of each an example"
        )
    if not (size := next(iter(sizes.values()))):
        raise UsageError(f"{name} has no examples; give at least one (of a test set, enough to measure an error)")
    return size


def same_rows(column: Any, others: Sequence[Any], *, name: str) -> None:
    """Raises UsageError if a column has the rows of a table in another order: they are put together by place."""
    index, *orders = (
        list(part.index) if isinstance(getattr(part, "index", None), Iterable) else [] for part in (column, *others)
    )
    if any(index != order and set(index) == set(order) for order in orders):
        raise UsageError(f"the rows of {name} have another order than those of the examples; give .loc[x.index] of it")


def _array(value: Any, name: str) -> np.ndarray[Any, Any]:
    if isinstance(value, np.ma.MaskedArray) and bool(np.ma.getmaskarray(value).any()):
        raise UsageError(f"{name} has {int(np.ma.getmaskarray(value).sum())} masked values; remove those examples")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | range | list):
        value = list(value)  # such as a column of Hugging Face
    if isinstance(value, list) and any(isinstance(item, Tensor) for item in value):
        try:
            value = torch.stack([torch.as_tensor(item) for item in value]).detach().cpu()
        except (RuntimeError, TypeError) as problem:
            raise UsageError(f"{name}: its examples have different shapes ({problem}); pad them to one") from None
    for convert in () if hasattr(value, "to_pylist") else ("to_numpy", "numpy"):  # pyarrow's refuses to copy
        if not isinstance(value, np.ndarray) and callable(getattr(value, convert, None)):
            value = getattr(value, convert)()
    if not isinstance(value, np.ndarray | list | tuple | range) and not hasattr(value, "__array__"):
        raise UsageError(f"{name} is a {type(value).__name__}; {_GIVE}")
    texts = sum(isinstance(item, str) for item in value) if isinstance(value, list) else 0
    try:
        array = np.asarray(value, dtype=object if 0 < texts < len(value) else None)
    except ValueError as problem:
        raise UsageError(f"{name}: its examples have different shapes ({problem}); pad them to one") from None
    # A column of arrays, as tables hold them.
    apart = array.dtype.kind == "O" and array.ndim == 1 and all(isinstance(one, list | np.ndarray) for one in array)
    return _array(list(array), name) if apart and len(array) else array


def _kind(array: np.ndarray[Any, Any]) -> str:
    if array.dtype.kind != "O" or not array.size:
        return {"U": "texts", "S": "bytes", "M": "dates", "c": "complex numbers"}.get(
            array.dtype.kind, str(array.dtype)
        )
    if any(item is None or type(item).__name__ in ("NAType", "NaTType") or item != item for item in array.flat):
        return "missing values"
    odd = next((item for item in array.flat if not isinstance(item, int | float)), array.flat[0])
    return f"objects such as {str(odd)[:40]!r} ({type(odd).__name__})"
