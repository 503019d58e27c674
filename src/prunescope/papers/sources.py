"""The data sets that a study can be given by name.

Belongs here: names for settings. Does not belong here: where data sets lie and how they are read (`tasks/data/`).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from prunescope.tasks.data.cifar import cifar10, cifar100
from prunescope.tasks.data.digits import digits
from prunescope.tasks.data.idx import mnist
from prunescope.tasks.data.source import Source

SourceName = Literal["digits", "mnist", "cifar10", "cifar100"]
SOURCES: Mapping[SourceName, Callable[[], Source]] = MappingProxyType(
    {"digits": digits, "mnist": mnist, "cifar10": cifar10, "cifar100": cifar100}
)
