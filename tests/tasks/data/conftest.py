"""What tests of data share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, where what a test makes is alone."""
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    return tmp_path
