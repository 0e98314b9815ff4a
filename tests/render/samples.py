"""Markdown to cut into deltas: every construct, and lines that change what came before them."""

from hypothesis import strategies as st

FAMILIES = {
    "mixed": [
        "# h\n", "text *em* $5 and\n", "more `c`\n", "===\n", "---\n", "\n", "> q\n", "- a\n",
        "1. a\n", "    code\n", "```py\n", "x = 1\n", "```\n", "|a|b|\n|-|-|\n", "|c|\n", "<b>",
        "**b**", "  \n", "![i](http://x)", "<http://q>", "* * *\n", "\\", "&amp;", "~~s~~",
        "word ", "😀", "\x1b",
    ],
    "line ends": [
        "a\r\n", "\r", "\n", "```\n", "`", "\ud83d", "\ude00", "- b\r", "# h\r\n",
    ],
    "list": [
        "- a\n", "- b\n", "\n", "  c\n", "-\n", "---\n", "- # h\n", "- [r]\n",
        "[r]: http://x\n", "  - n\n", "\t- t\n", "* c\n", "-", "1", " ",
    ],
    "numbered list": [
        "1. a\n", "2. b\n", "   - c\n", "\n", "   ```\n", "   x\n", "3) z\n", "1", "- [x] t\n",
        "text\n",
    ],
    "table": [
        "|a|b|\n|-|-|\n", "|c|\n", "|[r]|\n", "\n", "[r]: http://x\n", "c\n", "|`|`|\n",
        "# h\n", "|", "-", "a|b\n", "-|-\n",
    ],
    "fence": [
        "```\n", "x\n", "``", "~~~\n", "\n", "`", " ", "   ", "# h\n", "```` py\n", "  ```\n",
    ],
    "markdown": [
        "```markdown\n", "```md\n", "```py\n", "```\n", "x\n", "``", "`", "- ", "  ", "~~~ a\n",
    ],
    "half": [
        "**", "*", "_", "~~", "~", "`", "``", "[", "](", "http", "://", "x", "x.y", ")", "!", " ",
        "\n", "| ", "|-|\n", "<br", ">", "「", "」", "で", "é", "\\", "&am", "1", ". ", "- ", "5*3",
    ],
    "definition": [
        "[r]", "[r]\n", "[r]: http://x\n", "[r]: ", "http://y", "\n", "> ", "- ", "'t", "itle'",
        "p\n", "[s]: http://s\n\n", "[s]", "![r]",
    ],
    "math": [
        "$$", "\n", "x", "+ y\n", "- a\n", "\\[", "\\]", "# h\n", "```\n", "| a |\n|-|\n", "> ",
        "$", "\\(", "\\)", "5",
    ],
    "direction": [
        "א", "a", "- ", "\n", "> ", "|", "|-|\n", "1. ", "b c",
    ],
}  # fmt: skip

_lines = [line for family in FAMILIES.values() for line in family]

texts = st.one_of(
    *(
        st.lists(st.sampled_from(family), max_size=24).map("".join)
        for family in (*FAMILIES.values(), _lines)
    )
)
