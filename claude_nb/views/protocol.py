"""What Python and ``live.js`` say to each other. This file is the whole of it.

A reply on the page is a list of *panes*, one for each content block, numbered from 0. A pane has
*blocks* of HTML, numbered from 0: directly in the reply, or inside the pane's ``<details>``.

Kernel to page: one message a frame, ``{"frame": n, "ops": [...]}``. Frames count from 1 without a
gap; a page that sees a gap asks for all of it. ``{"frame": n, "reset": true, "ops": [...]}`` is all
of it: the page forgets what it has. The same stands in the model's state ``snapshot``, for a page
that comes later. The operations:

==========  ==================================================================================
``pane``    ``{op, pane, html}``: a new pane; ``html`` is ``""`` or an empty ``<details>``
``label``   ``{op, pane, html}``: what its ``<summary>`` holds
``fold``    ``{op, pane, open}``: open or fold it, unless the reader has done so by hand
``patch``   ``{op, pane, block, keep, html, rest}``: the block's HTML becomes
            ``old[:keep] + html + old[len(old) - rest:]``, counted in UTF-16 code units;
            ``rest`` (left out where it is 0) says that text grows inside a code element;
            ``keep`` 0 and an empty ``html`` remove the last block
``seam``    ``{op, pane, after, html}``: a line behind the first ``after`` blocks of the pane
``status``  ``{op, model, doing, elapsed, simulated, wait}``: the line above, with seconds elapsed;
            ``wait`` (left out where nothing is waited for) are the seconds left, which the page
            counts down in the place of ``{}`` in ``doing``
``confirm`` ``{op, pane, said}``: ask whether the call in this pane may run; ``pane`` is null once
            that is answered
``done``    ``{op, said}``: the reply has ended; ``said`` is for a screen reader
==========  ==================================================================================

``{"ack": n}`` answers a message of the page that carried ``n``.

Page to kernel: ``{"op": "stop", "n": n}`` stop the reply; ``{"op": "resync"}`` send all of it;
``{"op": "fold", "pane": i, "open": bool}`` the reader opened or folded a pane; ``{"op": "asked"}``
the page shows the question of ``confirm``, and ``{"op": "confirm", "allow": bool}`` is its answer;
``{"op": "gone"}`` the page shows it no longer, as when the settled output took its place.
"""

from __future__ import annotations

from typing import Any

Op = dict[str, Any]


def pane(number: int, html: str) -> Op:
    """A new pane: ``html`` is empty, or an empty ``<details>`` for its blocks."""
    return {"op": "pane", "pane": number, "html": html}


def label(number: int, html: str) -> Op:
    """What a folding pane's summary says."""
    return {"op": "label", "pane": number, "html": html}


def fold(number: int, *, is_open: bool) -> Op:
    """Open or fold a pane that the reader has not touched."""
    return {"op": "fold", "pane": number, "open": is_open}


def patch(number: int, block: int, keep: int, html: str, rest: int = 0) -> Op:
    """A change of one block's HTML; lengths in UTF-16 code units."""
    op = {"op": "patch", "pane": number, "block": block, "keep": keep, "html": html}
    return {**op, "rest": rest} if rest else op


def seam(number: int, after: int, html: str) -> Op:
    """A line behind the first ``after`` blocks of a pane."""
    return {"op": "seam", "pane": number, "after": after, "html": html}


def status(
    model: str, doing: str, elapsed: float, *, simulated: bool, wait: float | None = None
) -> Op:
    """The line above the reply; seconds elapsed, and left to wait, from which clocks go on."""
    facts = {"model": model, "doing": doing, "elapsed": round(elapsed, 3), "simulated": simulated}
    return {"op": "status", **facts} | ({} if wait is None else {"wait": round(wait, 3)})


def confirm(number: int | None, said: str) -> Op:
    """Ask whether the call in a pane may run, or take the question away."""
    return {"op": "confirm", "pane": number, "said": said}


def done(said: str) -> Op:
    """The reply has ended; ``said`` is what a screen reader announces."""
    return {"op": "done", "said": said}
