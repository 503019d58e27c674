"""The settings of a study: what -s can change, with the value at every scale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from prunescope.cli import options
from prunescope.cli.overrides import as_word
from prunescope.cli.screen import answers, table

if TYPE_CHECKING:
    from prunescope.base.value import Value

Setting = tuple[str, object, str]
"""Dotted name, value as plain data, and what it is, as the docstring of its class says."""


def show(study: options.Study) -> None:
    """List the settings of a study, and their values at every scale. `-s NAME=VALUE` changes one.

    Example: `prunescope show jin2022/lenet-preview`
    """
    from prunescope.cli.orders import template_of
    from prunescope.studies.precision import with_precision

    template = template_of(study)
    console = answers()
    scales = {scale: list(settings_of(with_precision(value))) for scale, value in template.scales.items()}
    console.print(_listing(scales))
    console.print(Text(f"\nprunescope run {study} --scale {next(iter(template.scales))} -s NAME=VALUE"))


def _listing(scales: dict[str, list[Setting]]) -> Table:
    rows = table("setting", *scales, "what it is")
    says = {name: text for settings in scales.values() for name, _, text in settings}
    values = {scale: {name: as_word(value) for name, value, _ in settings} for scale, settings in scales.items()}
    for name, text in says.items():
        rows.add_row(*(Text(cell) for cell in (name, *(column.get(name, "") for column in values.values()), text)))
    return rows


def settings_of(value: Value, path: str = "") -> Iterator[Setting]:
    """Every setting of a value and of those inside it, in order."""
    from prunescope.base.value import Value
    from prunescope.runs.graph.nodes import describe

    for name in type(value).model_fields:
        inner, says = getattr(value, name), _meaning(type(value), name)
        if isinstance(inner, Value) and type(inner).model_fields:
            yield f"{path}{name}.kind", type(inner).__name__, says
            yield from settings_of(inner, f"{path}{name}.")
        else:
            yield f"{path}{name}", describe(inner), says


def _meaning(cls: type[Value], name: str) -> str:
    """What the docstrings of a class and its bases say of a field, in lines "name: text"; empty if they do not."""
    pattern = re.compile(
        rf"^ *(?:\w+, )*{name}(?:, \w+)*: (.+?)(?=\n *(?:\w+, )*\w+: |\n\n|\Z)", re.MULTILINE | re.DOTALL
    )
    found = (pattern.search(base.__doc__ or "") for base in cls.__mro__)
    return next((" ".join(match[1].split()) for match in found if match), "")
