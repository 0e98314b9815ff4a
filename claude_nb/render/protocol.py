"""The messages between Python and the page, all of them.

A cell (``live.js``)
====================

A reply on the page is a list of *panes*, one for each content block, numbered from 0. A pane has
*blocks* of HTML, numbered from 0: directly in the reply, or inside the pane's ``<details>``.

Kernel to page: one message a frame, ``{"frame": n, "ops": [...]}``. Frames are numbered from 1; a
page that misses a number asks for everything. ``{"frame": n, "reset": true, "ops": [...]}`` is
everything, and replaces what the page has. The model's state ``snapshot`` holds the same, for a
page that is opened later. The operations:

==========  ==================================================================================
``pane``    ``{op, pane, html}``: a new pane; ``html`` is ``""`` or an empty ``<details>``
``label``   ``{op, pane, html}``: the contents of its ``<summary>``
``fold``    ``{op, pane, open}``: open or fold it, unless the reader has done so by hand
``patch``   ``{op, pane, block, keep, html, rest}``: the block's HTML becomes
            ``old[:keep] + html + old[len(old) - rest:]``, counted in UTF-16 code units;
            ``rest`` (left out if it is 0) means that text grows inside a code element;
            ``keep`` 0 and an empty ``html`` remove the last block
``break``   ``{op, pane, after, html}``: a line after the first ``after`` blocks of the pane
``status``  ``{op, model, doing, elapsed, simulated, wait}``: the line above, with seconds elapsed;
            ``wait`` (left out if the reply waits for nothing) is the seconds left, which the page
            counts down in place of ``{}`` in ``doing``
``confirm`` ``{op, pane, call, said, source, answers}``: ask whether the call in this pane, with
            this id, may run; ``said`` is for a screen reader, ``source`` the server of its tool or
            ``""``, and ``answers`` are pairs: what is sent back, and the label of its button.
            ``pane`` and ``call`` are null to ask no longer. A hidden call has a pane meanwhile,
            whose one block holds its ``<details>``
``usage``   ``{op, html}``: the usage table as high as it will be; its place is kept, and the saved
            output shows it
``done``    ``{op, said}``: the reply has ended; ``said`` is for a screen reader
==========  ==================================================================================

``{"ack": n}`` answers a message of the page that carried ``n``.

The model's state ``placeholder`` is the class of the text that an output holds beside its widget. A
page that shows the text, because it does not trust the notebook, shows the reply in its place.

If ``columns`` in the model's state is more than 1, that many replies are side by side, each with
its own frames: a message about one of them carries its ``column``, from 0, in both directions. The
state ``snapshot`` is then ``{"columns": [...]}``, a snapshot of each, and ``below`` is HTML as high
as the table that the saved output has below them. A ``stop`` without a column stops all of them;
``here``, ``hears``, ``resync``, ``shown`` and ``gone`` are about all of them, too.

Page to kernel: ``{"op": "here"}`` the page has loaded the widget, answered with
``{"heard": true}``; ``{"op": "hears"}`` that has arrived, so the page shows what it is sent;
``{"op": "stop", "n": n}`` stop the reply, answered with ``{"ack": n}``, without which the page says
what else to do (``unheard`` in the model's state); ``{"op": "resync"}`` send everything;
``{"op": "fold", "pane": i, "open": bool}`` the reader opened or folded a pane;
``{"op": "asked", "call": id}`` the page shows the question of ``confirm`` about that call, and
``{"op": "confirm", "call": id, "answer": one of answers}`` is its answer;
``{"op": "gone", "page": p}`` the page no longer shows the widget, as when the saved output replaced
it, and ``{"op": "shown", "page": p}`` a page that was loaded later does; ``p`` is a random number.

A question (``question.js``)
============================

The model's state ``snapshot`` is ``{call, html, said, answers}``: the id of the question, the facts
that it is about, the question, and the answers as in ``confirm``. The page sends ``asked`` and
``confirm``.

A chat (``chat.js``)
====================

A chat on the page is a list of *turns*, each a question with its answer, with a key of its own.

Kernel to page: ``{"chat": n, "ops": [...]}``, numbered from 1 as frames are; with ``"reset": true``
it is everything, as in the model's state ``snapshot``. The operations:

===========  =================================================================================
``turns``    ``{op, keep, turns}``: the first ``keep`` turns stay, and these replace the rest. A
             turn is ``{key, prompt, source, asked_in, at, answer}``: the question as HTML and as it
             was written, the cell in which it was asked or ``""``, which of how many versions it
             is (``[2, 3]``), and the answer or null while there is none:
             ``{html, below, usage, line, source, simulated, edited}``, as in
             ``render.chat.Answer``
``frame``    ``{op, turn, frame, ops}``: a frame of that turn's answer, as in a cell; with ``reset``
             everything
``about``    ``{op, mark, name, cell, cost, cleared, saved, left_out, choices, files, queue,
             tools}``: the class of the output that holds the saved form, the conversation, the id
             of the chat's cell, the cost as text, whether there are turns to bring back, what was
             restored or could not be, as text, the images and documents that are too large to be
             saved, and the saved chats to choose from, as texts;
             ``[{file, note, preview}]``, the files that are sent with the next question, with their
             beginning as HTML; ``[{message, text, notes, held}]``, the messages that wait for the
             end of the answer, or, if ``held``, for the user; and ``[{name, about, on}]``, tools
``refused``  ``{op, prompt, error}``: this question was not sent, and why
===========  =================================================================================

``{"ack": n, ...}`` answers a message that carried ``n``, with ``error`` if it was refused.

Page to kernel, each with ``n``: ``{"op": "send", "text", "model", "effort"}``, a message that waits
if one is being answered; ``{"op": "send_queued", "message"}``: one that waits for the user need not
any longer; ``{"op": "take_back", "message"}``: it is not sent, and answered with its ``text``,
while its files are attached again; ``{"op": "discard", "message"}``: it is not sent;
``{"op": "retry", "turn", "model", "effort"}``;
``{"op": "edit", "turn", "text", "model", "effort"}``; ``{"op": "edit_answer", "turn", "text"}``:
this is sent in the place of the answer from now on; ``{"op": "stop", "turn"}``: stop the answer in
that turn; ``{"op": "pick", "turn", "by"}``, ``by`` -1 or 1: go to the version before or after;
``{"op": "clear"}``; ``{"op": "bring_back"}``; ``{"op": "forget"}``: the conversation is forgotten,
here and in what is saved; ``{"op": "start_empty"}`` and
``{"op": "choose", "choice": i}``, where ``about`` has something saved;
``{"op": "attach", "name"}`` with the file as a buffer; ``{"op": "detach", "file"}``;
``{"op": "complete", "text"}``, the text before the cursor, answered with
``{"matches": [{name, about}]}``; ``{"op": "preview", "places"}``, each ``{{name}}`` in what is
written, answered with ``{"previews": [{name, about, note, preview, error}]}``;
``{"op": "switch", "tool", "on"}``; ``{"op": "chats"}``, answered with ``{"chats": [{name, turns,
begins, shown}]}``; ``{"op": "open", "name"}`` shows one of them, ``{"op": "new_chat"}`` a new one;
``{"op": "continue", "records", "execution"}`` shows one that goes on from a reply of the cell with
that number: the records of its branch, its own last; answered with the reply's ``model``;
``{"op": "export", "form"}``, ``copy`` (answered with ``text``),
``markdown`` or ``notebook`` (with ``said``); ``{"op": "hello"}``, which only asks for an answer:
then the widget is shown, and not the output beside it, whose class is ``mark`` and ``-beside``.
Without ``n``: ``asked`` and ``confirm``, as in a
cell; ``{"op": "resync"}``; ``{"op": "covered"}``: the page can show the chat over its saved form,
so that replaces the widget.

A question names its model and effort because messages may overtake changes of the state: ipywidgets
holds a change back until the kernel has acknowledged the one before it. So no message may depend on
the state.

The model's other state: ``model``, ``effort``, ``draft``, ``height``, ``turns``, ``cost``,
``models`` and ``efforts`` (both empty where a function of the notebook answers), ``answerer``, who
answers by name, and ``starters``, the questions that an empty chat offers.

In the HTML of an answer an element with ``data-widget`` stands for the widget with that model,
which the page shows in its place.

Outputs (``output_sync.js``, ``labextension/static/settle.js``)
==============================================================

Python replaces an output by its display id, which only a page knows that was there when the output
was displayed. So until it is settled it has ``{"id", "version", "kernel", "process"}`` beside its
forms, under the MIME type ``application/vnd.claude-nb.output+json``.
A page with the JupyterLab extension leaves the rest to that, others to the widget.

Kernel to page: ``{"id", "version", "given", "cell", "session", "settled"}``: there is a new version
of an output; the session is that of the page that displayed it. The model's state ``snapshot``,
``{"outputs": [...]}``, has the same of all of them, as has the answer to
``{"op": "outputs", "n"}``, with its ``ack``. A page that still has an older version a moment later
asks for the output, ``{"op": "output", "id", "given", "n"}``, and puts it into the notebook. Of
several pages one is given it: ``given`` is how often it was given, and the page is refused if it
was given since; null stands for a page whose notebook is its own. The answer is
``{"ack": n, "given"}``, with ``output``, the number of its ``execution``, its ``cell`` and
``settled`` if the page is given it; another looks a moment later whether its output is still old,
and asks again. A page that is loaded later, and does not have the output at all, puts it into the
cell with the id ``cell``; that is empty if it may not, because the cell was run again, or because
the output is settled. With the extension a page says ``{"op": "has", "id"}`` when it has a settled
output, and until then that may be put in, too.

The inspector (``inspector.js``)
================================

Kernel to page: ``{"from": n, "data": json}``: the steps of a stream from number ``n`` on, and its
picture as it is then; with ``"reset": true`` all steps, as in the model's state ``snapshot``. The
JSON is ``{steps, lanes, picture, duration, count, done}``: steps as of ``inspector.encode``,
``[label, block]`` of each lane, HTML, seconds, the number of events (of very many, the page is sent
the first ones), and whether there will be no more.

Page to kernel: ``{"op": "resync"}`` where steps are missing before ``n``. The model's other state:
``mark``, the class of the output that the inspector replaces, and ``about``, what kinds of events
mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from claude_nb.characters import clean
from claude_nb.redaction import redact_error

Op = dict[str, Any]


def pane(number: int, html: str) -> Op:
    """A new pane: ``html`` is empty, or an empty ``<details>`` for its blocks."""
    return {"op": "pane", "pane": number, "html": html}


def label(number: int, html: str) -> Op:
    """The contents of a pane's ``<summary>``."""
    return {"op": "label", "pane": number, "html": html}


def fold(number: int, *, is_open: bool) -> Op:
    """Open or fold a pane that the reader has not touched."""
    return {"op": "fold", "pane": number, "open": is_open}


def patch(number: int, block: int, keep: int, html: str, rest: int = 0) -> Op:
    """A change of one block's HTML; lengths in UTF-16 code units."""
    op = {"op": "patch", "pane": number, "block": block, "keep": keep, "html": html}
    return {**op, "rest": rest} if rest else op


def broken(number: int, after: int, html: str) -> Op:
    """A line after the first ``after`` blocks of a pane."""
    return {"op": "break", "pane": number, "after": after, "html": html}


def status(
    model: str, doing: str, elapsed: float, *, simulated: bool, wait: float | None = None
) -> Op:
    """The line above the reply, with the seconds elapsed and the seconds left to wait."""
    facts = {"model": model, "doing": doing, "elapsed": round(elapsed, 3), "simulated": simulated}
    return {"op": "status", **facts} | ({} if wait is None else {"wait": round(wait, 3)})


def confirm(
    number: int | None = None,
    call: str | None = None,
    said: str = "",
    *,
    source: str = "",
    answers: Iterable[tuple[str, str]] = (),
) -> Op:
    """Ask whether the call in a pane may run, or ask no longer."""
    about = {"said": said, "source": source, "answers": [list(pair) for pair in answers]}
    return {"op": "confirm", "pane": number, "call": call, **about}


def usage(html: str) -> Op:
    """The usage table, whose place is kept below a reply that grows."""
    return {"op": "usage", "html": html}


def done(said: str) -> Op:
    """The reply has ended; a screen reader announces ``said``."""
    return {"op": "done", "said": said}


def turns(keep: int, following: list[dict[str, Any]]) -> Op:
    """The first ``keep`` turns stay; these replace the rest."""
    return {"op": "turns", "keep": keep, "turns": following}


def frame(turn: str, message: dict[str, object]) -> Op:
    """A frame of the answer of one turn."""
    return {"op": "frame", "turn": turn, **message}


def about(
    mark: str,
    name: str,
    cell: str,
    cost: str,
    *,
    cleared: bool,
    saved: str,
    left_out: list[str],
    choices: list[str],
    files: list[dict[str, str]],
    queue: list[dict[str, Any]],
    tools: list[dict[str, Any]],
) -> Op:
    """The facts around a chat."""
    facts = {"mark": mark, "name": name, "cell": cell, "cost": cost, "cleared": cleared}
    restored = {"saved": saved, "left_out": left_out, "choices": choices}
    return {"op": "about", **facts, **restored, "files": files, "queue": queue, "tools": tools}


def refused(prompt: str, error: str) -> Op:
    """A question was not sent."""
    return {"op": "refused", "prompt": prompt, "error": clean(redact_error(error))}
