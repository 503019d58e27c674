"""constraints.txt anew: the newest versions of everything the checks install, as pip resolves them today.

`make constraints` runs it; torch keeps its line, since the newest would bring a CUDA build of gigabytes.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "constraints.txt"


def name_of(requirement: str) -> str:
    """The name of a requirement or of a pin, as pip writes it.

    >>> name_of("types-PyYAML"), name_of("pydantic_core==2.1")
    ('types-pyyaml', 'pydantic-core')
    """
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;@]", requirement)[0]).lower()


def merged(text: str, newest: dict[str, str]) -> str:
    """The file with the versions of today for what it pins; its comments, and torch, stay."""
    lines = []
    for line in text.splitlines():
        name = name_of(line)
        known = "==" in line and not line.startswith("#") and name != "torch" and name in newest
        lines.append(f"{line.split('==')[0]}=={newest[name]}" if known else line)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Asks pip, without installing anything."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["dev"]]
    wanted += project["dependency-groups"]["docs"]
    torch = [line for line in FILE.read_text().splitlines() if line.startswith("torch==")]
    wanted = [one for one in wanted if name_of(one) != "torch"] + torch
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command += wanted
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["install"]
    newest = {name_of(one["metadata"]["name"]): one["metadata"]["version"] for one in found}
    FILE.write_text(merged(FILE.read_text(), newest))


if __name__ == "__main__":
    main()
