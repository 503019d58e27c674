"""Who works on what, so that two processes on one store do not repeat each other's work.

A lease is claimed by *creating* the next number below `leases/<2 digits>/<node>/`, which exactly one of several can. It
names its holder, a process, whose sign of life is an object that it replaces every few seconds (`pulse.py`). A holder
counts as gone when its process on this machine is, or when whoever waits has not seen the sign change for a minute:
what another machine's clock says does not matter. Who takes over creates the next number. That (of a holder that was
asleep for so long, say) may repeat work, it never corrupts it: results are the same bits, and are created, never
replaced.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, replace

from prunescope.base.errors import StoreError
from prunescope.runs.store.pulse import BEAT_SECONDS, Holder, sign_key
from prunescope.runs.store.storage import plain
from prunescope.runs.store.store import Store

STALE_SECONDS = 60.0
LOOK_SECONDS = 2.5 * BEAT_SECONDS
"""How long one look at all holders takes, where signs of life have to tell."""


class Lease:
    """A held lease."""

    def __init__(self, store: Store, node: str, number: int) -> None:
        """number: the one that was created."""
        self.store, self.node, self.number = store, node, number
        store.pulse.hold(node)

    def release(self) -> None:
        """Removes the lease, and those of holders before; not one of who took over."""
        self.store.pulse.let_go(self.node)
        with contextlib.suppress(StoreError):
            for number in sorted(_numbers(self.store, self.node)):
                if number <= self.number:
                    self.store.storage.delete(f"{_folder(self.node)}/{number}")


def acquire(store: Store, node: str, title: str = "") -> Lease | None:
    """The lease on a node, or None while another process holds it; `holder` says which. title: the work for people.

    Raises StoreError when the store cannot be written.
    """
    latest = max(_numbers(store, node), default=0)
    key, number = f"{_folder(node)}/{latest}", latest + 1
    before = store.storage.get(key) if latest else None
    if before is not None and _works(store, key, before):
        return None
    mine = f"{_folder(node)}/{number}"
    facts = {**asdict(store.pulse.holder), "claim": uuid.uuid4().hex, "title": title, "store": store.url}
    content = json.dumps(facts).encode()
    # Where an answer was lost the client has asked again, and was told that the lease, its own, exists.
    if not store.storage.create(mine, content, durable=False) and store.storage.get(mine) != content:
        return None
    if latest and store.storage.get(key) != before:  # released meanwhile, and perhaps claimed anew from number 1
        store.storage.delete(mine)
        return None
    store.pulse.seen.pop(key, None)
    return Lease(store, node, number)


def holder(store: Store, node: str) -> str:
    """Whom the lease on a node names, for people."""
    latest = max(_numbers(store, node), default=0)
    return str(_holder(store, store.storage.get(f"{_folder(node)}/{latest}")) or "another process")


def held(store: Store) -> dict[str, Holder | None]:
    """All leases there are, by key: the latest of each node, and what holders before left behind."""
    keys = [entry.key for entry in store.storage.entries("leases")]
    return {key: _holder(store, store.storage.get(key)) for key in keys}


def titles(store: Store, leases: Iterable[str]) -> dict[str, str]:
    """What each lease is about, for people."""
    named: dict[str, str] = {}
    for key in leases:
        facts = plain(store.storage.get(key))  # none of one that was released meanwhile
        title = str(facts.get("title", "")) if isinstance(facts, dict) else ""
        named[key] = title or key.rpartition("/")[0][-32:][:8]
    return named


def dead(store: Store, leases: dict[str, Holder | None]) -> set[str]:
    """The keys of those leases whose holders are gone. Takes seconds where some are on other machines."""
    away = {holder for holder in leases.values() if holder is not None and holder.gone is None}
    before = _signs(store, away)
    if away:
        time.sleep(LOOK_SECONDS)
    silent = {holder for holder, sign in _signs(store, away).items() if sign == before[holder]}
    return {key for key, holder in leases.items() if holder is None or holder.gone or holder in silent}


def _signs(store: Store, holders: Iterable[Holder]) -> dict[Holder, bytes | None]:
    return {holder: store.storage.get(sign_key(holder)) for holder in holders}


def _works(store: Store, key: str, content: bytes) -> bool:
    """Whether a holder works under the lease; this process remembers when each sign of life was first seen."""
    holder = _holder(store, content)
    if holder is not None and holder.gone is not None:
        return not holder.gone
    sign = store.storage.get(sign_key(holder)) or b"" if holder else b""
    now, seen = time.monotonic(), store.pulse.seen
    if seen.get(key, (None, 0.0))[0] != sign:
        seen[key] = (sign, now)
    return now - seen[key][1] < STALE_SECONDS


def _holder(store: Store, content: bytes | None) -> Holder | None:
    """Whom a lease names. In a store that was copied while somebody worked on it, only signs of life can tell."""
    holder, facts = Holder.read(content), plain(content)
    copied = holder is not None and facts.get("store", store.url) != store.url
    return replace(holder, machine="") if holder is not None and copied else holder


def _folder(node: str) -> str:
    return f"leases/{node[:2]}/{node}"


def _numbers(store: Store, node: str) -> list[int]:
    names = store.storage.names([_folder(node)]).get(_folder(node), set())
    return [int(name) for name in names if name.isdecimal()]
