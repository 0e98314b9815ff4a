"""What the user allowed of MCP servers' tools and of memory folders: for a session, or for good.

What is allowed for good stands in one file in Jupyter's configuration folder, which only this user
can read. Nothing is taken from a notebook, nor from anything beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from claude_nb.errors import InputError
from claude_nb.request.files import replace

_session: set[str] = set()


@dataclass(frozen=True, slots=True)
class Approval:
    """A tool of a server that may be called without a question.

    Attributes:
        server: The server's command line or address, without credentials.
        folder: The folder that a command is started in; empty for an address.
        tool: What the server calls the tool.
        key: A digest of all that it holds for: command line or address, folder, the tool's name,
            description and schema.
        allowed: When, as ISO 8601.
    """

    server: str
    folder: str
    tool: str
    key: str
    allowed: str = ""


def key_of(where: object, folder: str, tool: str, digest: str) -> str:
    """What an approval holds for, as a digest: a command line may hold a credential."""
    written = json.dumps([where, folder, tool, digest])
    return hashlib.sha256(written.encode(errors="surrogatepass")).hexdigest()


def path() -> Path:
    """The file of what is allowed for good."""
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir()) / "claude_nb" / "mcp_approvals.json"


def listed() -> list[Approval]:
    """What is allowed for good, the oldest first; nothing where the file cannot be read."""
    with suppress(OSError, ValueError):
        held = json.loads(path().read_text(encoding="utf-8"))
        rows = held.get("approvals") if isinstance(held, dict) else []
        names = {field.name for field in fields(Approval)}
        return [
            Approval(**row)
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict)
            and row.keys() == names
            and all(isinstance(value, str) for value in row.values())
        ]
    return []


def is_allowed(approval: Approval) -> bool:
    """Whether it may be called without a question, for this session or for good."""
    return approval.key in _session or approval.key in _keys()


def _keys() -> frozenset[str]:
    """The keys of what is allowed for good; read again where the file is another one."""
    try:
        facts = path().stat()
    except OSError:
        return frozenset()
    return _keys_of(str(path()), facts.st_ino, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=1)
def _keys_of(*_file: object) -> frozenset[str]:
    return frozenset(approval.key for approval in listed())


def duration(approval: Approval, always: Container[str]) -> str:
    """For how long it is allowed, in words; empty if its calls ask.

    Args:
        approval: What is asked about.
        always: The keys of what is allowed for good.
    """
    if approval.key in always:
        return "always allowed"
    return "allowed for this session" if is_allowed_for_session(approval) else ""


def is_allowed_for_session(approval: Approval) -> bool:
    """Whether it may be called without a question until the kernel ends."""
    return approval.key in _session


def allow_for_session(approval: Approval) -> None:
    """Allow it until the kernel ends."""
    _session.add(approval.key)


def allow(approval: Approval) -> None:
    """Allow it for good.

    Raises:
        InputError: The file cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    row = Approval(**asdict(approval) | {"allowed": now})
    _change(lambda held: [*(one for one in held if one.key != row.key), row])


def revoke(approvals: Iterable[Approval]) -> None:
    """Ask again, from the next call on: what was allowed for this session too.

    Raises:
        InputError: The file cannot be written.
    """
    keys = {approval.key for approval in approvals}
    _session.difference_update(keys)
    if any(one.key in keys for one in listed()):
        _change(lambda held: [one for one in held if one.key not in keys])


def revoke_all() -> None:
    """Ask again about everything.

    Raises:
        InputError: The file cannot be written.
    """
    _session.clear()
    if listed():
        _change(lambda _: [])


def _change(changed: Callable[[list[Approval]], list[Approval]]) -> None:
    """Write the file anew: in its place at once, or not at all, and one kernel after another."""
    file = path()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(file.parent):
            held = [asdict(approval) for approval in changed(listed())]
            replace(file, json.dumps({"approvals": held}, indent=1).encode(), 0o600)
    except OSError as error:
        raise InputError(
            f"{file} cannot be written: {error.strerror or error}.",
            "Nothing in it was changed.",
        ) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other kernels from changing the file; without effect on Windows and some networks."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):  # NFS locks no folder
            import fcntl

            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
