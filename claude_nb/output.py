"""What an answer has to be: a JSON schema, and the object that is made of a text that fits it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claude_nb.api import output_schema
from claude_nb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

_HINT = "Give a pydantic model, class Answer(BaseModel): …, or a JSON schema as a dict."
_SAYS_SOMETHING = frozenset({"type", "properties", "anyOf", "allOf", "$ref", "enum"})


@dataclass(frozen=True, slots=True)
class Output:
    """A form of answers.

    Attributes:
        name: What it is called.
        schema: The JSON schema, as the API takes it.
        read: Makes the object of an answer's text; raises ``ValueError`` if it does not fit.
    """

    name: str
    schema: dict[str, Any]
    read: Callable[[str], Any]

    @classmethod
    def of(cls, kind: Any) -> Output:
        """The form of a pydantic model, of another type, or of a JSON schema.

        Args:
            kind: A type that pydantic knows, such as a ``BaseModel``, a dataclass, ``list[int]``;
                or a JSON schema, as a dict.

        Raises:
            InputError: It is none of these.
        """
        name = str(getattr(kind, "__name__", None) or "the schema")
        is_type = isinstance(kind, type) or hasattr(kind, "__origin__")
        if not is_type and not (isinstance(kind, dict) and kind.keys() & _SAYS_SOMETHING):
            raise InputError(f"{kind!r:.60} cannot be the form of an answer.", _HINT)
        try:
            if not is_type:
                return cls(name, output_schema(kind), json.loads)
            from pydantic import TypeAdapter

            adapter: TypeAdapter[Any] = TypeAdapter(kind)
            return cls(name, output_schema(adapter.json_schema()), adapter.validate_json)
        except Exception as error:  # pydantic and the SDK have many
            reason = str(error).split("\n", maxsplit=1)[0][:300]
            what = f"{name} cannot be the form of an answer."
            raise InputError(what, _HINT, detail=reason) from error
