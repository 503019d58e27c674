"""Settings from the command line: `-s path.to.field=value` and YAML files. No other file reads YAML."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from prunescope.base.errors import UsageError

Nested = dict[str, Any]
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+")
"""Numbers such as 1e-3, which YAML 1.1 takes for texts."""


def gather(pairs: Sequence[str], file: Path | None = None, *, option: str = "-s") -> Nested:
    """Nested changes from a YAML file and, over it, from "path.to.field=value" pairs.

    option: by which the pairs were given, for messages.

    Raises UsageError for a file or a pair that cannot be read, and for a field that two pairs set.
    """
    changes = _from_file(file) if file is not None else {}
    given: list[list[str]] = []
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not equals or not path.strip():
            name = "path.to.field" if option == "-s" else "NAME"
            raise UsageError(f"{option} {pair!r} has no value; write {option} {name}=value")
        names = path.strip().split(".")
        if any(names[: len(other)] == other[: len(names)] for other in given):
            raise UsageError(f"{option} {pair!r}: another {option} sets that already; keep one")
        given.append(names)
        _put(changes, names, _value(text, f"{option} {pair!r}"))
    return changes


def as_yaml(record: object) -> str:
    """Plain data as YAML, in its own order."""
    return str(yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100))


def as_word(value: object) -> str:
    """Plain data as it is typed behind `-s NAME=`."""
    text = str(yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000))
    return text.removesuffix("\n").removesuffix("\n...")


class _Plain(yaml.SafeLoader):
    """YAML without aliases, which make gigabytes of a few hundred bytes, and without what is read as another value.

    That is a key that stands twice, of which the last would win, whole numbers of YAML 1.1 such as 010 for 8 and 1:30
    for 90, and 1e-3, which is a number here.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node. Raises YAMLError for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name); write the value out")
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.MappingNode):
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if twice := [name for place, name in enumerate(names) if name in names[:place]]:
                raise yaml.YAMLError(f"{twice[0]} stands twice; keep one")
        elif isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and re.match(r"[-+]?(0[0-7_]|.*:)", node.value):
            raise yaml.YAMLError(f"{node.value} is another number in YAML; write it in decimal digits, or in quotes")
        elif isinstance(node, yaml.ScalarNode) and not node.style and _EXPONENT.fullmatch(node.value):
            node.tag = _NUMBERS[1]
        return node


def _from_file(file: Path) -> Nested:
    if not file.is_file():
        raise UsageError(f"there is no file {file} of settings; --settings takes a YAML file with 'field: value' lines")
    try:
        content = _parsed(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise UsageError(f"{file} cannot be read as YAML: {problem}") from problem
    if not isinstance(content, dict):
        raise UsageError(f"{file} holds no settings; write one 'field: value' a line")
    _require_declared(content, file)
    return content


def _value(text: str, typed: str) -> Any:
    try:
        return _parsed(text)
    except yaml.YAMLError as problem:
        raise UsageError(f"{typed}: {text!r} is no YAML value ({problem}); quote it, as in '\"{text}\"'") from problem


def _parsed(text: str) -> Any:
    """Plain data of a YAML text. Raises YAMLError, also for what is nested too deeply and for keys that are no text."""
    try:
        content = yaml.load(text, _Plain)
        _check_plain(content)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    except (ValueError, LookupError, AttributeError) as problem:  # 2026-02-30, !!bool perhaps, 5,000 digits
        raise yaml.YAMLError(f"it has what is no value of its type: {problem}") from None
    return content


def _check_plain(content: Any) -> None:
    if isinstance(content, set):
        raise yaml.YAMLError(f"{content!r} is a set; write a list in [ ]")
    if isinstance(content, dict):
        for key, value in content.items():
            if not isinstance(key, str):
                raise yaml.YAMLError(f"the key {key!r} is no name of a field")
            _check_plain(value)
    elif isinstance(content, list):
        for value in content:
            _check_plain(value)


def _require_declared(content: Nested, file: Path) -> None:
    """Raises UsageError where a file names as network what its own code does not declare to be one.

    A file may come from somebody else, and the network that it names is called.
    """
    from prunescope.tasks.network import declares_module  # here, because `prunescope list` has to answer at once

    for name, value in content.items():
        if isinstance(value, dict):
            _require_declared(value, file)
        elif name == "network" and isinstance(value, str) and ":" in value and not declares_module(value):
            raise UsageError(
                f"{file}: network={value!r} is neither a class derived from torch.nn.Module nor a function annotated "
                f"to return one; annotate it, or name it on the command line: -s network={value}"
            )


def _put(settings: Nested, path: list[str], value: Any) -> None:
    *outer, last = path
    for number, name in enumerate(outer, 1):
        settings = settings.setdefault(name, {})
        if not isinstance(settings, dict):
            raise UsageError(f"{'.'.join(outer[:number])} is set to {settings!r} and to fields of its own; keep one")
    settings[last] = value
