"""A store in object storage, S3 and others, through `obstore` (extra "cloud"): one conditional request creates.

Where the service is, and who asks, the environment says: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and so on.
"""

import contextlib
import importlib
import os
import re
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from prunescope.base.errors import StoreError, UsageError
from prunescope.runs.store.storage import AT_ONCE, Entry

MANY = 32
"""Folders from which on a whole room is listed, a thousand objects a request, instead of one folder a request."""
PATIENCE = timedelta(seconds=180)
"""A request that a busy service does not answer within a minute is sent again."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class CloudStorage:
    """Objects of a bucket below the path of a URL."""

    def __init__(self, url: str, bucket: Any = None) -> None:
        """bucket: a store of obstore, by default the one that the URL names."""
        self.url = url.rstrip("/")
        try:
            self.obstore: Any = importlib.import_module("obstore")
            stores: Any = importlib.import_module("obstore.store")
        except ImportError:
            raise UsageError(
                f"a store at {url} needs obstore: pip install 'prunescope[cloud]', or use a folder"
            ) from None
        for name in ENDPOINTS:  # the library ends the process where it is none
            if (address := os.environ.get(name)) and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", address):
                raise UsageError(f"{name}={address} is no address; give http://host:port or https://host")
        with self._explained():
            self.bucket = bucket or stores.from_url(
                self.url,
                client_options={"allow_http": True, "timeout": "60s"},
                retry_config={"max_retries": 5, "retry_timeout": PATIENCE},
            )

    def get(self, key: str) -> bytes | None:
        """One request."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            return bytes(self.obstore.get(self.bucket, key).bytes())
        return None

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """One request; what the service has taken is durable."""
        with self._explained():
            self.obstore.put(self.bucket, key, content)

    def create(self, key: str, content: bytes, *, durable: bool = True) -> bool:
        """One request, which the service refuses if the object exists."""
        exceptions = self.obstore.exceptions
        with self._explained():
            try:
                self.obstore.put(self.bucket, key, content, mode="create")
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileExistsError):
                return False
        return True

    def exists(self, key: str) -> bool:
        """One request."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self.obstore.head(self.bucket, key)
            return True
        return False

    def entries(self, folder: str) -> Iterator[Entry]:
        """A thousand objects a request."""
        with self._explained():
            for chunk in self.obstore.list(self.bucket, folder or None, chunk_size=1000):
                for facts in chunk:
                    yield Entry(facts["path"], facts["size"], f"{facts['e_tag']} {facts['last_modified']}")

    def names(self, folders: Collection[str]) -> dict[str, set[str]]:
        """A few folders are listed by themselves, many as parts of their room."""
        inside: dict[str, set[str]] = {}
        wanted = set(folders)
        if len(wanted) < MANY:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for folder, found in zip(wanted, pool.map(self._names, wanted), strict=True):
                    if found:
                        inside[folder] = found
            return inside
        for room in {folder.partition("/")[0] for folder in wanted}:
            for entry in self.entries(room):
                folder, _, name = entry.key.rpartition("/")
                if folder in wanted:
                    inside.setdefault(folder, set()).add(name)
        return inside

    def delete(self, key: str) -> None:
        """One request."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self.obstore.delete(self.bucket, key)

    def _names(self, folder: str) -> set[str]:
        with self._explained():
            found = self.obstore.list_with_delimiter(self.bucket, folder)
            return {facts["path"].rpartition("/")[2] for facts in found["objects"]}

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what the service refuses into a StoreError with the fix."""
        exceptions = self.obstore.exceptions
        try:
            yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as problem:
            fix = "look at your credentials (AWS_ACCESS_KEY_ID and the like) and at what they permit"
            raise StoreError(f"{self.url}: access is denied; {fix}") from problem
        except (exceptions.BaseError, ValueError) as problem:
            reason = str(problem).split("Debug source:")[0].strip()
            if "NoSuchBucket" in str(problem):
                raise StoreError(f"{self.url}: there is no such bucket; make it, or name another one") from problem
            raise StoreError(
                f"{self.url}: {reason}; look at the address, at AWS_ENDPOINT_URL and at your credentials "
                "(AWS_ACCESS_KEY_ID and the like). Nothing stored so far is lost; the same command then goes on"
            ) from problem
