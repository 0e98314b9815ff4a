"""What patches promise: however a text arrives, the blocks are what the full render gives."""

import random
from importlib import import_module

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claude_nb.characters import clean
from claude_nb.render.markdown import incremental as product
from claude_nb.render.markdown.code_box import code_open
from claude_nb.render.markdown.incremental import Incremental, Patch
from claude_nb.render.markdown.markdown import saved, to_html
from tests.render.samples import texts


def apply(blocks, patches):
    """Apply patches as the front end does, counting in UTF-16 code units."""
    for patch in patches:
        if patch.block == len(blocks):
            blocks.append("")
        old = blocks[patch.block].encode("utf-16-le")
        size = len(old) // 2
        if patch.rest:
            assert patch.keep + patch.rest == size
            assert "<" not in patch.html
        new = (
            old[: 2 * patch.keep] + patch.html.encode("utf-16-le") + old[2 * (size - patch.rest) :]
        )
        blocks[patch.block] = new.decode("utf-16-le")
        if not new:
            assert patch.block == len(blocks) - 1
            blocks.pop()


def stream(pieces):
    """Feed and frame piece by piece; all patches and the blocks they make."""
    incremental, patches = Incremental(), []
    for piece in pieces:
        incremental.feed(piece)
        patches.append(incremental.frame())
    patches.append(incremental.finish())
    blocks = apply_all(patches)
    assert blocks == incremental.blocks
    return patches, blocks


def apply_all(patches):
    """The blocks that the patches of all frames make."""
    blocks = []
    for frame in patches:
        apply(blocks, frame)
    return blocks


def renders(text):
    """What a frame may show of `text`: all, or all but what is held back at its end."""
    shown = {clean(text): None}
    if text and (text[-1] == "\r" or "\ud800" <= text[-1] < "\udc00"):
        shown[clean(text[:-1])] = None
    shown |= {prefix[: prefix.rfind("\n") + 1]: None for prefix in shown}
    return (to_html(prefix, live=True) for prefix in shown)  # mostly it is the first


@given(texts, st.randoms(use_true_random=False), st.sampled_from([1, 3, 12]))
@settings(max_examples=200)
def test_every_frame_is_the_render_of_the_text_so_far(text, rng, longest):
    """For any cut into deltas and any frames, during the stream and at its end."""
    incremental, blocks, position = Incremental(), [], 0
    while position < len(text):
        size = rng.randint(1, longest)
        incremental.feed(text[position : position + size])
        position += size
        if rng.random() < 0.7:
            apply(blocks, incremental.frame())
            assert blocks == incremental.blocks
            assert "".join(blocks) in renders(text[:position])
    apply(blocks, incremental.finish())
    assert saved("".join(blocks)) == to_html(text)


WORDS = ["a", "b ", "two words", " more", " ", "12", ".", ", ", ":", "?", "ü", "שלום"]
MEANS = [
    *(
        "\n",
        "\n\n",
        "- ",
        "1. ",
        "# ",
        "> ",
        "**",
        "*",
        "_",
        "`",
        "$",
        "$$",
        "\\",
        "&amp",
        ";",
        "<",
    ),
    *("[", "](", ")", "[a]", "[a]: ", "'", "| a |", "|-|\n", "```\n", "===", "    ", "[ ] "),
]


@given(st.lists(st.sampled_from(WORDS) | st.sampled_from(MEANS), max_size=25))
@example(["12", ". a"])  # a list
@example(["[a]:", " mailto:b"])  # a definition
@example(["|a|\n|-|\n|b|b", " c"])  # a cell that its row does not show
@example(["? ", "שלום"])  # a paragraph that turns out to go from right to left
@settings(max_examples=300)
def test_words_that_only_lengthen_a_line_are_shown_as_if_all_were_parsed(pieces):
    """Whatever stands before them: most frames of a reply bring nothing but such words."""
    incremental, blocks, text = Incremental(), [], ""
    for piece in pieces:
        text += piece
        incremental.feed(piece)
        apply(blocks, incremental.frame())
        assert "".join(blocks) in renders(text)
    apply(blocks, incremental.finish())
    assert saved("".join(blocks)) == to_html(text)


@pytest.mark.parametrize(
    "text",
    [
        "text\na|b\n-|-x\n",  # a table until its second line goes on
        "1. a\n\n2\n",  # an item until it turns out to be none
        "- a\n- [r]\n \n---\n",  # loose while the last line may be an item
        "- a\n- # b\n\n  # c\n- d\n",  # loose by an item without a paragraph
        "- a\n- [ ] b\n- c\n",  # a task list by its second item
        "$$\n- a\n- b\n$$\n",  # lists until the formula ends
        "a\n$$\n~~~\n~~~\nb\n$$\n",  # code until the formula ends
        "a\n$$\n~~~\nb\n$$\n",  # the same, with the code still open
        "|a|\n|-|\n|c|\n$$\n|d|\n$$\n",  # rows until the formula ends
        "[r]\n\n[r]: http://x\n'title\nof it'\n\nb\n",  # a paragraph until the title ends
        "[r] [s]\n\n- [r]: http://x\n- b\n- [s]: http://y\n\nc\n",  # defined in items
        "- [r]\n- [s]\n- b\n\n[r]: http://x\n\n[s]: http://y\n\nc\n",  # asked for in items
        "|a|\n|-|\n|[r]|\n|c|\n\n[r]: http://x\n\nc\n",  # asked for in a row
        "````py\n```\n````x\n````\nb\n",  # fences that do not end it
        "1. a\n\n   ```py\n   def",  # a fence in a list, open at the end
        "  ```\n  a\n ```\nb\n",  # an indented fence
        "`\n\n`\n",  # two that are the same, of which only the last is open
        "- a\n- א\n- b\n\n> א\n\n|a|\n|-|\n|א|\n",
    ],
)
def test_every_character_may_be_a_delta(text):
    """Texts in which a later character changes what earlier ones are."""
    incremental, blocks = Incremental(), []
    for end, character in enumerate(text, 1):
        incremental.feed(character)
        apply(blocks, incremental.frame())
        assert "".join(blocks) in renders(text[:end])
    apply(blocks, incremental.finish())
    assert saved("".join(blocks)) == to_html(text)


def test_a_paragraph_grows_by_its_tail():
    """Only the HTML behind what has not changed is sent."""
    patches, _ = stream(["one ", "two"])
    assert patches == [[Patch(0, 0, "<p>one</p>\n")], [Patch(0, 6, " two</p>\n")], []]


def test_keep_counts_as_javascript_does():
    """A character outside the basic plane is two units."""
    patches, _ = stream(["😀a", "b"])
    assert patches[1] == [Patch(0, 6, "b</p>\n")]


def test_an_open_fence_only_appends_text():
    """Before the closing tags and escaped; it is coloured when the text has ended."""
    patches, _ = stream(["```py\n", "a <", " b\nc", "d\n"])
    opened = code_open("py")
    start = len(opened)
    *grown, last = patches
    assert grown == [
        [Patch(0, 0, f"{opened}</code></pre>\n")],
        [Patch(0, start, "a &lt;", 14)],
        [Patch(0, start + 6, " b\nc", 14)],
        [Patch(0, start + 10, "d\n", 14)],
    ]
    coloured = to_html("```py\na < b\ncd\n").removeprefix(f"{opened}a ")
    assert last == [Patch(0, start + 2, coloured)]


def test_a_line_that_may_close_the_fence_is_held_back():
    """Half a closing line does not flicker; a line that turns out otherwise is shown."""
    patches, blocks = stream(["```\na\n", "``", "x\n"])
    assert patches[1] == []
    assert patches[2] == [Patch(0, len(code_open("")) + 2, "``x\n", 14)]
    assert blocks == [f"{code_open('')}a\n``x\n</code></pre>\n"]


def test_a_fence_does_not_end_within_a_line():
    """Neither in a line begun when the fence was found nor in one begun since."""
    patches, blocks = stream(["```\na", "```\n", "b", "```\n"])
    assert blocks == [f"{code_open('')}a```\nb```\n</code></pre>\n"]
    assert [len(frame) for frame in patches] == [1, 1, 1, 1, 0]
    assert [patch.rest for frame in patches for patch in frame] == [0, 14, 14, 14]


def test_a_fence_of_markdown_grows_with_the_fences_in_it():
    """By appended text alone; a line that may begin or end one is held back."""
    text = "```md\na\n```py\nb\n```\nc\n"
    patches, blocks = stream([*text, "```\n", "d"])
    grown = [patch for frame in patches[: len(text)] for patch in frame]
    assert [patch.rest for patch in grown] == [0, *[14] * (len(grown) - 1)]
    assert "```py\n" in [patch.html for patch in grown]
    assert blocks == [to_html(f"{text}```"), "<p>d</p>\n"]


def test_a_fence_of_markdown_that_does_not_end_is_made_anew_at_the_end():
    """Then it ended with the first bare fence."""
    text = "```md\n```py\n```\n\n**b**\n"
    patches, blocks = stream(text)
    assert len(apply_all(patches[:-1])) == 1
    assert "".join(blocks) == to_html(text)


def test_a_closed_fence_is_coloured():
    """The block is made anew once, with Pygments' classes."""
    patches, blocks = stream(["```py\ndef\n", "```\n"])
    assert "<span" not in patches[0][0].html
    assert [patch.block for patch in patches[1]] == [0]
    assert blocks == [to_html("```py\ndef\n```")]


def test_a_late_definition_heals_the_blocks_that_refer_to_it_alone():
    """A closed block is patched again only for a link it asked for."""
    patches, blocks = stream(["see [r]\n\nand [s]\n\nlast\n\n", "[r]: http://x\n\n"])
    assert [patch.block for patch in patches[1]] == [0]
    assert blocks[0] == to_html("see [r]\n\n[r]: http://x")


def test_a_half_received_definition_does_not_fix_a_wrong_link():
    """The address may still grow."""
    _, blocks = stream(["[r]\n\na\n\n", "[r]: http://e", ".x/y", "\n\nb\n"])
    assert 'href="http://e.x/y"' in blocks[0]


def test_a_block_that_turns_out_to_be_none_is_removed():
    """A paragraph that becomes a definition goes, by an empty patch."""
    patches, blocks = stream(["[r]:\n", "http://x\n"])
    assert patches[1] == [Patch(0, 0, "")]
    assert blocks == []


def test_a_list_that_becomes_loose_is_made_anew_whole():
    """Items sent long ago get their paragraphs."""
    _, blocks = stream([f"- {n}\n" for n in range(9)] + ["\n", "- 9\n"])
    assert blocks[0].count("<p>") == 10


def test_a_table_that_lacks_too_many_cells_ends_where_it_does_when_rendered_whole(monkeypatch):
    """The parser stops at so many missing cells, wherever the table was cut."""
    table = import_module("markdown_it.rules_block.table")
    limit = table.MAX_AUTOCOMPLETED_CELLS
    assert product._MISSING_CELLS == limit == 65_536
    monkeypatch.setattr(table, "MAX_AUTOCOMPLETED_CELLS", limit // 256)
    monkeypatch.setattr(product, "_MISSING_CELLS", limit // 256)
    head = "|" + "a|" * 16 + "\n|" + "-|" * 16 + "\n"
    pieces = [head, "|b|\n" * 10, "|b|\n" * 10]
    whole = to_html("".join(pieces))
    assert whole.count("<tr>") == 1 + 17  # each row lacks 15 cells; what follows is no table
    assert saved("".join(stream(pieces)[1])) == whole


def cost(make, count):
    """Bytes sent and characters parsed for a long text of one kind, in frames of 40 characters."""
    rng = random.Random(0)
    text = "".join(make(rng) for _ in range(count))
    pieces = [text[i : i + 40] for i in range(0, len(text), 40)]
    sent = longest = 0
    incremental = Incremental()
    for piece in pieces:
        incremental.feed(piece)
        sent += sum(len(patch.html) for patch in incremental.frame())
        longest = max(longest, len(incremental._tail))
    return sent / len(text), longest


def test_what_is_sent_and_parsed_again_does_not_grow_with_the_text():
    """Neither for paragraphs nor within one list, table or fence."""
    for opening, line in [
        ("", "a paragraph of *words*\n\n"),
        ("", "- an item of *words*\n"),
        ("", "- an item of *words*\n\n"),
        ("|a|b|\n|-|-|\n", "| a cell | of *words* |\n"),
        ("```py\n", "code = 1\n"),
    ]:
        lines = iter([opening])
        ratio, longest = cost(lambda _, lines=lines, line=line: next(lines, "") + line, 600)
        assert ratio < 8
        assert longest < 200
