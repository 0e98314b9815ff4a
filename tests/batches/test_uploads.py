"""Files in the rows of a batch: uploaded once for all rows that share one, and for long enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_nb.client import file_registry
from claude_nb.errors import InputError, RequestError
from claude_nb.simulator import Error
from tests.batches.service import DAY, batches_of, handed_in, sent

TEMPLATE = "{{question}} {{paper}}"


@pytest.fixture
def papers(tmp_path):
    """Rows with two files, one of them in two rows, and one with a text."""
    paths = [tmp_path / "one.pdf", tmp_path / "two.pdf"]
    for path in paths:
        path.write_bytes(b"%PDF-1.7 " + path.stem.encode() + bytes(100_000))
    one, two = paths
    return [
        {"question": "What?", "paper": one},
        {"question": "Why?", "paper": one},
        {"question": "Who?", "paper": two},
        {"question": "When?", "paper": "a short text"},
    ]


def uploaded(service):
    """How often a file was uploaded."""
    return sum(r.path == "/v1/files" and r.method == "POST" for r in service.requests)


def source(request):
    """The source of the document of a request."""
    return request["params"]["messages"][0]["content"][1]["source"]


def test_rows_that_share_a_file_share_its_upload(service, papers):
    """Its id stands in each, the body is as long as announced, and it outlives the batch."""
    made = handed_in(papers, TEMPLATE, upload=True)

    first, second, third, fourth = sent(service)
    assert uploaded(service) == 2
    assert source(first) == source(second) != source(third)
    assert source(first)["type"] == "file"
    assert fourth["params"]["messages"][0]["content"] == "When? a short text"
    assert all(file.expires - file.uploaded > 1.9 * DAY for file in file_registry.listed())
    assert made._state.notes == [
        f"{name}.pdf: uploaded for 2 days, visible to the whole workspace"
        for name in ("one", "two")
    ]

    service.advance(1000)
    assert made.wait().counts == {"complete": 4}


def test_a_file_that_would_expire_before_the_batch_is_uploaded_anew(service, papers):
    """A batch may take a day."""
    handed_in(papers, TEMPLATE, upload=True)
    one = file_registry.listed()[0]
    file_registry.keep(replace(one, expires=one.uploaded + 0.9 * DAY))

    handed_in(papers, TEMPLATE, upload=True)

    assert uploaded(service) == 3
    with pytest.raises(InputError, match=r"files would expire after 3,600 seconds\. upload takes"):
        handed_in(papers, TEMPLATE, upload=3600)


def test_nothing_is_uploaded_for_an_estimate_or_a_batch_that_costs_too_much(service, papers):
    """Until it is submitted."""
    made = handed_in(papers, TEMPLATE, upload=True, dry_run=True)
    with pytest.raises(InputError):
        handed_in(papers, TEMPLATE, upload=True, max_cost=0.000001)
    assert uploaded(service) == 0

    made.submit()
    assert uploaded(service) == 2


def test_an_upload_that_fails_leaves_the_batch_as_it_was(service, papers):
    """Nothing was submitted; it can be submitted again."""
    made = handed_in(papers, TEMPLATE, upload=True, dry_run=True)
    service.enqueue(Error(403, "permission_error", "Storage is full"), at="files")

    with pytest.raises(RequestError, match=r"one\.pdf was not uploaded"):
        made.submit()

    assert (made.state, batches_of(service)) == ("not submitted", 0)
    assert made.submit().state == "in progress"


def test_a_batch_is_found_again_with_or_without_uploads(service, papers):
    """A row is told from others by its content, wherever that is."""
    made = handed_in(papers, TEMPLATE, upload=True)
    plain = handed_in(papers, TEMPLATE)

    ids = [made._state.requests.custom_id(row) for row in range(4)]
    assert ids == [plain._state.requests.custom_id(row) for row in range(4)]
    assert source(sent(service)[0])["type"] == "base64"


def test_rows_that_are_submitted_again_get_files_that_are_there(service, papers):
    """An expired file is uploaded anew for them; before that its content is counted."""
    papers[0]["question"] = "Please simulate an error."
    made = handed_in(papers, TEMPLATE, upload=True)
    service.advance(1000)
    made.wait()
    service.advance(3 * DAY)
    for file in file_registry.listed():
        file_registry.keep(replace(file, expires=file.uploaded + 1000))

    made._service._counted.clear()
    made.estimate()
    made.resubmit()

    assert uploaded(service) == 3
    (again,) = sent(service)
    assert source(again)["file_id"] == file_registry.listed()[0].id
