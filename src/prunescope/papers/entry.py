"""What a catalogue says of a study, as plain data that can be listed without loading any study.

Belongs here: the record. Does not belong here: entries (each paper's `catalogue.py`), or any import of torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One study in the catalogue.

    name: what the command line calls it. module: import path of the module that defines it. scales: estimated
    cost in words, by the name of the scale. paper, figure: where the question comes from; empty for none.
    """

    name: str
    question: str
    module: str
    scales: Mapping[str, str]
    paper: str = ""
    figure: str = ""
