"""The benchmarks run: every variant, in small. What they measure is nobody's test."""

from __future__ import annotations

import pytest

from tests.benchmarks import cells
from tests.benchmarks.__main__ import main
from tests.benchmarks.kernel import VARIANTS
from tests.benchmarks.server import Replies, reply
from tests.benchmarks.texts import KINDS, deltas


@pytest.fixture(scope="module")
def kernels():
    """A server, and the two kernels that ask it."""
    with Replies() as replies, cells.Kernels(replies) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_has_the_deltas_that_were_asked_for(kind):
    """So many, of such a size, and the same every time; only a tool's last may be longer."""
    cuts = deltas(kind, 50, 12)

    assert [len(cut) for cut in cuts[:-1]] == [12] * 49
    assert len(cuts[-1]) == 12 or kind == "tool"
    assert cuts == deltas(kind, 50, 12)
    assert len(reply(kind, 50, 12)[1]) == 50


@pytest.mark.kernel
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_runs(kernels, variant):
    """It costs something, it ends, and what shows text is seen to show all of it."""
    run = kernels.run(variant, "numbered 30 12 500")

    assert run.cpu > 0
    assert run.payload == 360
    shows = variant not in ("nothing", "events", "text_stream")
    assert len(run.delays) == 30 * shows
    assert all(delay >= 0 for delay in run.delays)


@pytest.mark.kernel
def test_tables_are_printed(kernels, capsys):
    """A section prints a Markdown table with a row for each kind or variant."""
    cells.growth(kernels, 1, (10, 20, 40, 80))
    main(["loading", "--repeats", "1"])

    rows = [
        line.split("|")[1].strip() for line in capsys.readouterr().out.split("\n") if "|" in line
    ]
    assert [row for row in rows if row in cells.KINDS] == list(cells.KINDS)
    assert "claude_nb" in rows
