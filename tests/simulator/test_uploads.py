"""The simulator's Files API, asked by the SDK: what it keeps, what it refuses, what it resolves."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest

PDF = b"%PDF-1.7 a page"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def client(simulator):
    """A client with a key of this test's own, so that it has no files yet."""
    with anthropic.Anthropic(
        base_url=simulator.base_url, api_key=f"k{id(object())}", max_retries=0
    ) as made:
        yield made


def upload(client, name="scan.pdf", content=PDF, media_type="application/pdf", **fields: Any):
    return client.files.upload(file=(name, content, media_type), **fields)


def ask(client, kind, file_id, **source: Any):
    source = {"type": "file", "file_id": file_id, **source}
    content = [{"type": kind, "source": source}, {"type": "text", "text": "What is it?"}]
    return client.messages.create(
        model="claude-opus-5-5", max_tokens=100, messages=[{"role": "user", "content": content}]
    )


def test_files_are_uploaded_listed_and_deleted(client):
    """Each step answers in the form that the SDK reads."""
    one, two = upload(client), upload(client, "a/b/plot.png", PNG, "image/png")

    assert (one.filename, one.mime_type, one.size_bytes) == ("scan.pdf", "application/pdf", 15)
    assert (two.filename, one.expires_at, one.downloadable) == ("plot.png", None, False)
    assert [file.id for file in client.files.list()] == [two.id, one.id]
    assert [file.id for file in client.files.list(limit=1)] == [two.id, one.id]  # page by page
    assert [file.id for file in client.files.list(ids=[one.id, "file_x"])] == [one.id]
    assert client.files.retrieve_metadata(one.id) == one
    assert client.files.delete(one.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError, match=one.id):
        client.files.delete(one.id)
    with pytest.raises(anthropic.BadRequestError, match="cannot be downloaded"):
        client.files.download(two.id)


@pytest.mark.parametrize("seconds", [0, 3_599, 7_776_001])
def test_a_file_cannot_be_kept_for_any_time(client, seconds):
    """An hour at least, ninety days at most."""
    with pytest.raises(anthropic.BadRequestError, match="expires_in_seconds"):
        upload(client, expires_in_seconds=seconds)


def test_a_file_expires(client, simulator):
    """It is gone from the list, and for messages."""
    file = upload(client, expires_in_seconds=3_600)
    assert (file.expires_at - file.created_at).total_seconds() == 3_600

    simulator.advance(3_601)

    assert list(client.files.list()) == []
    with pytest.raises(anthropic.NotFoundError, match=file.id):
        ask(client, "document", file.id)


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"files": {"other": ("a", b"x")}}, "file: Field required"),
        ({"files": {"file": ("a", b"")}}, "must not be empty"),
        ({"files": {"file": ("a", b"x")}, "data": {"purpose": "x"}}, "purpose: Extra inputs"),
        ({"json": {"file": "x"}}, "multipart/form-data"),
    ],
)
def test_a_form_that_is_not_one_of_a_file_is_refused(simulator, form, complaint):
    """Missing, empty and unknown fields, and another type of body."""
    with httpx2.Client(trust_env=False) as client:
        answer = client.post(f"{simulator.base_url}/v1/files", **form)

    assert answer.status_code == 400
    assert complaint in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "name", "content", "media_type"),
    [
        ("document", "scan.pdf", PDF, "application/pdf"),
        ("document", "notes.txt", b"Some notes.", "text/plain"),
        ("image", "plot.png", PNG, "image/png"),
    ],
)
def test_a_message_takes_a_file_by_its_id(client, kind, name, content, media_type):
    """It is answered as if the content stood there; with another key there is no such file."""
    file = upload(client, name, content, media_type)

    assert ask(client, kind, file.id).stop_reason == "end_turn"
    with pytest.raises(anthropic.NotFoundError, match=file.id):
        ask(client.with_options(api_key="another"), kind, file.id)


def test_a_source_is_checked(client):
    """Its id, its fields, the kind of its file, and its own type."""
    file = upload(client)
    for kind, file_id, more, complaint in (
        ("image", file.id, {}, "application/pdf is not supported in image blocks"),
        ("document", "", {}, "file_id: Field required"),
        ("document", file.id, {"title": "x"}, "title: Extra inputs are not permitted"),
        ("document", file.id, {"type": "upload"}, r"source.type: Input should be 'base64'"),
    ):
        with pytest.raises(anthropic.BadRequestError, match=complaint):
            ask(client, kind, file_id, **more)
