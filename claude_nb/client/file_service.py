"""The Files API: large attachments are uploaded once, and sent by their ids after that.

What is known of uploads is in ``file_registry``; how they stand in a request, in ``uploads``.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from claude_nb.client import connection as connections
from claude_nb.client import file_registry, fork
from claude_nb.client.connection import CONNECT_TIMEOUT, Connection
from claude_nb.client.explain import explain
from claude_nb.client.file_registry import Account, UploadedFile
from claude_nb.errors import ClaudeError, FileGoneError, InputError, MalformedError, RequestError
from claude_nb.request import uploads
from claude_nb.request.attachments.limits import MAX_REQUEST_BYTES
from claude_nb.request.request import Request

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

Files = Mapping[str, UploadedFile]
"""Files by the digests of their content."""

_UPLOAD_TIMEOUT = 600.0
"""Seconds that the server may take to answer, once it has all of a file."""

_LASTING = 300.0
"""Seconds that a file must have left: a reply takes its time, and is asked for again."""

_CREDENTIALS = ("authorization", "x-api-key", "anthropic-workspace-id")
_PROFILE = ("PROFILE", "CONFIG_DIR", "ORGANIZATION_ID", "FEDERATION_RULE_ID", "WORKSPACE_ID")
"""The variables that say whose short-lived tokens the SDK fetches, after ``ANTHROPIC_``."""

_running: dict[object, asyncio.Lock] = {}
fork.in_child(_running.clear)


def ids(files: Files) -> dict[str, str]:
    """The ids of files by the digests of their content."""
    return {sha256: file.id for sha256, file in files.items()}


async def known(connection: Connection, sources: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The files that are on the server already; nothing is sent.

    Args:
        connection: Where to.
        sources: The sources of uploads.

    Raises:
        ClaudeError: There is no credential.
    """
    found = {}
    for source in sources:
        account = _account(await asyncio.to_thread(connection.client))
        if file := file_registry.find(account, source["sha256"], _LASTING):
            found[source["sha256"]] = file
    return found


async def uploaded(
    connection: Connection, request: Request, progress: Callable[[str], None] = lambda _: None
) -> dict[str, UploadedFile]:
    """Upload what a request has to have uploaded, and is not on its server yet.

    What an earlier turn brought along is sent itself where it cannot be uploaded again.

    Args:
        connection: Where to.
        request: The request.
        progress: Is told what is being done, in words; an empty text at the end.

    Raises:
        ClaudeError: The server did not take a file, or did not answer; nothing was asked.
    """
    found: dict[str, UploadedFile] = {}
    rest: dict[str, dict[str, Any]] = {}
    seconds = uploads.lifetime(request.upload)
    for earlier in (True, False):
        for source in request.upload_sources(earlier=earlier):
            sha256 = source["sha256"]
            if sha256 in found or (sha256 in rest and earlier):
                continue
            try:
                file = await upload(connection, source, seconds, progress=progress)
            except (InputError, RequestError) as error:
                if not earlier:
                    error.advice = (
                        f"Nothing was sent. Without {request.option('upload')} the file goes"
                        " with the question."
                    )
                    raise
                file = None
            if file is None:
                rest[sha256] = source
            else:
                found[sha256] = file
    check_size(rest.values())
    return found


async def upload(
    connection: Connection,
    source: dict[str, Any],
    seconds: int = 0,
    *,
    lasting: float = _LASTING,
    progress: Callable[[str], None] = lambda _: None,
) -> UploadedFile | None:
    """The file of a source on the server: it is uploaded, unless it is there already.

    Args:
        connection: Where to.
        source: The source of an upload.
        seconds: For how long the server is to keep it, if the source does not say so.
        lasting: Seconds that it has to be there from now on.
        progress: As for ``uploaded``.

    Returns:
        The file; None if it is not there, and nobody has asked for it to be uploaded.

    Raises:
        ClaudeError: The server did not take it, or did not answer.
    """
    client = await asyncio.to_thread(connection.client)
    account, sha256 = _account(client), source["sha256"]
    async with _running.setdefault((account, sha256), asyncio.Lock()):  # side by side: once
        try:
            file = file_registry.find(account, sha256, lasting)
            seconds = source["seconds"] or seconds
            if file is not None or not seconds:
                return file
            await asyncio.to_thread(file_registry.prepare)
            progress(f"uploading {source['name']} ({source['size'] / 1e6:,.1f} MB)")
            file = await _upload(connection, account, source, max(seconds, lasting))
            file_registry.keep(file)
            return file
        finally:
            progress("")
            _running.pop((account, sha256), None)


async def _upload(
    connection: Connection, account: Account, source: dict[str, Any], seconds: float
) -> UploadedFile:
    import httpx2

    name, content = source["name"], await asyncio.to_thread(uploads.raw, source)
    client = await asyncio.to_thread(connection.client)
    if not hasattr(client, "files"):  # as Bedrock's
        raise InputError(f"{name} was not uploaded: this client has no Files API.")
    try:
        made = await client.files.upload(
            file=(name, content, source["media_type"]),
            expires_in_seconds=int(seconds),
            timeout=httpx2.Timeout(_UPLOAD_TIMEOUT, connect=CONNECT_TIMEOUT),
        )
    except Exception as error:
        explained = explain(error, connection.advice, began=False)
        explained.what = f"{name} was not uploaded. {explained.what}"
        raise explained from error
    file_id = getattr(made, "id", None)
    if not isinstance(file_id, str) or not file_id:
        raise MalformedError(
            f"{name} was not uploaded: the server's answer is not a file.",
            "A gateway or proxy may not support the Files API.",
        )
    with suppress(AttributeError, TypeError):  # a gateway may leave them out
        seconds = (made.expires_at - made.created_at).total_seconds()  # type: ignore[operator]
    now = datetime.now(UTC).timestamp()  # not the server's time: its clock may be another
    return UploadedFile(
        id=file_id,
        server=account.server,
        credential=account.credential,
        sha256=source["sha256"],
        name=name,
        size=len(content),
        uploaded=now,
        expires=now + seconds,
    )


def lost(explained: ClaudeError, raised: BaseException | None, files: Files) -> Files:
    """Those of the files that the server does not have any more; they are forgotten.

    Args:
        explained: The error of a request with their ids.
        raised: The SDK's error that it was made of.
        files: The files.

    Returns:
        None of them if the error is about something else.
    """
    if explained.status not in (400, 404):
        return {}
    expired = getattr(raised, "error_code", None) == "file_expired"
    named = {sha256: file for sha256, file in files.items() if file.id in explained.detail}
    missing = named or (files if expired else {})
    for file in missing.values():
        file_registry.forget(file)
    return missing


def gone(explained: ClaudeError, missing: Files) -> FileGoneError:
    """The error for files that the server does not have any more.

    Args:
        explained: The error of the request.
        missing: The files, one at least.
    """
    names = " and ".join(dict.fromkeys(file.name for file in missing.values()))
    error = FileGoneError(
        f"{names} {'is' if len(missing) == 1 else 'are'} not on the server any more.",
        "Ask again to upload what is missing.",
        detail=explained.detail,
        request_id=explained.request_id,
        status=explained.status,
    )
    error.simulated = explained.simulated
    return error


async def count_tokens(connection: Connection, request: Request) -> int:
    """Have the input of a request counted; nothing is uploaded for it.

    Raises:
        ClaudeError: The server did not answer, or does not count; or an attachment is so large
            that it would have to be uploaded first.
    """
    sources = [source for past in (True, False) for source in request.upload_sources(earlier=past)]
    return await count_params(connection, request.params, sources)


async def count_params(
    connection: Connection,
    params: Callable[[Mapping[str, str]], dict[str, Any]],
    sources: Sequence[dict[str, Any]],
) -> int:
    """``count_tokens`` for other arguments than those of a ``Request``.

    Args:
        connection: Where to ask.
        params: Makes the arguments of ``messages.create`` with the ids of files.
        sources: The sources of uploads in them.

    Raises:
        ClaudeError: As for ``count_tokens``.
    """
    while True:
        files = await known(connection, sources)
        check_size(source for source in sources if source["sha256"] not in files)
        try:
            return await connections.count_tokens(connection, params(ids(files)))
        except ClaudeError as error:
            if not lost(error, error.__cause__, files):
                raise


def check_size(sources: Iterable[dict[str, Any]]) -> None:
    """Refuse what is sent itself, and is more than a request may hold.

    Raises:
        InputError: It is.
    """
    large = {source["sha256"]: source for source in sources}.values()
    size = sum(len(source["data"]) for source in large)
    if size > MAX_REQUEST_BYTES:
        names = " and ".join(source["name"] for source in large)
        raise InputError(
            f"{names}: {size / 1e6:,.0f} MB in base64, and a request holds at most"
            f" {MAX_REQUEST_BYTES // 1_000_000} MB.",
            "Nothing was sent. Ask once with upload and without a cost limit; after that, the"
            " uploaded file is counted by its id.",
        )


async def delete(connection: Connection, file: UploadedFile) -> bool:
    """Delete a file on its server.

    Args:
        connection: The account that has it.
        file: The file.

    Returns:
        Whether it was still there.

    Raises:
        InputError: It is another account's.
        ClaudeError: The server did not answer, or refused.
    """
    client = await asyncio.to_thread(connection.client)
    if file.account != _account(client):
        raise InputError(
            f"{file.name} was uploaded to {file.server} with another key than the one in use.",
            "Use that server and key, and run this again.",
        )
    try:
        await client.files.delete(file.id)
    except Exception as error:
        explained = explain(error, connection.advice, began=False)
        if explained.status != 404:
            raise explained from error
        file_registry.forget(file)
        return False
    file_registry.forget(file)
    return True


async def account(connection: Connection) -> Account:
    """The account that a connection asks with.

    Raises:
        ClaudeError: There is no credential.
    """
    return _account(await asyncio.to_thread(connection.client))


def _account(client: AsyncAnthropic) -> Account:
    """The address and a digest of the credential that a client sends.

    Tokens that the SDK fetches change from hour to hour: what names their owner stands for them.
    """
    headers = {str(name).lower(): value for name, value in client.default_headers.items()}
    sent = [f"{name}: {headers.get(name)}" for name in _CREDENTIALS if name in headers]
    if not any(name in headers for name in ("authorization", "x-api-key")):
        sent += [f"{name}: {os.environ.get(f'ANTHROPIC_{name}')}" for name in _PROFILE]
    server = str(client.base_url).rstrip("/")
    digest = hashlib.sha256("\n".join(["claude_nb", server, *sent]).encode()).hexdigest()
    return Account(server, digest[:16])
