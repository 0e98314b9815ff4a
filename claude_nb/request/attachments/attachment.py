"""The notebook's own data as content blocks: each type has its form, and users can add theirs.

What is put in is bounded in size and time, whatever the value: a table of ten million rows is its
first rows, and both the model and the user see what was left out.
"""

from __future__ import annotations

import base64
import io
import traceback
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from claude_nb.characters import wellformed, wellformed_json
from claude_nb.errors import InputError
from claude_nb.redaction import redact, redacted
from claude_nb.request import files, uploads
from claude_nb.request.attachments import bounded, definitions, limits

MAX_CHARACTERS = 20_000
"""The most that is put in of a collection, or of an object's own text. A ``str`` is never cut."""

MAX_ROWS = 30
MAX_COLUMNS = 20
MAX_CELL = 100
"""The most rows and columns of a table, and characters of a cell, that are put in."""

_NOTED = 4
"""How many of its items the note on such a collection names."""

MAX_ELEMENTS = 1_000
"""The most elements of an array that are put in."""

MAX_ITEMS = 20
"""The most items that are put in of a collection that holds tables, figures or images."""

_LOOKED_AT = 1_000
"""How many items of a collection are looked at, to see whether it holds such."""

MAX_EDGE = 2_576
"""The longest edge of an image in pixels: the API scales a larger one down to it, or further
(platform.claude.com/docs, page "Vision", read 2026-08-22)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A value in the form in which it is sent.

    Attributes:
        blocks: Content blocks, as the API's dicts: text, image, document. None for an empty text.
        note: What was inserted and what was cut, as one short line; empty for plain text that was
            not cut.
        language: The language of the text, for the fence that it may need in a prompt; None for
            Markdown, such as a table, which needs none.
        file: The name of the file that it is all of; empty if it is another value.
        path: Where that file is, as the user wrote it; empty for none.
        is_whole: Whether all of the value is in it.
    """

    blocks: tuple[dict[str, Any], ...]
    note: str = ""
    language: str | None = ""
    file: str = ""
    path: str = ""
    is_whole: bool = True

    @property
    def is_blank(self) -> bool:
        """Whether it is only white space, which the API refuses."""
        return not any(block.get("text", "…").strip() for block in self.blocks)


Form = Callable[..., str | Attachment]
"""Makes of a value, and of what the user calls it, a text or an attachment."""


def attach(value: Any, name: str, *, upload: bool | int = False) -> Attachment:
    """Make content blocks of a value; API keys in its text are redacted.

    Args:
        value: Anything. A ``str`` is text, never a path; a ``Path`` is its file's content.
        name: What the user calls it, for the note and for errors.
        upload: Whether it is to be uploaded if it is large: see ``uploads.lifetime``.

    Raises:
        InputError: It cannot be sent, or its own code failed; the error says what to do.
    """
    seconds = uploads.lifetime(upload)
    try:
        made = _made(value, name, uploads.MAX_BYTES if seconds else limits.MAX_REQUEST_BYTES)
        blocks = tuple(
            block | {"text": redact(block["text"])} if block["type"] == "text" else redacted(block)
            for block in map(wellformed_json, made.blocks)
        )
        if seconds:
            made, blocks = _to_upload(made, blocks, name, seconds)
        for block in blocks:
            limits.check_block(block, name)
        text = "".join(block.get("text", "") for block in blocks)
        if bounded.NOT_INCLUDED in text:
            why = bounded.NOT_INCLUDED
            note = f"{made.note} {why}" if made.note else f"{name}: {why[1:-1]}"
            made = replace(made, note=note, is_whole=False)
    except InputError:
        raise
    except Exception as error:  # a form calls the value's own code
        raise InputError(
            f"{name} cannot be put into a prompt: {describe_error(error)}",
            "Put what you want to send into its own variable, as text.",
        ) from error
    return replace(made, blocks=blocks, note=wellformed(redact(made.note)))


def is_picture(value: Any) -> bool:
    """Whether a value is put in as an image: a figure, axes or an image."""
    return _form(type(value)) in (_figure, _pil, _FORMS["matplotlib.axes._base._AxesBase"])


def describe_error(error: BaseException) -> str:
    """An exception as Python prints it, in one short line; its ``str`` may fail."""
    line = " ".join("".join(traceback.format_exception_only(error)).split())
    return line if len(line) <= 300 else f"{line[:299]}…"


def register_attachment(kind: type | str, form: Form) -> None:
    """Define how values of a type appear in a prompt.

    It also applies to subclasses, and replaces the earlier form of the type::

        claude_nb.register_attachment(Circuit, lambda circuit, name: circuit.netlist())

    Args:
        kind: The type; or "module.QualName" as the type itself says it, so that its package need
            not be imported.
        form: Called with a value and its name. Returns text, or an ``Attachment``.
    """
    _FORMS[kind] = form


def _to_upload(
    made: Attachment, blocks: tuple[dict[str, Any], ...], name: str, seconds: int
) -> tuple[Attachment, tuple[dict[str, Any], ...]]:
    """An attachment of which the large parts are uploaded, with a note that says so."""
    named = [(block, block.get("title") or made.file or name) for block in blocks]
    is_file = made.file != ""
    blocks = tuple(
        uploads.to_upload(block, file, made.path, seconds, is_file=is_file) for block, file in named
    )
    if any(map(uploads.is_upload, blocks)):
        made = replace(made, note=f"{made.note or name} · {uploads.described(seconds)}")
    return made, blocks


def _made(value: Any, name: str, most: int = limits.MAX_REQUEST_BYTES) -> Attachment:
    form = _form(type(value))
    made: Any = form(value, name, most) if form in (_path, _bytes) else form(value, name)
    if isinstance(made, str):
        return _text(made)
    if not isinstance(made, Attachment):
        raise TypeError(
            f"the function must return a str or an Attachment, not {type(made).__name__}"
        )
    return made


def _form(kind: type) -> Form:
    """The form of the nearest type in the order in which methods are looked up."""
    for base in kind.__mro__:
        for key in (base, f"{base.__module__}.{base.__qualname__}"):
            if key in _FORMS:
                return _FORMS[key]
    return _object


def _text(text: str, note: str = "") -> Attachment:
    return Attachment(({"type": "text", "text": text},) if text else (), note)


def _beginning(text: str, name: str, shown: str) -> Attachment:
    """A text that is not all: it says so to the model, and the note to the user."""
    return replace(_text(f"{text}\n({shown})", f"{name}: {shown}"), is_whole=False)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _object(value: Any, name: str) -> str | Attachment:
    text = bounded.described(str(value))
    if len(text) <= MAX_CHARACTERS:
        return text
    shown = f"first {MAX_CHARACTERS:,} of {len(text):,} characters"
    return _beginning(text[:MAX_CHARACTERS], name, shown)


def _collection(value: Any, name: str) -> Attachment:
    """Each item in its own form where it holds tables, figures or images."""
    return _one_by_one(value, name) if _holds_more(value) else _written(value, name)


def _written(value: Any, name: str) -> Attachment:
    """JSON where that says the same and is short enough, otherwise Python's own notation."""
    as_json = bounded.as_json(value, MAX_CHARACTERS)
    if as_json is not None:
        return _text(as_json)
    text, whole = bounded.as_python(value, MAX_CHARACTERS)
    if whole:
        return _text(text)
    of = _count(len(value), "item") if isinstance(value, bounded.COLLECTIONS) else "more"
    return _beginning(text, name, f"first {len(text):,} characters of {of}")


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """The items of a collection, and of an array of objects, with their places; none of others."""
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, bounded.COLLECTIONS):
        return enumerate(value)
    holds_objects = _form(type(value)) is _array and value.dtype.hasobject
    return enumerate(value.flat) if holds_objects else ()


def _is_more(item: Any) -> bool:
    """Whether an item, as its form puts it in, is more than Python writes of it in a collection."""
    if isinstance(item, bytes):
        return bool(limits.media_type(item))
    return _form(type(item)) not in _AS_WRITTEN


def _holds_more(value: Any) -> bool:
    """Whether a collection holds such an item, perhaps in collections of its own."""
    found = deque([value])
    for _ in range(_LOOKED_AT):
        if not found:
            break
        item = found.popleft()
        if _is_more(item):
            return True
        found += [part for _, part in islice(_items(item), _LOOKED_AT // 10)]
    return False


def _leaves(value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The items to put in one by one, each with its place; a collection without such is one."""
    for key, item in _items(value):
        place = f"{name}[{bounded.as_python(key, MAX_CELL)[0]}]"
        if not _is_more(item) and _holds_more(item) and depth < bounded.MAX_DEPTH:
            yield from _leaves(item, place, depth + 1)
        else:
            yield place, item


def _one_by_one(value: Any, name: str) -> Attachment:
    """Each item below its place; a picture that comes again, as of axes of one figure, once."""
    blocks: list[dict[str, Any]] = []
    notes: list[str] = []
    leaves, is_whole = _leaves(value, name), True
    for place, item in islice(leaves, MAX_ITEMS):
        made = _made(item, place) if _is_more(item) else _written(item, place)
        is_whole = is_whole and made.is_whole
        new = [block for block in made.blocks if block["type"] == "text" or block not in blocks]
        notes += [made.note.removeprefix(f"{place}: ")] if new and made.note else []
        above = "" if new else " the same as above"
        blocks += [{"type": "text", "text": f"{place}:{above}\n"}, *new]
        if new[-1:] and new[-1]["type"] == "text":
            blocks[-1] = new[-1] | {"text": f"{new[-1]['text']}\n\n"}
    if next(leaves, None) is not None:
        cut, is_whole = f"first {MAX_ITEMS} items", False
        notes.insert(0, cut)
        blocks.append({"type": "text", "text": f"({cut})"})
    more = ["…"] if len(notes) > _NOTED else []
    note = f"{name}: {', '.join([*notes[:_NOTED], *more])}"
    return Attachment(tuple(blocks), note, is_whole=is_whole)


def _pandas(value: Any, name: str) -> Attachment:
    return _pandas_table(value.iloc[:MAX_ROWS, :MAX_COLUMNS], name, value.shape)


def _pandas_series(value: Any, name: str) -> Attachment:
    frame = value.iloc[:MAX_ROWS].to_frame("" if value.name is None else value.name)
    return _pandas_table(frame, name, (len(value), 1))


def _pandas_table(frame: Any, name: str, shape: tuple[int, int]) -> Attachment:
    index = ["" if level is None else level for level in frame.index.names]
    keys = frame.index if frame.index.nlevels > 1 else ((key,) for key in frame.index)
    cells = frame.itertuples(index=False, name=None)
    rows = ([*key, *row] for key, row in zip(keys, cells, strict=True))
    return _table([*index, *frame.columns], rows, name, shape)


def _polars(value: Any, name: str) -> Attachment:
    frame = value[:MAX_ROWS, :MAX_COLUMNS]
    return _table(frame.columns, frame.rows(), name, value.shape)


def _table(
    header: Iterable[Any], rows: Iterable[Iterable[Any]], name: str, shape: tuple[int, int]
) -> Attachment:
    """A Markdown table of the first rows of one that has this many rows and columns."""
    titles = [_cell(title) for title in header]
    lines = [titles, ["---"] * len(titles), *([_cell(cell) for cell in row] for row in rows)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    cut = [f"first {MAX_ROWS} of {shape[0]:,} rows"] if shape[0] > MAX_ROWS else []
    cut += [f"first {MAX_COLUMNS} of {shape[1]:,} columns"] if shape[1] > MAX_COLUMNS else []
    whole = _text(text, f"{name}: {_count(shape[0], 'row')}")
    # After a blank line: in Markdown it would be a row of the table.
    shown = _beginning(f"{text}\n", name, ", ".join(cut)) if cut else whole
    return replace(shown, language=None)


def _cell(value: Any) -> str:
    long = isinstance(value, bounded.COLLECTIONS)
    text = bounded.as_python(value, MAX_CELL + 1)[0] if long else bounded.described(str(value))
    text = text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…"
    return " ".join(text.replace("|", r"\|").splitlines())


def _array(value: Any, name: str) -> Attachment:
    """Shape, type and the first elements of a NumPy array, named as they are indexed."""
    index: list[int | slice] = []
    size = value.size
    for side in value.shape:
        if size <= MAX_ELEMENTS:
            break
        size //= side  # of the array within
        fitting = MAX_ELEMENTS // size
        index.append(slice(fitting) if fitting > 1 else 0)
        size *= max(1, fitting)
    head = value[tuple(index)] if index else value
    objects = value.dtype.hasobject
    if _holds_more(value):  # such as the axes of a figure
        return _one_by_one(value, name)
    text = bounded.as_python(head.tolist(), MAX_CHARACTERS)[0] if objects else str(head)
    about = f"array of shape {value.shape}, dtype {value.dtype}"
    if index:
        places = ", ".join(f":{place.stop}" if isinstance(place, slice) else "0" for place in index)
        about = f"{name}[{places}] of an {about}"
    note = about if index else f"{name}: {about}"
    return replace(_text(f"{about}:\n{text[:MAX_CHARACTERS]}", note), is_whole=False)


def _figure(value: Any, name: str) -> Attachment:
    """A Matplotlib figure as the notebook shows it: a PNG, cropped to what is drawn."""
    if len(value.get_children()) == 1:  # nothing but its background
        raise InputError(
            f"{name} is an empty figure.",
            "Keep the figure in a variable: fig, ax = plt.subplots(). Once a figure is shown,"
            " plt.gcf() is a new one.",
        )
    dpi = min(value.dpi, MAX_EDGE / max(value.get_size_inches()))
    png = io.BytesIO()
    value.savefig(png, format="png", dpi=dpi, bbox_inches="tight")
    return _image(png.getvalue(), name, "scaled down" if dpi < value.dpi else "")


def _pil(value: Any, name: str) -> Attachment:
    """A PIL image as JPEG if it came as one, otherwise as PNG; scaled down until it fits."""
    if value.mode in ("I", "F"):
        raise InputError(
            f"{name} is an image of mode {value.mode}, which does not define black and white.",
            "Scale its values to 0 … 255 and convert it to mode L.",
        )
    kind = "JPEG" if value.format == "JPEG" and value.mode in ("L", "RGB") else "PNG"
    image = value
    if image.mode not in ("1", "L", "LA", "I;16", "RGB", "RGBA"):
        image = image.convert("RGBA")
    edge = MAX_EDGE
    while True:
        if max(image.size) > edge:
            factor = edge / max(image.size)
            image = image.resize([max(1, round(side * factor)) for side in image.size])
        file = io.BytesIO()
        image.save(file, kind, quality=90)
        fits = limits.MAX_IMAGE_BASE64 * 3 / 4 / file.tell()
        if fits > 1:
            break
        edge = int(max(image.size) * (0.9 * fits) ** 0.5)
    scaled = f"scaled down from {value.width:,} × {value.height:,}"
    return _image(file.getvalue(), name, scaled if image.size != value.size else "")


def _image(data: bytes, name: str, changed: str = "") -> Attachment:
    size = limits.pixels(data)
    about = [f"image {size[0]:,} × {size[1]:,}" if size else "image", changed]
    block = {"type": "image", "source": _base64(limits.media_type(data), data)}
    return Attachment((block,), f"{name}: {', '.join(filter(None, about))}")


def _base64(media_type: str, data: bytes) -> dict[str, str]:
    encoded = base64.b64encode(data).decode("ascii")
    return {"type": "base64", "media_type": media_type, "data": encoded}


def _path(value: Path, name: str, most: int) -> Attachment:
    made = _file(files.read_bytes(value, name, most + 1), f"{name} ({value})", most, value.name)
    return replace(made, file=value.name, path=str(value))


def _bytes(value: bytes, name: str, most: int) -> Attachment:
    return replace(_file(value, name, most), file=name)


def _file(data: bytes, name: str, most: int, title: str = "") -> Attachment:
    """The content of a file: an image, a PDF or text, as its bytes say."""
    if len(data) > most:
        what = "a request" if most == limits.MAX_REQUEST_BYTES else "an uploaded file"
        raise InputError(
            f"{name} is larger than {what} can be: {most // 1_000_000} MB.", "Send a part of it."
        )
    media_type = limits.media_type(data)
    if media_type == "application/pdf":
        block = {"type": "document", "source": _base64(media_type, data), "title": title or name}
        return Attachment((block,), f"{name}: PDF, {-(-len(data) // 1000):,} kB")
    if media_type:
        return _image(data, name)
    try:
        # Windows still writes UTF-16, and says so in the first two bytes.
        text = data.decode("utf-16" if data[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(
            f"{name} is neither UTF-8 text nor a PDF, a JPEG, a PNG, a GIF or a WebP.",
            "Text in another encoding: path.read_text(encoding=…) in a variable. Other images:"
            " PIL.Image.open(path) in a variable.",
        )
    return _text(text, f"{name}: {_count(len(text), 'character')} of text")


def _source(value: Any, name: str) -> Attachment:
    text = definitions.source(value)
    if text is None:
        raise InputError(
            f"The source of {name} cannot be found.",
            "Only functions written in Python, in a cell or a file, and classes with a method"
            " have one.",
        )
    made = _text(text, f"{name}: source, {_count(len(text.splitlines()), 'line')}")
    return replace(made, language="python")


_FORMS: dict[type | str, Form] = {
    str: lambda value, _: str.__str__(value),
    list: _collection,
    tuple: _collection,
    dict: _collection,
    set: _collection,
    frozenset: _collection,
    deque: _collection,
    Path: _path,
    bytes: _bytes,
    FunctionType: _source,
    MethodType: _source,
    BuiltinFunctionType: _source,
    type: _source,
    "functools._lru_cache_wrapper": _source,
    "pydantic.main.BaseModel": lambda value, _: value.model_dump_json(),
    "pandas.DataFrame": _pandas,
    "pandas.Series": _pandas_series,
    "pandas.core.frame.DataFrame": _pandas,  # so called before pandas 3
    "pandas.core.series.Series": _pandas_series,
    "polars.dataframe.frame.DataFrame": _polars,
    "polars.series.series.Series": lambda value, name: _polars(value.to_frame(), name),
    "numpy.ndarray": _array,
    "matplotlib.figure.Figure": _figure,
    "matplotlib.axes._base._AxesBase": lambda value, name: _figure(
        value.figure.canvas.figure, name
    ),
    "PIL.Image.Image": _pil,
}
"""What is known of each type; everything else is put in as ``str`` writes it."""

_AS_WRITTEN = frozenset(
    [_object, _collection, _file, _path, _source, _array]
    + [_FORMS[kind] for kind in (str, "pydantic.main.BaseModel")]
)
"""The forms of values that are written in their place where a collection holds them."""
