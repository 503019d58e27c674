"""From an address to the store there."""

from pathlib import Path

from prunescope.base.errors import UsageError
from prunescope.runs.store.storage import storage_at
from prunescope.runs.store.store import Store


def is_store(address: Path | str) -> bool:
    """Whether there is a store at an address."""
    return storage_at(address).exists("SCHEMA")


def open_store(store: Store | Path | str, *, new: bool = False) -> Store:
    """The store, or that at an address.

    new: makes one where there is none. Otherwise raises UsageError there: what only reads makes no store.
    """
    if isinstance(store, Store):
        return store
    if not new and isinstance(store, str | Path) and not is_store(store):
        raise UsageError(
            f"there is no store at {store}; `prunescope run` makes one, --store or PRUNESCOPE_STORE names another"
        )
    return Store(store)
