"""Makes the README's links absolute and names the repository's pages, in a checkout that is to be released.

`python tools/addresses.py https://github.com/OWNER/NAME TAG`: the release workflow knows both. On PyPI no files lie
beside the README, so its links and its picture lead to those of that tag.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)")


def absolute(text: str, repository: str, tag: str) -> str:
    """The text with links to the files of a tag.

    >>> absolute("![a](b.svg) [c](d.md#e) [f](https://g.h)", "https://host/o/n", "v1")
    '![a](https://host/o/n/raw/v1/b.svg) [c](https://host/o/n/blob/v1/d.md#e) [f](https://g.h)'
    """
    return LINK.sub(lambda m: f"{m[1]}[{m[2]}]({repository}/{'raw' if m[1] else 'blob'}/{tag}/{m[3]})", text)


def with_urls(pyproject: str, repository: str, tag: str) -> str:
    """pyproject.toml with the table [project.urls]."""
    pages = {
        "Repository": repository,
        "Documentation": f"{repository}/tree/{tag}/docs",
        "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
    rows = "".join(f'{name} = "{page}"\n' for name, page in pages.items())
    return pyproject.replace("[project.scripts]", f"[project.urls]\n{rows}\n[project.scripts]", 1)


if __name__ == "__main__":
    where = (sys.argv[1].rstrip("/"), sys.argv[2])
    for file, change in ((ROOT / "README.md", absolute), (ROOT / "pyproject.toml", with_urls)):
        file.write_text(change(file.read_text(), *where))
