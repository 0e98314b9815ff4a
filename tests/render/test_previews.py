"""Small pictures and beginnings of what goes along with a question."""

from __future__ import annotations

import base64
import io
import re

import pytest

from claude_nb.render import previews
from tests.conversation.test_restore import PNG


def block(data, media_type="image/png"):
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def written(text):
    return previews.preview([{"type": "text", "text": text}])


def test_a_large_picture_is_made_smaller():
    """It fits into a square of twice the size at which it is shown, and is small in bytes."""
    image = pytest.importorskip("PIL.Image")
    noise, file = image.effect_noise((1600, 900), 80), io.BytesIO()
    noise.save(file, "PNG")

    (shown,) = previews.thumbnails([block(base64.b64encode(file.getvalue()).decode())])

    data = re.search(r'src="data:image/webp;base64,([^"]+)"', shown)[1]
    assert image.open(io.BytesIO(base64.b64decode(data))).size == (320, 180)
    assert len(data) < 60_000 < len(file.getvalue())


@pytest.mark.parametrize(
    "content",
    [
        block('x" onerror="alert(1)'),
        block(PNG, 'image/png" onload="alert(1)'),
        block(PNG, "image/svg+xml"),
        block("A" * 100_000),
        {"type": "image", "source": "x"},
        {"type": "image"},
        {"type": "document", "source": block(PNG)["source"]},
    ],
)
def test_what_is_no_picture_is_left_out(content):
    """A saved notebook may hold anything: nothing of it becomes an attribute or a script."""
    assert previews.thumbnails([content]) == ()
    assert previews.thumbnails([content, block(PNG)])[0].count("<img") == 1


def test_a_table_is_its_first_rows_and_columns():
    """Cells keep their signs; what is cut off at the right is marked."""
    row = "| " + " | ".join(rf"a\|{number}" for number in range(9)) + " |"
    table = "\n".join([row, "| " + " | ".join(["---"] * 9) + " |", *[row] * 30])

    shown = written(f"{table}\n\n(first 30 of 40 rows)")

    assert shown.count("<tr>") == 6
    assert shown.count("<th>") == 7
    assert "a|5" in shown
    assert "a|6" not in shown
    assert "…" in shown


def test_a_text_is_its_first_lines():
    """As it is, not as Markdown or HTML; without keys and hidden characters."""
    shown = written("\n".join(f"**<b>{number}" for number in range(20)) + "\n")
    hidden = written("sk-ant-api03-" + "a" * 90 + "\u202e")

    assert shown == "<pre>" + "\n".join(f"**&lt;b&gt;{number}" for number in range(6)) + "</pre>"
    assert "aaaa" not in hidden
    assert "\u202e" not in hidden
    assert written("  \n") == ""
    assert len(written("x" * 10_000)) < 500
