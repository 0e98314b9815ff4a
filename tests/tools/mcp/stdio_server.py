"""A server of tools over stdio for tests, in plain Python: it also does what no server should.

Its first argument says what it does at its beginning. A process of it starts in
a few hundredths of a second, as it imports next to nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

PNG = (  # one red pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ANYTHING: dict[str, Any] = {"type": "object", "properties": {}}
EVIL = "<img src=x onerror=alert(1)>\x1b[2J\u202e"
REFUSED = {
    "no object": {"type": "string"},
    "union": {"type": "object", "anyOf": [{"required": ["a"]}]},
    "bad key": {"type": "object", "properties": {"a key": {"type": "string"}}},
    "list": {"type": "object", "properties": [1]},
    "null": {"type": "object", "properties": None},
    "no schema": {"type": "object", "properties": {"a": {"type": "nothing"}}},
    "endless": {"type": "object", "properties": {"a": {"minimum": float("inf")}}},
}
TOOLS = {
    "weather": ("The weather of a city.\nWith its temperature.", CITY),
    "picture": ("A picture.", ANYTHING),
    "everything": ("All kinds of content.", ANYTHING),
    "structured": ("Structured content alone.", ANYTHING),
    "evil": (EVIL, ANYTHING),
    "fail": ("Fails.", ANYTHING),
    "die": ("Ends the server.", ANYTHING),
    "hang": ("Never answers.", ANYTHING),
    "twice": ("Answers twice.", ANYTHING),
    "big": ("Answers with many megabytes.", ANYTHING),
    "ask": ("Asks the client for what it does not offer.", ANYTHING),
    "change": ("Changes the list of tools.", ANYTHING),
    "see": ("What the server sees: its environment, what was cancelled.", ANYTHING),
}
cancelled: list[object] = []
asked: dict[object, Any] = {}


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def text(value: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value}]}


def call(  # noqa: C901 - a branch for each tool
    number: object, name: str, arguments: dict[str, Any]
) -> dict[str, Any] | None:
    if name == "weather" and arguments["city"] == "a list":
        send(id=number, result=[1])
        return None
    if name == "weather":
        return text(f"Sunny in {arguments['city'].replace('half', chr(0xD83D))}.")
    if name == "picture":
        return {"content": [{"type": "image", "data": PNG, "mimeType": "image/jpg"}]}
    if name == "everything":
        csv = {"uri": "file:///a.csv", "mimeType": "text/csv", "text": "a,b\n1,2"}
        blob = {"uri": "file:///a.bin", "mimeType": "application/x-thing", "blob": "AAAA"}
        link = {"uri": "https://example.com/x", "name": "x", "description": "A page."}
        return {
            "content": [
                {"type": "text", "text": EVIL},
                {"type": "image", "data": PNG, "mimeType": "image/png"},
                {"type": "image", "data": "no base64", "mimeType": "image/png"},
                {"type": "image", "data": "AAAA", "mimeType": "image/tiff"},
                {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
                {"type": "resource", "resource": csv},
                {"type": "resource", "resource": blob},
                {"type": "resource_link", **link},
            ],
            "structuredContent": {"said": "already"},
        }
    if name == "structured":
        return {"content": [], "structuredContent": {"trains": [1, 2]}}
    if name == "evil":
        return text(EVIL)
    if name == "fail":
        return text(f"No such city: {EVIL}") | {"isError": True}
    if name == "die":
        sys.stderr.write(f"fatal: {EVIL} {os.environ.get('TOKEN', '')}\n")
        sys.stderr.flush()
        os._exit(3)
    if name == "hang":
        return None
    if name == "twice":
        send(id=number, result=text("first"))
        return text("second")
    if name == "big":
        return text("x" * 50_000_000)
    if name == "ask":
        for method in ("sampling/createMessage", "elicitation/create", "roots/list", "no/such"):
            send(
                id=f"ask {method}",
                method=method,
                params={"messages": [], "maxTokens": 1, "message": "?"},
            )
            asked[f"ask {method}"] = None
        asked["call"] = number
        return None
    if name == "change":
        TOOLS["weather"] = ("Another description.", CITY)
        send(method="notifications/tools/list_changed")
        return text("changed")
    return text(json.dumps({"env": dict(os.environ), "cancelled": cancelled, "pid": os.getpid()}))


def listed(beginning: str) -> list[dict[str, Any]]:
    tools = {n: {"name": n, "description": d, "inputSchema": s} for n, (d, s) in TOOLS.items()}
    if beginning == "odd":
        tools |= {n: {"name": n, "inputSchema": s} for n, s in REFUSED.items()}
        for name in ("wetter für Städte", "a.b", "a b", "x" * 200, EVIL):
            tools[name] = {"name": name, "description": EVIL, "inputSchema": ANYTHING}
        return [*tools.values(), tools["weather"]]
    if beginning == "many":
        return [
            {"name": f"tool_{n}", "description": "One of many. " * 10, "inputSchema": CITY}
            for n in range(500)
        ]
    return list(tools.values())


def answer(beginning: str, message: dict[str, Any]) -> None:  # noqa: C901 - as call
    number, method = message.get("id"), message.get("method")
    if method == "initialize":
        version = message["params"]["protocolVersion"]
        about = {"name": EVIL, "version": "1"}
        capabilities: Any = {"tools": {"listChanged": True}}
        if beginning == "prompts":
            capabilities = {"prompts": {}}
        result: Any = {
            "protocolVersion": version,
            "serverInfo": about,
            "capabilities": capabilities,
        }
        send(id=number, result=result)
    elif method == "tools/list":
        if beginning == "nolist":
            return
        if beginning in ("refuses", "prompts"):
            send(id=number, error={"code": -32601, "message": "Method not found"})
            return
        at = int((message.get("params") or {}).get("cursor") or 0)
        tools = listed(beginning)
        more = {"nextCursor": str(at + 100)} if at + 100 < len(tools) else {}
        send(id=number, result={"tools": tools[at : at + 100], **more})
    elif method == "tools/call":
        params = message["params"]
        result = call(number, params["name"], params.get("arguments") or {})
        if result is not None:
            send(id=number, result=result)
    elif method == "notifications/cancelled":
        cancelled.append(message["params"]["requestId"])
        send(id=message["params"]["requestId"], result=text("too late"))
    elif method is None and number in asked:
        asked[number] = message.get("error", {}).get("message", "granted")
        if None not in asked.values():
            answers = {n: v for n, v in asked.items() if n != "call"}
            send(id=asked["call"], result=text(json.dumps(answers)))
    elif number is not None:
        send(id=number, error={"code": -32601, "message": f"Method not found: {method}"})


def main() -> None:
    beginning = sys.argv[1] if len(sys.argv) > 1 else ""
    if beginning == "garbage":
        sys.stdout.buffer.write(b"Welcome! \xff\xfe\n{}\n[1]\n\n" + EVIL.encode() + b"\n")
    elif beginning == "flood":
        sys.stderr.write("noise " * 200_000 + "\n")
    elif beginning == "endless":
        while True:
            sys.stdout.write("x" * 100_000)
    elif beginning == "silent":
        sys.stderr.write(f"process {os.getpid()}\n")
        sys.stderr.flush()
        time.sleep(600)
    elif beginning == "ends":
        sys.stderr.write(f"no config {EVIL} {os.environ.get('TOKEN', '')}\n")
        raise SystemExit(2)
    elif beginning == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        answer(beginning, json.loads(line))
    if beginning == "stubborn":
        time.sleep(600)


if __name__ == "__main__":
    main()
