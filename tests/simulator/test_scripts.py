"""Words in the prompt choose what the simulator says; it never pretends to have understood more."""

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import pytest

from claude_nb.request.attachments.interpolation import compose
from claude_nb.simulator import calls, rewording, scripts, servertools, wire
from claude_nb.simulator.scripts import answer_to

TOOL = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city"],
    },
}


def user(content):
    return {"role": "user", "content": content}


def text(written):
    return {"type": "text", "text": written}


def answer(*messages: Any, **options: Any):
    """Return the answer to messages (or to a prompt), by a model that does not think unasked."""
    turns = [user(turn) if isinstance(turn, str) else turn for turn in messages]
    request = {"model": "claude-opus-4-8", "max_tokens": 1000, "messages": turns, **options}
    return answer_to(request, random.Random(0))


def kinds(given):
    return [written.block["type"] for written in given.content]


def said(given):
    return "\n".join(w.text for w in given.content if w.block["type"] == "text")


@pytest.mark.parametrize(
    ("prompt", "beginning"),
    [
        ("Explain how streaming works", "A language model writes its answer one token"),
        ("Why is the sky blue?", "The sky is blue because **air scatters blue"),
        ("How does HTTPS work?", "HTTPS is HTTP inside an encrypted connection"),
        ("What is prompt caching?", "**Prompt caching** spares the model"),
        ("Write a Python function that reverses a word", "Here is a function"),
        ("THINK about it", "**Twenty-three.**"),
        ("Show me a tour of Markdown", "# A tour of Markdown"),
        ("some code, please", "Here is a small piece of code in each of four languages"),
        ("a formula", "## Why $1 + 2"),
        ("Tell me a story.", "# The lighthouse that counted"),
        ("Hello!", "Hello! 👋 You are talking to a simulator"),
        ("Give me a long answer", "# The first numbers, taken apart"),
        ("several blocks", "This is the **first** of several content blocks"),
        ("Say three words", "Piece by piece."),
    ],
)
def test_words_choose_the_script(prompt, beginning):
    """Each script has its words; case and punctuation do not matter."""
    assert said(answer(prompt))[: len(beginning)] == beginning


def test_words_must_be_whole():
    """A word inside another chooses nothing: *decode* is not *code*."""
    assert "no script fits it" in said(answer("Please decode this"))


def documented(number):
    """Return the words in a table of the module's docstring."""
    table = scripts.__doc__.split("::\n\n")[number].partition("\n\n")[0].splitlines()
    return [re.split(r" {3,}", line.strip())[0] for line in table]


def test_the_table_in_the_documentation_is_the_table():
    """The module's docstring lists the scripts' words in the order in which they are tried."""
    spoken = [", ".join(words).replace("sky blue", "sky + blue") for _, words in scripts._TABLE]

    assert documented(1) == spoken


def test_the_words_for_tools_in_the_documentation_are_the_words():
    """The second table lists what chooses calls of tools, the client's and the API's own."""
    own = [
        ", ".join(words).replace("run code", "run + code") for words in servertools.WORDS.values()
    ]

    assert documented(2) == [
        "NAME",
        f"NAME {calls.THEN} NAME",
        f"NAME {', '.join(calls.TWICE)}",
        ", ".join(calls.ANY),
        *own,
        servertools.PAUSE,
        servertools.FAILURE,
    ]


def test_the_last_user_text_decides():
    """Earlier turns do not matter, and neither does a system message after the last turn."""
    story = {"role": "assistant", "content": "Once"}
    system = {"role": "system", "content": "Tell a story."}

    assert said(answer("Tell me a story", story, "Why is the sky blue?", system)).startswith(
        "The sky is blue"
    )


def test_every_text_is_reachable():
    """There is no text without words that choose it."""
    texts = {path.name for path in Path(scripts.__file__).with_name("texts").iterdir()}

    assert texts == {f"{name}.md" for name, _ in scripts._TABLE}


def test_the_tour_shows_every_kind_of_markdown():
    """Headings, lists, tasks, table, quote, links, code, math, money, emoji, CJK and RTL."""
    tour = said(answer("tour"))
    signs = ["\n## ", "\n   - ", "- [x]", "|:-", "\n> > ", "](https://", "```python", "```sql"]
    signs += ["$$", "$\\pi", "$5 and", "👩‍🔬", "日本語", "العربية"[:2], "עברית"[:1], "````"]

    assert [sign for sign in signs if sign not in tour] == []


def test_the_long_answer_is_long_and_true():
    """It has more than 20 kB, and every product in it is right."""
    text = said(answer("long"))
    products = re.findall(r"\$(\d+) = ([^$]+)\$", text)

    assert len(text.encode()) > 20_000
    for number, product in products:
        factors = [int(factor) for factor in product.split(r" \cdot ")]
        assert math.prod(factors) == int(number)
        assert factors == sorted(factors)
        assert all(factor % divisor for factor in factors for divisor in range(2, factor))


def test_a_refusal_says_why():
    """It ends in the middle, with details."""
    refusal = answer("Please refuse")

    assert refusal.stop_reason == "refusal"
    assert refusal.stop_details["type"] == "refusal"


@pytest.mark.parametrize(
    ("model", "options", "thinks"),
    [
        ("claude-opus-4-8", {}, False),
        ("claude-opus-4-8", {"thinking": {"type": "adaptive"}}, True),
        ("claude-sonnet-5", {}, True),
        ("claude-sonnet-5", {"thinking": {"type": "disabled"}}, False),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, False),
    ],
)
@pytest.mark.parametrize("prompt", ["think", "story", "Anything else"])
def test_thinking_is_there_when_it_is_on(prompt, model, options, thinks):
    """Thinking comes first and once, when the request or the model's default turns it on."""
    found = kinds(answer(prompt, model=model, **options))

    assert found.count("thinking") == thinks
    assert (found[0] == "thinking") == thinks


def test_an_unknown_prompt_is_named_and_examples_are_given():
    """Two lines: the label and the beginning of the prompt, then prompts that have a script."""
    reply = said(answer("What about\n```this``` " + "and that, " * 99, system="Be brief. " * 999))
    first, last = reply.split("\n\n")

    assert first.startswith(
        "This is a **simulated reply**; no model has read your prompt, and no script fits it: ```` "
    )
    assert first.endswith("` and 812 more characters.")
    assert last.startswith("Prompts that have a script: *Explain how streaming works*, *Why is")
    assert len(reply) < 600


def test_every_example_has_a_script():
    """What an answer says to try does not end in the same answer again."""
    examples = re.findall(r"\*(.*?)\*", said(answer("Anything")).partition("\n\n")[2])

    assert len(examples) == 7
    assert [example for example in examples if "script fits it" in said(answer(example))] == []


def test_files_in_an_unknown_prompt_are_counted():
    """An image is no text, and a text that goes along is not what the user typed."""
    content = [text("notes.txt:\nTell me a story\n\nchart:\n"), {"type": "image"}, text("\n\nWhy?")]

    assert "no script fits it: `Why?` and 38 more characters and 1 × image." in said(
        answer(user(content))
    )


@pytest.mark.parametrize(
    ("variables", "attached", "included"),
    [
        ({}, [("attachment 1", "Tell me a story.\n\nThink!\n")], []),
        ({}, [("df.text[0]", "A story"), ("My notes.md", "# Code\n\nThe sky is blue")], []),
        ({}, [("figure", b"\x89PNG\r\n\x1a\n"), ("story", "A story")], []),
        (
            {},
            [],
            ['Earlier cells.\n<cell number="1">\n# story\n\n"hi"\n</cell>', "<error>\nx\n</error>"],
        ),
        ({"code": "```python\n# A story\n```\n"}, [], []),
        ({"code": "| story | code |\n| --- | --- |\n| think | long |\n"}, [], []),
        ({}, [("a.md", "```python\n# hi\n```\n\nA story")], []),
        ({}, [("a.txt", "<x>\nhi\n</x>\nA story\n\nThink!")], ["<error>\nhi\n</error>"]),
    ],
)
def test_words_of_attachments_choose_nothing(variables, attached, included):
    """Files, cells and fenced text go along with a prompt; the user's own words choose."""
    prompt = "{{code}}\nWhat is this?" if variables else "What is this?"
    included = [text(f"{each}\n\n") for each in included]
    filled = compose(prompt, variables=variables, attached=attached, included=included)
    chosen = compose(f"{prompt} Hello!", variables=variables, attached=attached, included=included)

    assert "no script fits it: `What is this?`" in said(answer(user(list(filled.blocks))))
    assert said(answer(user(list(chosen.blocks)))).startswith("Hello! 👋")


@pytest.mark.parametrize("value", ["Tell me a story\n\nThink!", "```md\nhello\n\nhi\n```"])
def test_a_value_below_the_prompt_chooses_nothing(value):
    """Under its name, which the prompt has."""
    asked = f"What is `notes.text`?\n\nnotes.text:\n\n{value}"

    assert "no script fits it: ``" in said(answer(asked))
    assert said(answer(f"Hello! {asked}")).startswith("Hello! 👋")


def test_a_fence_behind_the_prompt_chooses_nothing():
    """Where nothing follows what is enclosed, the user's own words stand before it."""
    asked = "What is this?\n\n```text\nTell me a story\n```\n"

    assert "no script fits it: `What is this?` and" in said(answer(asked))


def test_a_file_that_says_continue_continues_nothing():
    """Only the user's own words ask for the rest of an answer that was interrupted."""
    story = {"role": "assistant", "content": said(answer("Tell me a story"))}
    asked = "notes.txt:\nto be continued, or interrupted\n\nWhat is this?"

    assert "no script fits it" in said(answer("Tell me a story", story, asked))


def test_nothing_is_called_that_cannot_be():
    """No call where tools are forbidden, absent, or have no schema here."""
    forbidden = answer("Is it raining?", tools=[TOOL], tool_choice={"type": "none"})
    unknown = answer("Is it raining?", tools=[{"type": "bash_20250124", "name": "bash"}])

    assert [kinds(forbidden), kinds(unknown), kinds(answer("Is it?"))] == [["text"]] * 3


def test_no_tool_is_called_that_was_not_offered():
    """The word *tools* alone calls nothing."""
    assert kinds(answer("Show me how tools work")) == ["text"]


SEARCH = {"type": "web_search_20260318", "name": "web_search"}
FETCH = {"type": "web_fetch_20260318", "name": "web_fetch"}


@pytest.mark.parametrize(
    ("choice", "tools", "called"),
    [
        ({"type": "any"}, [SEARCH, FETCH], ["web_search"]),
        ({"type": "any"}, [SEARCH, TOOL], ["get_weather"]),
        ({"type": "tool", "name": "web_fetch"}, [SEARCH, FETCH], ["web_fetch"]),
        ({"type": "tool", "name": "get_weather"}, [SEARCH, TOOL], ["get_weather"]),
        ({"type": "none"}, [SEARCH, TOOL], []),
    ],
)
@pytest.mark.parametrize("prompt", ["Is it raining?", "Search for rain"])
def test_the_choice_of_a_tool_is_obeyed(choice, tools, called, prompt):
    """One that is forced is called whatever was asked, and nothing else is."""
    given = answer(prompt, tools=tools, tool_choice=choice)
    names = [w.block["name"] for w in given.content if w.block["type"].endswith("tool_use")]

    assert names == called


OUTPUT = {"format": {"type": "json_schema", "schema": TOOL["input_schema"]}}


def test_structured_output_fits_its_schema():
    """A JSON schema for the output is answered with JSON that fits, whatever was asked."""
    assert json.loads(said(answer("story", output_config=OUTPUT))) == {"city": "example"}


def test_structured_output_can_be_refused():
    """A refusal is a text, whatever form was asked for."""
    refusal = answer("Please refuse", output_config=OUTPUT)

    assert (refusal.stop_reason, said(refusal)) == ("refusal", said(answer("Please refuse")))


def is_followed(whole, text):
    """Whether a text is the whole one, but for the wording of its continuations."""
    return rewording.followed(whole, text) == (len(whole), "")


def continued(prompt, partial):
    """Return a partial answer and what a request to continue it gets."""
    turn = {"role": "assistant", "content": partial.rstrip()}
    return turn["content"] + said(answer(prompt, turn, "You were interrupted. Continue."))


@pytest.mark.parametrize("kept", [1, 100, 1500])
def test_an_interrupted_answer_is_continued(kept):
    """The partial turn and a request to continue get the rest, in other words at its beginning."""
    whole = said(answer("Tell me a story"))
    joined = continued("Tell me a story", whole[:kept])

    assert joined.startswith(whole[:kept].rstrip())
    assert joined != whole
    assert is_followed(whole, joined)
    assert joined == continued("Tell me a story", whole[:kept])


@pytest.mark.parametrize("prompt", ["Tell me a story", "sky", "https", "code", "math", "function"])
def test_an_answer_can_be_interrupted_anywhere_and_again(prompt):
    """Also within the words that stand in a continuation for those that were lost."""
    prompt = f"{prompt} blue"
    whole = said(answer(prompt))
    joined = continued(prompt, whole[:20])

    for kept in range(21, len(joined), 7):
        again = continued(prompt, joined[:kept])
        assert again.startswith(joined[:kept].rstrip())
        assert is_followed(whole, again)


def test_only_prose_is_reworded():
    """Code, formulas, tables and headings are as they were."""
    kept = "# cannot\n\n| cannot |\n\n`cannot` $cannot$\n\n```\ncannot\n```\n\n$$\ncannot\n$$\n\n"
    rest = f" and\n\n{kept}Cannot, cannot, cannot, cannot."

    assert rewording.reworded("can", rest) == f" and\n\n{kept}Can't, can't, can't, cannot."


def test_a_prefill_is_continued():
    """A last turn of the assistant is gone on with, where the model takes that."""
    whole = said(answer("Tell me a story"))
    partial = {"role": "assistant", "content": whole[:99]}
    rest = said(answer("Tell me a story", partial, model="claude-haiku-4-5"))

    assert is_followed(whole, whole[:99] + rest)


@pytest.mark.parametrize(("first", "last"), [(0, 9), (0, 1500), (500, 1500)])
def test_an_answer_whose_end_is_quoted_is_continued(first, last):
    """All of what came, or the end of it behind an ellipsis."""
    whole = said(answer("Tell me a story"))
    before = continued("Tell me a story", whole[:30])
    ending = ("…" if first else "") + before[first:last].rstrip()
    rest = said(
        answer(
            "Tell me a story",
            {
                "role": "user",
                "content": "Your previous reply to this was interrupted. It ended with:"
                f"\n\n{ending}\n\nContinue exactly from where it stopped.",
            },
        )
    )

    assert is_followed(whole, before[:last].rstrip() + rest)


def test_nothing_stands_between_the_blocks_of_an_answer_that_is_continued():
    """A client that shows them one after another has only their text."""
    blocks = [w.text for w in answer("several blocks").content if w.block["type"] == "text"]
    joined = continued("several blocks", blocks[0] + blocks[1][:5])

    assert is_followed("".join(blocks), joined)


def test_three_words_are_three_deltas_and_no_thinking():
    """So that all events of a reply fit on a screen, also of a model that thinks."""
    given = answer("Say three words", model="claude-opus-5-5")
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    timed = wire.events({}, given, (usage, usage), "summarized", random.Random(0))
    deltas = [event["delta"] for _, event in timed if event["type"] == "content_block_delta"]

    assert deltas == [{"type": "text_delta", "text": t} for t in ("Piece", " by", " piece.")]


def test_a_conversation_gets_no_long_answer_twice():
    """A second greeting, and a second prompt that no script fits, are answered in a line."""
    hello, unknown = said(answer("Hello!")), said(answer("What?"))
    greeted = {"role": "assistant", "content": hello}
    told = {"role": "assistant", "content": unknown}

    assert said(answer("Hello!", greeted, "Hello, you!")) == (
        "Hello again! This request holds 2 earlier messages of our conversation."
    )
    assert said(answer("What?", told, "And now?")) == "No script fits this either: `And now?`."


def test_calls_behind_the_text_that_came_are_part_of_the_rest():
    """A connection that was lost before the call is not the end of it."""
    whole = answer("Call get_weather", tools=[TOOL])
    partial = {"role": "assistant", "content": said(whole)[:20]}
    rest = answer("Call get_weather", partial, "You were interrupted. Continue.", tools=[TOOL])

    assert partial["content"] + said(rest) == said(whole)
    assert (kinds(rest), rest.stop_reason) == (["text", "tool_use"], "tool_use")


def test_a_whole_answer_has_no_rest():
    """*Continue* behind it is a prompt like any other, and gets a text."""
    whole = {"role": "assistant", "content": said(answer("Tell me a story"))}

    assert "no script fits it" in said(answer("Tell me a story", whole, "Please continue"))


def test_what_cannot_be_continued_is_answered_anew():
    """*Continue* after a text that is not the simulator's own is a prompt like any other."""
    partial = {"role": "assistant", "content": "It was a dark and stormy night"}

    assert "no script fits it" in said(answer("Tell me a story", partial, "Continue, please"))
