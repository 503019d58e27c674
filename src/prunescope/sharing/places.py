"""Where bundles lie: a folder, or a data set of the Hugging Face Hub (extra `hub`)."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.sharing.leaves import require

_HUB = "hf:"
_NAME = re.compile(r"hf:[\w.-]+/[\w.-]+(@[\w.-]+)?")


def is_remote(place: Path | str) -> bool:
    """Whether a place is a data set of the Hub. Raises UsageError for a name that is none."""
    if not str(place).startswith(_HUB):
        return False
    if not _NAME.fullmatch(str(place)):
        raise UsageError(
            f"{place} names no data set; write hf:user/name, or hf:user/name@revision to read an older one"
        )
    return True


def upload(folder: Path, place: str) -> None:
    """Puts a bundle into a data set of the Hub, which is made if it is not there, in one commit."""
    (hub,) = require("hub", "huggingface_hub")
    name = place.removeprefix(_HUB)
    if "@" in name:
        raise UsageError(f"{place}: a bundle is published as the newest revision; leave @{name.partition('@')[2]} out")
    with _explained(place):
        api = hub.HfApi()
        api.create_repo(name, repo_type="dataset", exist_ok=True)
        api.upload_folder(
            folder_path=str(folder), repo_id=name, repo_type="dataset", commit_message="prunescope", delete_patterns="*"
        )


def local(place: Path | str, downloads: Path) -> Path:
    """The folder of a bundle; one on the Hub is downloaded first, below `downloads`, without links."""
    if not is_remote(place):
        return Path(place).expanduser()
    (hub,) = require("hub", "huggingface_hub")
    name, _, revision = str(place).removeprefix(_HUB).partition("@")
    folder = downloads / f"{name.replace('/', '--')}{f'@{revision}' if revision else ''}"
    with _explained(place):
        hub.snapshot_download(
            name, repo_type="dataset", revision=revision or None, local_dir=str(folder), ignore_patterns=[".git*"]
        )
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # what the client notes for itself
    return folder


@contextlib.contextmanager
def _explained(place: Path | str) -> Iterator[None]:
    """What the client says of a name, a token or a network, in one line."""
    try:
        yield
    except Exception as problem:
        if isinstance(problem, PrunescopeError):
            raise
        reason = str(problem).strip().split("\n")[0]
        raise PrunescopeError(
            f"{place}: {reason or type(problem).__name__}; check the name, the network and `hf auth login`"
        ) from problem
