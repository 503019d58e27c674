"""Folders of image files with a subfolder for each class: ImageNet, or the user's own pictures.

Belongs here: listing, decoding in worker processes, the view of an image that is not augmented. Does not
belong here: random crops (`augmentation`), which are cut from that view.

A batch is decoded when it is taken, so images are never all in memory.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.base.value import text_digest
from prunescope.tasks.data.cifar import IMAGENET
from prunescope.tasks.data.files import folder
from prunescope.tasks.data.library import LINKS, SHORT
from prunescope.tasks.data.source import Arrays, Normalization, Source

Pixels = npt.NDArray[np.uint8]
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp"})


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images that are decoded when they are taken; the plain view is a central square of the resized image.

    paths: paths of N files.
    resize: length of the shorter side, pixels.
    crop: side of the central square, pixels.
    normalization: shift and scale of each channel.
    workers: number of processes that decode; 0 decodes in this one.
    device: where batches are normalized.
    """

    paths: tuple[str, ...]
    resize: int
    crop: int
    normalization: Normalization
    workers: int
    device: torch.device | str = "cpu"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (3, crop, crop)."""
        return (3, self.crop, self.crop)

    def __len__(self) -> int:
        return len(self.paths)

    def to(self, device: torch.device | str) -> Self:
        """The same files, decoded onto another device."""
        return replace(self, device=device)

    def take(self, index: Tensor) -> Tensor:
        """The plain views at `index` (int64 [B]), normalized: float32 [B, 3, crop, crop].

        Raises DataError if a file cannot be decoded.
        """
        view = partial(_central_view, resize=self.resize, crop=self.crop)
        paths = [self.paths[position] for position in index.tolist()]
        if self.workers:
            images = self._pool.map(view, paths, chunksize=max(1, len(paths) // (4 * self.workers)))
        else:
            images = map(view, paths)
        pixels = torch.from_numpy(np.stack(list(images))).to(self.device).permute(0, 3, 1, 2)
        return self.normalization(pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255.0))

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        """The decoding processes, started at the first batch. They are not forked, which would copy threads."""
        return ProcessPoolExecutor(self.workers, mp_context=multiprocessing.get_context("spawn"))

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the processes; whoever receives the copy starts its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_pool"}


class ImageFolder(Source):
    """Pictures in <name>/train/<class>/ and <name>/val/<class>/ of the data folder; classes sort by name.

    name: subfolder of the data folder.
    resize, crop: of the view that is not augmented; see `ImageFiles`.
    normalization: shift and scale of each channel.

    The digest is over the names and sizes of all files, because there are too many to read them at each start.
    """

    name: str = Field(min_length=1)
    resize: int = Field(ge=1)
    crop: int = Field(ge=1)
    normalization: Normalization

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.crop > self.resize:
            raise ValueError(f"crop {self.crop} is larger than resize {self.resize}; the square must fit inside")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the subfolders, sorted."""
        return tuple(_classes(_list(self.name), self.name))

    def load(self) -> Arrays:
        """The files and labels of both splits. Raises DataError if folders are missing or changed."""
        listing = _list(self.name)
        if _digest(listing) != self.digest:
            raise DataError(
                f"{folder() / self.name} holds other files than the recipe names (by their names and sizes); "
                "restore them, or write the recipe anew from these"
            )
        classes = _classes(listing, self.name)
        train_x, train_y = self._split(listing["train"], classes)
        test_x, test_y = self._split(listing["val"], classes)
        return Arrays(train_x, train_y, test_x, test_y, len(classes))

    def _split(self, files: list[tuple[str, int]], classes: list[str]) -> tuple[ImageFiles, Tensor]:
        """The files of one split and their labels, int64 [N]."""
        labels = {name: label for label, name in enumerate(classes)}
        root = folder() / self.name
        inputs = ImageFiles(
            paths=tuple(str(root / path) for path, _ in files),
            resize=self.resize,
            crop=self.crop,
            normalization=self.normalization,
            workers=min(8, os.cpu_count() or 1),
        )
        return inputs, torch.tensor([labels[path.split("/")[1]] for path, _ in files])


def image_folder(
    name: str, *, resize: int = 256, crop: int = 224, normalization: Normalization = IMAGENET
) -> ImageFolder:
    """The pictures in the data folder's subfolder `name`, e.g. "imagenet"; needs the extra `images`.

    name: or a path of one's own that begins with /, ~ or a dot; the data folder then gets a link to it, named by its
        content, so that every process finds it and no id depends on where it lies.
    resize, crop: pixels, of the view that is not augmented.
    Raises DataError if folders are missing.
    Source: OpenLTH (Frankle), used by Jin et al. 2022, for the view and the constants.
    """
    _pillow()
    if name.startswith(("/", "~", ".")):
        name = str(Path(name).expanduser().resolve())
    listing = _list(name)
    _classes(listing, name)
    if Path(name).is_absolute():
        name = _linked(Path(name), _digest(listing))
    return ImageFolder(
        name=name,
        digest=_digest(listing),
        train=len(listing["train"]),
        test=len(listing["val"]),
        resize=resize,
        crop=crop,
        normalization=normalization,
    )


def _linked(place: Path, digest: str) -> str:
    """The name of a link in the data folder to a folder of the user's own."""
    link = folder() / LINKS / digest[:SHORT]
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists() or link.resolve() != place:
        link.unlink(missing_ok=True)
        link.symlink_to(place, target_is_directory=True)
    return f"{LINKS}/{link.name}"


def _list(name: str) -> dict[str, list[tuple[str, int]]]:
    """(path below the folder, bytes) of every picture, sorted, by split. Raises DataError for a split without any."""
    listing = {}
    for split in ("train", "val"):
        root = folder() / name
        files = [entry for group in sorted((root / split).glob("*/")) for entry in os.scandir(group)]
        pictures = [entry for entry in files if Path(entry.name).suffix.lower() in _SUFFIXES]
        if not pictures:
            raise DataError(
                f"{root / split} holds no pictures; expected are folders {name}/{split}/<class>, "
                f"with files ending in {', '.join(sorted(_SUFFIXES))}. Put or link them there"
            )
        listing[split] = sorted((Path(e.path).relative_to(root).as_posix(), e.stat().st_size) for e in pictures)
    return listing


def _classes(listing: dict[str, list[tuple[str, int]]], name: str) -> list[str]:
    """The names of the classes, sorted. Raises DataError if the splits differ in them."""
    train, val = ({path.split("/")[1] for path, _ in listing[split]} for split in ("train", "val"))
    if train != val:
        raise DataError(
            f"{folder() / name} has only one of train and val for {', '.join(sorted(train ^ val)[:5])}; "
            "both need the same subfolders, each with pictures"
        )
    return sorted(train)


def _digest(listing: dict[str, list[tuple[str, int]]]) -> str:
    """128 bits over names and sizes."""
    return text_digest("\n".join(f"{path} {size}" for split in ("train", "val") for path, size in listing[split]))


def _central_view(path: str, resize: int, crop: int) -> Pixels:
    """uint8 [crop, crop, 3]: the shorter side resized, then the central square."""
    image = _open(path)
    scale = resize / min(image.size)
    width, height = (max(resize, int(side * scale)) for side in image.size)
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    resized = image.resize((width, height), _pillow().Resampling.BILINEAR)
    return np.asarray(resized.crop((left, top, left + crop, top + crop)))


def _open(path: str) -> Any:
    """A decoded picture in three channels. Raises DataError if it cannot be decoded."""
    try:
        with _pillow().open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as problem:  # SyntaxError: what Pillow raises for a damaged PNG
        raise DataError(f"{path} cannot be decoded ({problem}); a picture is expected. Replace or remove it") from None


def _pillow() -> Any:
    """Pillow's Image module, which only folders of pictures need."""
    try:
        from PIL import Image
    except ImportError:
        raise UsageError("reading pictures needs Pillow; run `pip install 'prunescope[images]'`") from None
    return Image
