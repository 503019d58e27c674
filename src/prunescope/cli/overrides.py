"""Settings from the command line: `-s path.to.field=value` and YAML files. No other file reads YAML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from prunescope.base.errors import UsageError

Nested = dict[str, Any]


def gather(pairs: Sequence[str], file: Path | None = None) -> Nested:
    """Nested changes from a YAML file and, over it, from "path.to.field=value" pairs.

    Raises UsageError for a file or a pair that cannot be read.
    """
    changes = _from_file(file) if file is not None else {}
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not equals or not path.strip():
            raise UsageError(f"-s {pair!r} is no setting; write -s path.to.field=value")
        _put(changes, path.strip().split("."), _value(text, pair))
    return changes


def as_yaml(record: object) -> str:
    """Plain data as YAML, in its own order."""
    return str(yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100))


def as_word(value: object) -> str:
    """Plain data as it is typed behind `-s NAME=`."""
    text = str(yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000))
    return text.removesuffix("\n").removesuffix("\n...")


def _from_file(file: Path) -> Nested:
    if not file.is_file():
        raise UsageError(f"there is no file {file} of settings; --settings takes a YAML file with 'field: value' lines")
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise UsageError(f"{file} cannot be read as YAML: {problem}") from problem
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise UsageError(f"{file} holds no settings; write one 'field: value' a line")
    return content


def _value(text: str, pair: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise UsageError(f"-s {pair!r}: {text!r} is no YAML value; quote it, as in '\"{text}\"'") from problem


def _put(settings: Nested, path: list[str], value: Any) -> None:
    *outer, last = path
    for number, name in enumerate(outer, 1):
        settings = settings.setdefault(name, {})
        if not isinstance(settings, dict):
            raise UsageError(f"{'.'.join(outer[:number])} is set to {settings!r} and to fields of its own; keep one")
    settings[last] = value
