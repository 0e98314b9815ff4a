"""A notebook's function as a tool: its definition, by its name, docstring and type hints."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import FunctionType, MethodType
from typing import Any

from claude_nb.client.connection import function_tool
from claude_nb.errors import InputError
from claude_nb.tools.definition import TOOL_NAME, check_definition, is_json
from claude_nb.tools.mcp.consent import Consent
from claude_nb.tools.memory.trust import FolderConsent

EXAMPLE = "def look_up(city: str, days: int = 3) -> str:"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: What the model calls it.
        definition: Its definition, as the API's dict.
        call: Calls it with a call's input (a dict), which is checked against the type hints.
        is_async: Whether its value has to be awaited.
        consent: What the user allowed of it, if it is an MCP server's or the memory, or None.
    """

    name: str
    definition: dict[str, Any]
    call: Callable[[dict[str, Any]], Any]
    is_async: bool
    consent: Consent | FolderConsent | None = None


def function(value: Any) -> Tool:
    """A function, or what the SDK's ``beta_tool`` has made of one, as a tool."""
    function = getattr(value, "func", None) if hasattr(value, "to_dict") else value
    if not callable(function) or isinstance(function, type):
        raise InputError(f"{short(value)} is not a function.", f"Pass one: {EXAMPLE}")
    name = getattr(function, "__name__", "")
    if function is value and not TOOL_NAME.fullmatch(name):
        raise InputError(
            f"{short(value)} has no valid tool name.",
            "Define it with def and a name of letters a to z, digits and underscores, at most 128.",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InputError(f"{name} yields its values one by one.", "Return a list of them instead.")
    if function is value:
        _check_hints(function, name)
    try:
        made = value if function is not value else function_tool(_plain(function))
        definition = dict(made.to_dict())
    except Exception as error:
        which = _without_form(function)
        raise InputError(
            f"{name} cannot be a tool: JSON cannot express {which}.",
            "Use only str, int, float, bool, list, dict or a pydantic model as arguments, and"
            " look up the rest inside.",
            detail=str(error).split("\n", maxsplit=1)[0][:300],
        ) from error
    if not definition.get("description"):
        definition.pop("description", None)
    _check_defaults(definition, function)
    check_definition(definition)
    is_async = inspect.iscoroutinefunction(function)
    return Tool(str(definition["name"]), definition, made.call, is_async)


def _plain(function: Any) -> Any:
    """A function as pydantic takes it: of one that is cached, a plain one around it."""
    if isinstance(function, (FunctionType, MethodType)):
        return function

    @wraps(function)
    def plain(**arguments: Any) -> Any:
        return function(**arguments)

    return plain


def _without_form(function: Any) -> str:
    """Names the arguments of a function that have no form in JSON."""
    found = []
    for parameter in inspect.signature(function).parameters.values():

        def alone(_: Any) -> None: ...

        alone.__annotations__ = {"_": parameter.annotation}
        alone.__defaults__ = None if parameter.default is parameter.empty else (parameter.default,)
        alone.__module__ = function.__module__
        try:
            function_tool(alone)
        except Exception:  # noqa: BLE001 - pydantic has many
            found.append(parameter.name)
    return f"the argument{'s' * (len(found) > 1)} {', '.join(found)}" if found else "it"


def _check_defaults(definition: Mapping[str, Any], function: Any) -> None:
    """Refuse defaults that JSON cannot express."""
    name, described = definition["name"], definition["input_schema"].get("properties", {})
    for parameter, about in inspect.signature(function).parameters.items():
        if about.default is about.empty or parameter not in described:
            continue
        is_field = type(about.default).__name__ == "FieldInfo"  # pydantic's own
        told = is_field or "default" in described[parameter]
        if not (told and is_json(about.default, default=str) and is_json(described[parameter])):
            hint = about.annotation
            hint = hint if isinstance(hint, str) else inspect.formatannotation(hint)
            raise InputError(
                f"The default of {parameter} in {name} is {about.default!r:.60}, which JSON cannot"
                " express.",
                f"Use None instead: def {name}({parameter}: {hint} | None = None): …",
            )


def _check_hints(function: Any, name: str) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        raise InputError(
            f"The arguments of {name} are unknown.", f"Write a function around it: {EXAMPLE}"
        ) from None
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise InputError(
                f"{name} takes {parameter.name} by position only.",
                f"The model passes arguments by name: {EXAMPLE}",
            )
        if parameter.annotation is inspect.Parameter.empty and parameter.name == "self":
            raise InputError(
                f"{name} is a method without its object.", f"Pass a bound method: table.{name}"
            )
        if parameter.annotation is inspect.Parameter.empty:
            raise InputError(
                f"The argument {parameter.name} of {name} has no type hint.",
                f"The model needs one: {EXAMPLE}",
            )


def short(value: Any) -> str:
    """What a value is called in an error."""
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
