"""Answers cite the documents that are sent along, each with its place and the document's name."""

import json

import pytest

import claude_nb
from claude_nb import Chat, Conversation
from claude_nb.asking.asking import NOTHING_TO_CITE
from claude_nb.conversation import restore
from claude_nb.conversation.saved_notebook import load
from claude_nb.errors import InputError

PDF = b"%PDF-1.4\n1 0 obj<</Type/Page>>endobj\n%%EOF\n"
ON = {"enabled": True}


@pytest.fixture
def notes(tmp_path):
    """A text file with a sentence to be found in it."""
    path = tmp_path / "notes.txt"
    path.write_text("Grass is green. The sky is blue at noon. Snow is white.")
    return path


@pytest.fixture
def paper(tmp_path):
    """A PDF."""
    path = tmp_path / "paper.pdf"
    path.write_bytes(PDF)
    return path


def documents(request):
    """The documents of a request that the simulator received, with their titles."""
    found = [m["content"] for m in request.body["messages"] if isinstance(m["content"], list)]
    return [
        (block["title"], block.get("citations"))
        for content in found
        for block in content
        if block["type"] == "document"
    ]


def test_sources_have_the_documents_name_their_place_and_the_passage(api, notes, paper):
    """A file of text is cited by characters, a PDF by pages; both stand among the sources."""
    reply = claude_nb.ask("What colour is the sky?", attach=[notes, paper], cite=True, show=False)

    shown = reply._repr_mimebundle_()["text/markdown"]
    assert "1. notes.txt  \n   characters 16–40 “The sky is blue at noon.”" in shown
    assert "2. paper.pdf  \n   page 1 “Simulated text of page 1 of paper.pdf.”" in shown
    assert documents(api.requests[-1]) == [("notes.txt", ON), ("paper.pdf", ON)]


def test_texts_and_tables_that_are_attached_can_be_cited(api):
    """They are sent as documents that are called what the user calls them."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"city": ["Oslo"], "people": [717_710]})

    claude_nb.ask("How many?", attach=["Oslo is large.", table, [1, 2]], cite=True, show=False)

    titles = [f"attachment {number}" for number in (1, 2, 3)]
    assert documents(api.requests[-1]) == [(title, ON) for title in titles]


def test_without_it_texts_are_sent_as_before(api, notes, paper):
    """No document can be cited, and texts are texts."""
    claude_nb.ask("Which?", attach=[notes, paper], show=False)

    assert documents(api.requests[-1]) == [("paper.pdf", None)]


def test_a_key_in_a_document_is_redacted(api):
    """As in every other text that goes along."""
    key = "sk-ant-api03-" + "a" * 90

    claude_nb.ask("Which?", attach=[f"The key is {key}."], cite=True, show=False)

    assert key not in json.dumps(api.requests[-1].body)


def test_a_form_and_citations_are_refused_before_anything_is_sent(api):
    """The API answers 400; a batch refuses it too."""
    for ask in (claude_nb.ask, claude_nb.batch):
        prompt = "Which?" if ask is claude_nb.ask else ["Which?"]
        with pytest.raises(InputError, match="cannot cite") as caught:
            ask(prompt, cite=True, output=int, show=False)
        assert caught.value.advice == "Leave out output or cite."
    assert not api.requests


def test_a_reply_that_has_nothing_to_cite_says_so(api):
    """It is answered, and the note says why it has no sources."""
    reply = claude_nb.ask("Hello?", cite=True, show=False)

    assert NOTHING_TO_CITE in reply.notes


def test_a_conversation_goes_on_citing(api, notes, paper):
    """What is sent stays as it was, in a turn of a form without citations; then they come back."""
    talk = Conversation("citing")
    talk.ask("Read this.", attach=[paper], show=False)
    first = talk.ask("And this.", attach=[notes], cite=True, show=False)
    talk.ask("More?", show=False)
    talk.ask("How many?", output=int, show=False)
    talk.ask("And?", show=False)

    both = [("paper.pdf", ON), ("notes.txt", ON)]
    without = [(title, None) for title, _ in both]
    sent = [documents(found) for found in api.requests]
    assert sent == [without[:1], both, both, without, both]
    assert any(block.citations for block in first.blocks)
    Conversation.from_messages(talk.to_messages()).ask("Go on.", show=False)
    assert documents(api.requests[-1]) == both


def test_it_is_restored_from_an_export(api, notes, tmp_path):
    """The document comes back with its name, and can be cited in the next turn."""
    talk = Conversation("exported")
    talk.ask("Read this.", attach=[notes], cite=True, show=False)
    talk.to_notebook(tmp_path / "talk.ipynb")

    again = Conversation.from_notebook(tmp_path / "talk.ipynb")
    again.ask("More?", show=False)

    assert documents(api.requests[-1]) == [("notes.txt", ON)]
    (found,), _ = restore.conversations(load(tmp_path / "talk.ipynb"))
    assert found.exchanges[0].cite


def test_a_chat_cites_what_is_sent_with_its_questions(api, notes):
    """``Chat(cite=True)`` asks for citations in each question, also where nothing is attached."""
    chat = Chat("citing chat", cite=True)

    chat.ask("Hello?")
    reply = chat.ask("What colour is the sky?", attach=[notes])

    assert documents(api.requests[-1]) == [("notes.txt", ON)]
    assert any(block.citations for block in reply.blocks)


def test_a_batch_cites_the_files_that_are_put_in(api, notes, paper):
    """Each row's document can be cited; the citations are in the message of its result."""
    done = claude_nb.batch(
        [notes, paper], "What does {{file}} say about the sky?", cite=True, show=False
    ).wait()

    cited = [
        citation["type"]
        for result in done.results
        for block in result.message["content"]
        for citation in block.get("citations") or ()
    ]
    assert cited == ["char_location", "page_location"]
