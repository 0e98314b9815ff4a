"""Large attachments are uploaded when asked for, once, and sent by the ids of their files."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import anthropic
import pytest
from IPython.core.interactiveshell import InteractiveShell

import claude_nb
from claude_nb import Conversation, Policy, compare
from claude_nb.asking import asking
from claude_nb.asking.question import Question
from claude_nb.client import file_registry
from claude_nb.conversation import export
from claude_nb.conversation.restore import conversations, exchanges
from claude_nb.conversation.saved_notebook import Record, SavedNotebook
from claude_nb.errors import FileGoneError, InputError, OverloadedError, RequestError
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.recording.recording import Recording
from claude_nb.recording.replay import RecordingStore
from claude_nb.render import saved_output
from claude_nb.request import uploads
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Raw, Simulator
from claude_nb.tools.tools import Tools

AGAIN = Policy(tries=2, base=0.0)
KEY = "sk-" + "ant-api03-AbC_123-xyz"


@pytest.fixture(autouse=True)
def session(monkeypatch):
    """A session of this test's own."""
    mine = Session()
    monkeypatch.setattr(asking, "session", mine)
    return mine


@pytest.fixture
def pdf(tmp_path):
    """A PDF that is large enough."""
    path = tmp_path / "scan.pdf"
    path.write_bytes(b"%PDF-1.7 " + bytes(uploads.MIN_BYTES))
    return path


def ask(prompt="What is it?", talk=None, **options: Any):
    """Ask without showing anything, in a conversation or in none."""
    return (claude_nb if talk is None else talk).ask(prompt, show=False, **options)


def posts(api):
    """The paths that were posted to, each without what all have in common."""
    return [r.path.removeprefix("/v1/") for r in api.requests if r.method == "POST"]


def sources(api, place=-1):
    """The sources in a request."""
    messages = [r for r in api.requests if r.path == "/v1/messages"][place].body["messages"]
    content = [turn["content"] for turn in messages if isinstance(turn["content"], list)]
    return [block["source"] for blocks in content for block in blocks if "source" in block]


def kinds(api, place=-1):
    """The types of the sources in a request."""
    return [source["type"] for source in sources(api, place)]


def test_a_file_is_uploaded_once_for_a_conversation(api, pdf):
    """Every turn names it; the reply's note says who can see it, and for how long."""
    talk = Conversation()

    first = ask(talk=talk, attach=[pdf], upload=True)
    ask("And?", talk)

    assert posts(api) == ["files", "messages", "messages"]
    (file,) = file_registry.listed()
    assert sources(api, 0) == sources(api, 1) == [{"type": "file", "file_id": file.id}]
    assert first.notes[-1].endswith(
        "PDF, 101 kB · uploaded for 1 day, visible to the whole workspace"
    )
    assert (file.name, file.size, file.server) == ("scan.pdf", 100_009, api.base_url)
    assert 86_399 <= file.expires - file.uploaded <= 86_401
    assert "not-a-key" not in json.dumps([p.read_text() for p in file_registry.folder().iterdir()])


def test_nothing_is_uploaded_unless_it_is_asked_for_and_large(api, pdf):
    """What is sent is then the content, as before."""
    ask(attach=[pdf])
    ask(attach=[b"%PDF-1.7 a page", "words" * 100_000, [1] * 50_000], upload=True)

    assert posts(api) == ["messages", "messages"]
    assert (kinds(api, 0), kinds(api, 1)) == (["base64"], ["base64"])


def test_texts_and_images_are_uploaded_too(api, tmp_path):
    """A text file is a document then, without what looks like a key; a variable stays text."""
    (tmp_path / "log.txt").write_text(f"{KEY}\n" + "line\n" * 30_000)
    picture = b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\0\0\0\2\0\0\0\3" + bytes(100_000)

    reply = ask(attach=[tmp_path / "log.txt", picture], upload=7200)

    assert kinds(api) == ["file", "file"]
    files = file_registry.listed()
    assert {file.name for file in files} == {"log.txt", "attachment 2"}
    assert all(7_199 <= file.expires - file.uploaded <= 7_201 for file in files)
    assert "uploaded for 2 hours" in reply.notes[-1]
    text, _ = uploads.sources([reply.request.content])
    assert text["data"].startswith("sk-ant-…\n")


@pytest.mark.parametrize("upload", [1, 3_599, 7_776_001, -5])
def test_a_file_can_be_kept_for_an_hour_to_ninety_days(api, pdf, upload):
    """Anything else is refused before anything is sent."""
    with pytest.raises(InputError, match="A file cannot stay uploaded for"):
        ask(attach=[pdf], upload=upload)

    assert posts(api) == []


@pytest.mark.parametrize("upload", ["yes", None, 1.5])
def test_upload_is_a_switch_or_seconds(api, upload):
    """Another type is refused by name."""
    with pytest.raises(TypeError, match="upload must be True, False or a whole number of seconds"):
        ask(upload=upload)


def test_a_file_that_has_changed_is_uploaded_anew(api, pdf):
    """The earlier turn keeps what it was asked about."""
    talk = Conversation()
    ask(talk=talk, attach=[pdf], upload=True)
    pdf.write_bytes(pdf.read_bytes() + b"more")

    ask(talk=talk, attach=[pdf], upload=True)

    first, second = (source["file_id"] for source in sources(api))
    assert [file.id for file in file_registry.listed()] == [second, first]


def test_no_other_server_and_no_other_key_gets_an_id(api, pdf, monkeypatch):
    """There the file is uploaded again."""
    talk = Conversation()
    ask(talk=talk, attach=[pdf], upload=True)
    (first,) = sources(api)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key")
    ask(talk=talk)
    (second,) = sources(api)
    with Simulator(speed=float("inf")) as other:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.base_url)
        ask(talk=talk)
        (third,) = sources(other)
        assert posts(other) == ["files", "messages"]

    assert len({source["file_id"] for source in (first, second, third)}) == 3
    assert posts(api) == ["files", "messages", "files", "messages"]


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_file_that_is_gone_from_the_server_is_sent_anew(api, pdf, how):
    """The server's error names it; the request is tried again in sight."""
    talk = Conversation()
    ask(talk=talk, attach=[pdf], upload=True)
    (file,) = file_registry.listed()
    if how == "expired":
        api.advance(90_000)
    else:
        with anthropic.Anthropic(base_url=api.base_url, api_key="not-a-key") as client:
            client.files.delete(file.id)

    reply = ask(talk=talk, policy=AGAIN)

    assert posts(api)[2:] == ["messages", "files", "messages"]
    (waited,) = [event.data for event in reply.events if event.type == "waiting"]
    assert isinstance(waited.error, FileGoneError)
    assert str(waited.error).startswith("scan.pdf is not on the server any more.")
    assert [found.id for found in file_registry.listed()] != [file.id]


def test_several_files_that_are_gone_are_sent_anew_one_by_one(api, pdf):
    """The server names the first that it misses; the next one is missed by the next request."""
    talk = Conversation()
    ask(talk=talk, attach=[pdf], upload=True)
    pdf.write_bytes(pdf.read_bytes() + b"more")
    ask(talk=talk, attach=[pdf], upload=True)
    with anthropic.Anthropic(base_url=api.base_url, api_key="not-a-key") as client:
        for file in file_registry.listed():
            client.files.delete(file.id)

    ask(talk=talk, policy=Policy(tries=3, base=0.0))

    assert posts(api)[4:] == ["messages", "files", "messages", "files", "messages"]


def test_an_expired_file_is_known_by_the_error_s_code(api, pdf):
    """The message need not name it."""
    details = {"error_code": "file_expired"}
    error = {"type": "not_found_error", "message": "A file has expired.", "details": details}
    body = json.dumps({"type": "error", "error": error}).encode()
    api.enqueue(Raw([body], status=404, headers={"Content-Type": "application/json"}))

    ask(attach=[pdf], upload=True, policy=AGAIN)

    assert posts(api) == ["files", "messages"] * 2


def test_a_file_that_is_refused_twice_is_not_missing(api, pdf):
    """An error may name a file for another reason: it is uploaded anew once, not at every try."""
    api.enqueue(*[Raw([b'{"id": "file_x", "type": "file", "expires_at": null}'])] * 5, at="files")
    api.enqueue(*[Error(400, "invalid_request_error", "file_x: too many pages")] * 5)

    with pytest.raises(RequestError, match="too many pages"):
        ask(attach=[pdf], upload=True, policy=Policy(tries=5, base=0.0))

    assert posts(api) == ["files", "messages"] * 2


def test_what_is_known_to_have_expired_is_uploaded_anew_at_once(api, pdf):
    """No request is lost on it."""
    talk = Conversation()
    ask(talk=talk, attach=[pdf], upload=True)
    (file,) = file_registry.listed()
    file_registry.keep(replace(file, expires=file.uploaded + 60))

    ask(talk=talk)

    assert posts(api) == ["files", "messages", "files", "messages"]


def test_an_upload_that_fails_is_an_error_and_nothing_is_asked(api, pdf):
    """It says what to do; what passes is tried again."""
    api.enqueue(Error(403, "permission_error", "Storage is full"), at="files")
    with pytest.raises(RequestError) as raised:
        ask(attach=[pdf], upload=True)

    assert str(raised.value).startswith("scan.pdf was not uploaded. The server refused the request")
    assert "Storage is full" in str(raised.value)
    assert "Nothing was sent. Without upload the file goes with the question." in str(raised.value)
    assert posts(api) == ["files"]

    api.enqueue(Error(529, "overloaded_error", "Overloaded"), at="files")
    ask(attach=[pdf], upload=True, policy=AGAIN)
    assert posts(api)[1:] == ["files", "files", "messages"]

    pdf.write_bytes(pdf.read_bytes() + b"more")
    api.enqueue(Error(529, "overloaded_error", "Overloaded"), at="files")
    with pytest.raises(OverloadedError, match=r"scan.pdf was not uploaded\. Claude is overloaded"):
        ask(attach=[pdf], upload=True)


def test_what_waits_for_an_upload_can_be_stopped(api, pdf):
    """Nothing is asked then, and the conversation is as it was."""
    api.enqueue(Raw([], end="hang"), at="files")
    talk = Conversation()
    stream = claude_nb.stream("What is it?", attach=[pdf], upload=True, history=talk)
    api.wait_for(lambda requests: [r.path for r in requests] == ["/v1/files"])

    stream.stop()

    assert [event.type for event in stream] == ["stopped"]
    assert posts(api) == ["files"]
    ask(talk=talk, attach=[pdf], upload=True)
    assert (len(talk.branch), posts(api)) == (1, ["files", "files", "messages"])


def test_a_failed_upload_is_shown_as_an_error_and_leaves_the_conversation(api, pdf, capsys):
    """As what else fails before an answer."""
    api.enqueue(Error(403, "permission_error", "Storage is full"), at="files")
    talk = Conversation()

    with pytest.raises(RequestError) as raised:
        talk.ask("What is it?", attach=[pdf], upload=True)

    assert "scan.pdf was not uploaded." in capsys.readouterr().out
    reply = raised.value.reply
    assert (str(reply.outcome), reply.simulated, talk.branch) == ("failed", True, [])


def test_a_client_without_the_files_api_says_so(pdf):
    """As Bedrock's has none."""
    client = anthropic.AsyncAnthropicBedrock(
        aws_access_key="a", aws_secret_key="b", aws_region="us-east-1"
    )
    with pytest.raises(InputError, match=r"scan\.pdf was not uploaded: this client has no"):
        ask(attach=[pdf], upload=True, client=client)


def test_a_chat_uploads_too(api, pdf):
    """Each of its questions is asked with the option."""
    chat = claude_nb.Chat(upload=True)
    chat.ask("What is it?", attach=[pdf]).wait()
    chat.ask("And?").wait()

    assert posts(api) == ["files", "messages", "messages"]
    assert kinds(api) == ["file"]


def test_an_answer_that_is_no_file_is_an_error(api, pdf):
    """A gateway may answer anything."""
    api.enqueue(Raw([b'{"ok": true}']), at="files")

    with pytest.raises(claude_nb.ClaudeError, match="the server's answer is not a file"):
        ask(attach=[pdf], upload=True)


def test_what_an_earlier_turn_uploaded_is_sent_itself_where_there_is_no_files_api(
    api, pdf, monkeypatch
):
    """The conversation goes on with a server that does not know it."""
    talk = Conversation()
    ask(talk=talk, attach=[pdf], upload=True)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key")
    api.enqueue(Error(404, "not_found_error", "Not found"), at="files")

    ask(talk=talk)

    assert kinds(api) == ["base64"]


def test_messages_and_exports_hold_the_content(api, pdf):
    """They are for elsewhere, where no id is worth anything."""
    talk = Conversation()
    ask(
        talk=talk,
        attach=[pdf, pdf.read_bytes().replace(b"%PDF", b"text").replace(b"\0", b"x")],
        upload=True,
    )

    content = talk.messages()[0]["content"]
    assert [b["source"]["type"] for b in content if "source" in b] == ["base64", "text"]
    assert all("upload" not in block.get("source", {}).values() for block in content)
    record = export.record(talk.head, talk.name, "")
    assert [b["source"]["type"] for b in record["turn"]["content"] if "source" in b] == [
        "base64",
        "text",
    ]
    assert export.attached(talk.head) == ["application/pdf, 101 kB", "text/plain, 101 kB"]
    again = exchanges(talk.to_messages())
    assert [b["source"]["type"] for b in again[0].content if "source" in b] == ["base64", "text"]


def restored(reply):
    """What a kernel that was started anew knows of a reply, and notes on it."""
    record = json.loads(json.dumps(saved_output.record(reply, reply.request)))
    found, notes = conversations(SavedNotebook([Record(1, "", record, True)], (), ()))
    talk = Conversation()
    talk.add(found[0].exchanges, found[0].head)
    return talk, notes, record


def test_a_saved_turn_has_digest_and_path_and_the_file_is_sent_by_its_id_again(api, pdf):
    """No content and no id are in the notebook; the file's content is what it was."""
    reply = ask(talk=Conversation(), attach=[pdf], upload=True)
    (sent,) = sources(api)

    talk, notes, record = restored(reply)
    ask(talk=talk)

    (source,) = [b["source"] for b in record["turn"]["content"] if "source" in b]
    assert set(source) == {"type", "media_type", "sha256", "path"}
    assert source["path"] == str(pdf)
    assert "file_sim" not in json.dumps(record)
    assert notes == []
    assert sources(api) == [sent]
    assert posts(api) == ["files", "messages", "messages"]


def test_a_restored_turn_is_uploaded_only_if_it_is_asked_for_again(api, pdf, monkeypatch):
    """Whoever wrote the notebook does not decide it: else the content is sent."""
    reply = ask(talk=Conversation(), attach=[pdf], upload=True)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key")

    talk, _, _ = restored(reply)
    ask(talk=talk)
    assert (posts(api)[2:], kinds(api)) == (["messages"], ["base64"])

    ask(talk=talk, upload=True)
    assert (posts(api)[3:], kinds(api)) == (["files", "messages"], ["file"])


@pytest.mark.parametrize(
    ("spoil", "note"),
    [
        (lambda pdf, _: pdf.write_bytes(b"%PDF-2" + b"x" * 100_000), "has changed since it"),
        (lambda pdf, _: pdf.write_bytes(b"%PDF-1.7 small"), "has changed since it was sent"),
        (lambda pdf, _: pdf.unlink(), "There is no file"),
        (lambda _, source: source.update(path="//elsewhere/share/scan.pdf"), "is not saved"),
        (lambda _, source: source.update(path=r"\\elsewhere\scan.pdf"), "is not saved"),
        (lambda _, source: source.update(path=7), "is not saved"),
        (lambda _, source: source.update(sha256=None), "has changed since it was sent"),
        (lambda _, source: source.update(media_type="image/png"), "does not match its media type"),
    ],
)
def test_a_file_that_is_not_what_was_sent_is_left_out_with_a_note(api, pdf, spoil, note):
    """The rest of the turn is there."""
    reply = ask(talk=Conversation(), attach=[pdf], upload=True)
    record = json.loads(json.dumps(saved_output.record(reply, reply.request)))
    spoil(pdf, next(b["source"] for b in record["turn"]["content"] if "source" in b))

    found, notes = conversations(SavedNotebook([Record(1, "", record, True)], (), ()))

    assert note in notes[0]
    assert [block["type"] for block in found[0].head.content] == ["text", "text"]


def test_bytes_without_a_file_are_saved_themselves(api):
    """Up to the limit of a saved turn."""
    content = b"%PDF-1.7 " + bytes(150_000)
    reply = ask(talk=Conversation(), attach=[content], upload=True)

    talk, notes, record = restored(reply)
    ask(talk=talk)

    (source,) = [b["source"] for b in record["turn"]["content"] if "source" in b]
    assert base64.b64decode(source["data"]) == content
    assert (notes, kinds(api)) == ([], ["file"])


def test_a_dry_run_and_a_limit_count_without_uploading(api, pdf):
    """Once it is on the server, its id is counted."""
    question = Question.of("What?", attach=[pdf], upload=True)
    asking.estimate(question)
    assert posts(api) == ["messages/count_tokens"]
    assert "base64" in json.dumps(api.requests[-1].body)

    ask(attach=[pdf], upload=True, max_cost=1.0)
    assert posts(api)[1:] == ["messages/count_tokens", "files", "messages"]

    asking.estimate(question)
    assert "file_sim" in json.dumps(api.requests[-1].body)


def test_counting_survives_a_file_that_is_gone(api, pdf):
    """It is counted by its content then."""
    ask(attach=[pdf], upload=True)
    api.advance(90_000)

    asking.estimate(Question.of("What?", attach=[pdf], upload=True))

    assert posts(api)[-2:] == ["messages/count_tokens"] * 2
    assert file_registry.listed() == []


def test_a_file_that_no_request_could_hold_goes_by_its_id(api, tmp_path):
    """It cannot be counted before it is there; without an upload it is refused as before."""
    large = tmp_path / "large.pdf"
    large.write_bytes(b"%PDF-1.7 " + bytes(25_000_000))
    with pytest.raises(InputError, match="24 MB"):
        ask(attach=[large])
    with pytest.raises(InputError, match=r"large.pdf: 33 MB in base64"):
        ask(attach=[large], upload=True, max_cost=1.0)
    assert posts(api) == []

    ask(attach=[large], upload=True)
    ask(attach=[large], upload=True, max_cost=1.0)

    assert posts(api) == ["files", "messages", "messages/count_tokens", "messages"]


def test_a_file_that_the_api_does_not_take_is_refused_before_it_is_sent(api, pdf, monkeypatch):
    """Its size is named."""
    monkeypatch.setattr(uploads, "MAX_BYTES", 100_000)

    with pytest.raises(InputError, match=r"scan.pdf\) is larger than an uploaded file can be"):
        ask(attach=[pdf], upload=True)

    assert posts(api) == []


def test_a_recording_has_the_content_and_is_found_whatever_the_id(api, session, pdf):
    """It is replayed after the file is gone, and nothing is uploaded."""
    reply = ask(attach=[pdf], upload=True)
    recording = Recording.of(reply)
    (file,) = file_registry.listed()
    assert file.id not in "\n".join(recording._lines())

    session.library = RecordingStore([recording], speed=float("inf"))
    file_registry.forget(file)
    replayed = [ask(attach=[pdf], upload=True), ask(attach=[pdf])]

    assert [again.text for again in replayed] == [reply.text] * 2
    assert posts(api) == ["files", "messages"]


def test_replies_side_by_side_share_an_upload(api, pdf):
    """It is uploaded once, however many ask."""
    models = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
    compare("What is it?", models=models, attach=[pdf], upload=True)

    assert sorted(posts(api)) == ["files", "messages", "messages", "messages"]


def test_a_loop_of_tools_uploads_once(api, pdf):
    """Every request of the reply names the file."""

    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    ask("Use the tool, please.", attach=[pdf], upload=True, tools=Tools(look_up))

    assert posts(api).count("files") == 1
    assert {kind for n in range(posts(api).count("messages")) for kind in kinds(api, n)} == {"file"}


def test_asynchronously_too(api, pdf):
    """The upload runs on the engine, whatever loop waits."""
    asyncio.run(claude_nb.ask_async("What?", attach=[pdf], upload=True, show=False))

    assert posts(api) == ["files", "messages"]


def test_uploads_are_listed_and_deleted(api, pdf, monkeypatch, capsys):
    """By id or all of this key; those of another key are not touched, and stay listed."""
    magic = ClaudeMagics().claude_nb
    assert "No files are uploaded." in repr(magic("files"))
    ask(attach=[pdf], upload=True)
    (mine,) = file_registry.listed()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key")
    ask(attach=[pdf], upload=True)
    other = next(file for file in file_registry.listed() if file != mine)

    shown = repr(magic("files"))
    assert mine.id in shown
    assert other.id in shown
    assert f"scan.pdf  {mine.id}  0.1 MB  20" in shown
    with pytest.raises(InputError, match="with another key than the one in use"):
        magic(f"files delete {mine.id}")
    magic("files delete all")
    assert file_registry.listed() == [mine]
    assert capsys.readouterr().out == (
        "scan.pdf: deleted.\nNot deleted: 1 file on other servers, or uploaded with another key.\n"
    )

    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    api.advance(90_000)
    magic(f"files delete {mine.id}")
    magic("files delete all")
    assert capsys.readouterr().out == "scan.pdf: no longer existed.\nNo files are uploaded.\n"


def test_the_option_of_the_cell_and_the_trait(api, pdf):
    """``--upload`` uploads for a day, or for as long as the trait says, which also turns it on."""
    shell = InteractiveShell()
    magics = ClaudeMagics(shell)
    shell.register_magics(magics)
    shell.push({"pdf": pdf})
    shell.run_cell_magic("claude", "--once --upload -a pdf", "What is it?")
    (file,) = file_registry.listed()
    assert round(file.expires - file.uploaded) == 86_400

    shell.run_cell_magic("claude", "--once -a pdf", "What is it?")
    magics.upload = 7200
    file_registry.forget(file)
    shell.run_cell_magic("claude", "--once --upload -a pdf", "What is it?")
    (file,) = file_registry.listed()
    assert round(file.expires - file.uploaded) == 7200
    shell.run_cell_magic("claude", "--once", "What is {{pdf}}?")
    assert (kinds(api, -3), kinds(api, -1)) == (["base64"], ["file"])

    api.enqueue(Error(403, "permission_error", "Storage is full"), at="files")
    file_registry.forget(file)
    with pytest.raises(RequestError, match="Without --upload the file goes with the question"):
        magics.claude("--once", "What is {{pdf}}?")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("files delete", "takes [delete ID|delete all]. Without arguments, it lists"),
        ("files remove x", "takes [delete ID|delete all]."),
        ("files delete file_x", "There is no uploaded file file_x. %claude_nb files lists them"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(line, error):
    """It says what there is."""
    with pytest.raises(InputError) as raised:
        ClaudeMagics().claude_nb(line)

    assert error in str(raised.value)
