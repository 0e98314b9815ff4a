"""What was uploaded and where: a small file for each in Jupyter's data folder, for this user alone.

A file of a server is found by the server's address, a digest of the credential and a digest of the
content, so that no id is ever sent to another server or with another key. The credential itself is
nowhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from claude_nb.errors import InputError

_ENDING = ".json"


@dataclass(frozen=True, slots=True)
class Account:
    """Whoever asks: a server and a credential.

    Attributes:
        server: The server's address.
        credential: A digest of what is sent as the credential.
    """

    server: str
    credential: str


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that is on a server.

    Attributes:
        id: The server's id of it.
        server: The server's address.
        credential: As ``Account`` has it.
        sha256: The digest of its content.
        name: Its name.
        size: In bytes.
        uploaded: When, in seconds since 1970.
        expires: When the server deletes it, likewise.
    """

    id: str
    server: str
    credential: str
    sha256: str
    name: str
    size: int
    uploaded: float
    expires: float

    @property
    def account(self) -> Account:
        """The account that has it."""
        return Account(self.server, self.credential)


def folder() -> Path:
    """Where the files are noted."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "claude_nb" / "files"


def prepare() -> None:
    """Make the folder, which only the user can read.

    Raises:
        InputError: It cannot be written: what is uploaded could not be listed or deleted.
    """
    here = folder()
    try:
        here.mkdir(parents=True, exist_ok=True, mode=0o700)
        here.parent.chmod(0o700)
        here.chmod(0o700)
        writable = os.access(here, os.W_OK)
    except OSError as error:
        raise _unwritable(here, error.strerror or str(error)) from None
    if not writable:
        raise _unwritable(here, "no permission")


def find(account: Account, sha256: str, lasting: float) -> UploadedFile | None:
    """The file of an account with this content, or None.

    Args:
        account: The account.
        sha256: The digest of the content.
        lasting: Seconds that it has to be there from now on.
    """
    found = _read(_path(account, sha256))
    now = datetime.now(UTC).timestamp()
    if found is None or (found.account, found.sha256) != (account, sha256):
        return None
    return found if found.expires >= now + lasting else None


def keep(file: UploadedFile) -> None:
    """Note a file, in the place of an earlier one of the same account and content.

    Raises:
        InputError: It cannot be written.
    """
    path = _path(file.account, file.sha256)
    beside = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump(asdict(file), opened)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _unwritable(path, error.strerror or str(error)) from None


def forget(file: UploadedFile) -> None:
    """Take a file off the list: it is gone from the server."""
    path = _path(file.account, file.sha256)
    found = _read(path)
    if found is not None and found.id == file.id:
        path.unlink(missing_ok=True)


def listed() -> list[UploadedFile]:
    """The files that are still on servers, the newest first; what has expired is taken off."""
    now, found = datetime.now(UTC).timestamp(), []
    for path in folder().glob(f"*{_ENDING}"):
        file = _read(path)
        if file is not None and file.expires <= now:
            forget(file)
        elif file is not None:
            found.append(file)
    return sorted(found, key=lambda file: file.uploaded, reverse=True)


def _path(account: Account, sha256: str) -> Path:
    key = f"{account.server}\n{account.credential}\n{sha256}"
    return folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{_ENDING}"


def _read(path: Path) -> UploadedFile | None:
    """A file as it was noted; None for what was edited or damaged."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        file = UploadedFile(**found)
        texts = (file.id, file.server, file.credential, file.sha256, file.name)
        numbers = (file.size, file.uploaded, file.expires)
        is_whole = all(type(text) is str for text in texts)
        if is_whole and all(type(number) in (int, float) for number in numbers):
            return file
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    return None


def _unwritable(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} cannot be written: {reason}.",
        "claude_nb lists your uploads there. To use another folder: %env JUPYTER_DATA_DIR=…",
    )
