"""The pickled batches of CIFAR-10 and CIFAR-100.

Source: Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images.
"""

import io
import pickle
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from prunescope.base.errors import DataError
from prunescope.tasks.data.files import complete, content, damaged, dataset, is_published, locate, summary, uncompressed
from prunescope.tasks.data.source import Arrays, Content, Normalization, Source

CIFAR10 = Normalization(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010))
"""Source: Bartoldson et al. 2020, the authors' code."""
IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Source: OpenLTH (Frankle), used by Jin et al. 2022: ImageNet's constants, for CIFAR-10 too."""
CIFAR100 = Normalization(mean=(0.5071, 0.4867, 0.4408), std=(0.2675, 0.2565, 0.2761))
"""Source: Bartoldson et al. 2020, the authors' code; rounded to three digits also in forks of OpenLTH."""

Name = Literal["cifar10", "cifar100"]
_CLASSES = {"cifar10": 10, "cifar100": 100}
_LABELS = {"cifar10": b"labels", "cifar100": b"fine_labels"}


class Cifar(Source):
    """32x32 colour images, 50,000 for training and 10,000 for testing, in 10 classes or 100 fine ones."""

    name: Name
    normalization: Normalization

    @property
    def variant(self) -> str:
        """What the files are if they are not the published ones, by their MD5; empty for those."""
        return _variant(self.name, self.digest) if complete(self.name) else ""

    def load(self) -> Arrays:
        """Examples float32 [N, 3, 32, 32] and labels; raises DataError if files are missing or changed."""
        verified = content(self.name, read).verified(self.digest, name=self.name)
        return verified.normalized(self.normalization, white=255.0, classes=_CLASSES[self.name])


def cifar10(*, normalization: Normalization = CIFAR10) -> Cifar:
    """CIFAR-10, as the files in the data folder have it; raises DataError if they are missing or damaged."""
    return Cifar(name="cifar10", normalization=normalization, **summary("cifar10", read))


def cifar100(*, normalization: Normalization = CIFAR100) -> Cifar:
    """CIFAR-100 with its fine labels; raises DataError if its files are missing or damaged."""
    return Cifar(name="cifar100", normalization=normalization, **summary("cifar100", read))


def read(name: str) -> Content:
    """The content of the batches, in the order of the files: images uint8 [N, 3, 32, 32], labels int64 [N].

    Raises DataError if a file is missing, damaged, or holds anything but arrays and plain containers.
    """
    batches = {file: _read_batch(path, name=name) for file, path in locate(name).items()}
    train = [batch for file, batch in batches.items() if not file.startswith("test")]
    (test,) = (batch for file, batch in batches.items() if file.startswith("test"))
    return Content(torch.cat([x for x, _ in train]), torch.cat([y for _, y in train]), *test)


@cache
def _variant(name: str, digest: str) -> str:
    """`digest` is a part of the cache's key."""
    if all(is_published(file, path, name=name) is not False for file, path in locate(name).items()):
        return ""
    return f"{dataset(name).title} ({'JPEG copies' if are_jpeg(read(name).test_x) else 'not the published files'})"


def are_jpeg(images: Tensor) -> bool:
    """Whether images [N, 3, 32, 32] went through JPEG: neighbours differ more across the borders of its blocks.

    Steps between the pixels 7 and 8, 15 and 16, 23 and 24 of rows and columns are each 3 % larger than the mean of the
    steps on either side. At JPEG's quality 75 they are 7.2 to 7.7 % larger on CIFAR-10, no other step by 1 %.
    """
    x = images.to(torch.float32)
    steps = x.diff(dim=3).abs().mean(dim=(0, 1, 2)) + x.diff(dim=2).abs().mean(dim=(0, 1, 3))
    return all(float(steps[k]) > 1.03 * float(steps[k - 1] + steps[k + 1]) / 2 for k in (7, 15, 23))


def unpickle(data: bytes) -> Any:
    """The object in a pickle that holds numbers, text, plain containers and arrays of bytes, and nothing else.

    Raises pickle.UnpicklingError for anything else. No class or function that the pickle names is ever called:
    arrays are read as data (shape and bytes), since numpy's own ways to rebuild them trust what a file says.
    """
    return _Unpickler(io.BytesIO(data), encoding="bytes").load()


class _Unpickler(pickle.Unpickler):
    """Puts stand-ins where a pickled array names numpy's classes and functions (of numpy 1 and 2)."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in. Raises UnpicklingError for other names."""
        if (module, name) == ("numpy", "dtype"):
            return _Dtype
        if (module, name) == ("_codecs", "encode"):
            return _latin
        if module.split(".")[0] == "numpy" and name in ("ndarray", "_reconstruct"):
            return _PickledArray
        if module.split(".")[0] == "numpy" and name == "_frombuffer":
            return lambda content, dtype, shape, order: _array(content, dtype, shape, order == "F")
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only numpy arrays are admitted")


class _Dtype:
    """The type of a pickled array: only its name is looked at."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like, which bytes do not have."""


class _PickledArray:
    """An array before its content is known."""

    content: np.ndarray[Any, Any]

    def __init__(self, *_: Any) -> None:
        """Takes what numpy's own function takes: a class, a shape and a type that do not matter yet."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, content = state
        self.content = _array(content, dtype, shape, is_fortran)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return self.content


def _array(content: Any, dtype: Any, shape: Any, is_fortran: Any) -> np.ndarray[Any, Any]:
    if not isinstance(dtype, _Dtype) or dtype.name not in ("u1", b"u1") or not isinstance(content, bytes | bytearray):
        raise pickle.UnpicklingError("it holds an array of something else than bytes")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape, order="F" if is_fortran else "C")


def _latin(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it holds text in the encoding {encoding!r}")
    return text.encode("latin1")


def _read_batch(path: Path, *, name: str) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 3, 32, 32] and labels int64 [N] of one file."""
    try:
        batch = unpickle(uncompressed(path, name=name))
        images = np.asarray(batch[b"data"])
        labels = np.asarray(batch[_LABELS[name]])
    except DataError:
        raise
    except Exception as problem:  # a damaged pickle can fail in any way
        why = f"is not a batch of {name} ({type(problem).__name__}: {problem}); a pickled dictionary is expected"
        raise damaged(path, why, name=name) from None
    if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != 3072:
        raise damaged(path, f"holds {images.dtype} {images.shape}; expected are bytes [N, 3072]", name=name)
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise damaged(path, f"holds labels {labels.dtype} {labels.shape} for {len(images)} images", name=name)
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= _CLASSES[name]:
        raise damaged(path, f"holds labels outside 0 to {_CLASSES[name] - 1}", name=name)
    return torch.from_numpy(images.reshape(-1, 3, 32, 32).copy()), torch.from_numpy(labels.astype(np.int64))
