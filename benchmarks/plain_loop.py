"""The loop that most code has: a DataLoader over PIL images, nn.Module, torch.optim."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from prunescope.tasks.task import Split
from prunescope.training.optim import SGD, Adam, Optimizer

MEAN, STD = (0.1307,), (0.3081,)
PAD = 4
"""Black pixels a side before an augmented image is cropped back to its size."""


class Images(Dataset[tuple[Tensor, int]]):
    """Images, grey or coloured, each opened, converted and normalized whenever it is asked for.

    The work on an image is that of the usual pair of transforms, ToTensor and Normalize; with `augment` of
    RandomHorizontalFlip and RandomCrop before them.
    """

    def __init__(self, split: Split, *, augment: bool = False) -> None:
        """The examples of a split, back in bytes, uint8 [N, H, W] or [N, H, W, 3]."""
        self.augment = augment
        x, self.labels = split.batch(torch.arange(len(split)))
        low, high = x.min(), x.max()
        self.pixels = ((x - low) * (255 / (high - low))).round().to(torch.uint8)
        self.pixels = self.pixels.permute(0, 2, 3, 1).squeeze(3).contiguous().cpu()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.pixels[index].numpy())
        if self.augment:
            image = augmented(image)
        return normalized(converted(image)), int(self.labels[index])


def augmented(image: Image.Image) -> Image.Image:
    """The image, mirrored half of the time, cropped at a random place of itself with a black border."""
    if torch.rand(1).item() < 0.5:
        image = ImageOps.mirror(image)
    left, top = torch.randint(2 * PAD + 1, (2,)).tolist()
    return ImageOps.expand(image, PAD).crop((left, top, left + image.width, top + image.height))


def converted(image: Image.Image) -> Tensor:
    """An image as float32 [C, H, W] in [0, 1]."""
    pixels = torch.from_numpy(np.array(image)).view(image.height, image.width, -1)
    return pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def normalized(x: Tensor) -> Tensor:
    """The image with mean 0 and standard deviation 1, channel by channel, in a tensor of its own."""
    mean, std = (torch.as_tensor(value, dtype=x.dtype).view(-1, 1, 1) for value in (MEAN, STD))
    return x.clone().sub_(mean).div_(std)


class PlainLoop:
    """Epoch after epoch of one network: training, a test pass, a checkpoint."""

    def __init__(
        self,
        network: nn.Module,
        train: Split,
        test: Split,
        *,
        lr: float,
        batch: int,
        optimizer: Optimizer,
        augment: bool = False,
        device: str = "cpu",
    ) -> None:
        """Loaders in this process: one core is compared with one core, or feeds one device.

        augment: training images are mirrored and cropped, one by one.
        """
        self.network, self.device = network.to(device), device
        self.train = DataLoader(Images(train, augment=augment), batch_size=batch, shuffle=True)
        self.test = DataLoader(Images(test), batch_size=batch)
        self.optimizer = torch_optimizer(optimizer, self.network.parameters(), lr)
        self._endless = self._batches()

    def epoch(self, checkpoint: Path) -> float:
        """Trains one epoch, saves network and optimizer, returns the test error."""
        self.network.train()
        for x, y in self.train:
            self._step(x, y)
        error = self.error()
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state, checkpoint)
        return error

    def steps(self, count: int) -> None:
        """So many steps, from epoch to epoch where one has fewer."""
        self.network.train()
        for _ in range(count):
            self._step(*next(self._endless))
        if self.device != "cpu":
            torch.cuda.synchronize()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.train

    def _step(self, x: Tensor, y: Tensor) -> None:
        x, y = x.to(self.device), y.to(self.device)
        self.optimizer.zero_grad()
        F.cross_entropy(self.network(x), y).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    @torch.no_grad()
    def error(self) -> float:
        """Share of test examples that are classified wrongly."""
        self.network.eval()
        wrong = sum(int((self.network(x.to(self.device)).argmax(1).cpu() != y).sum()) for x, y in self.test)
        return wrong / len(self.test.dataset)  # type: ignore[arg-type]


def torch_optimizer(like: Optimizer, params: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """The same rule as torch has it."""
    if isinstance(like, SGD):
        return torch.optim.SGD(params, lr=lr, momentum=like.momentum, weight_decay=like.weight_decay)
    assert isinstance(like, Adam), f"no plain loop has {like}"
    return torch.optim.Adam(params, lr=lr, betas=like.betas, eps=like.eps, weight_decay=like.weight_decay)
