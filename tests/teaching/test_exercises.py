"""The exercises: solutions in the notebooks pass, and the wrong answers that are known fail."""

import json
import re

import pytest

from claude_nb.teaching import check, checking
from claude_nb.teaching.exercises import EXERCISES
from tests.refresh_notebooks import NOTEBOOKS

SOLUTION = re.compile(r"<summary>Solution</summary>\s+```python\n(.*?)```", re.DOTALL)


def solutions():
    """The functions in the folded solutions of all notebooks: name and source, with imports."""
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        imports = "\n".join(re.findall(r"^(?:import|from) .*", code, re.MULTILINE))
        for source in SOLUTION.findall("\n".join("".join(c["source"]) for c in cells)):
            for name in re.findall(r"^def (\w+)", source, re.MULTILINE):
                if name in EXERCISES:
                    yield pytest.param(name, f"{imports}\n{source}", id=f"{path.stem}-{name}")


SAY = """
def say(client, history, prompt):
    turns = [*history, {{"role": "user", "content": prompt}}]
    try:
        with client.messages.stream(model="claude-opus-5-5", max_tokens=999, messages=turns) as run:
            {shown}
        message = run.get_final_message()
    except Exception:
        {told}
        return False
    if message.stop_reason != "end_turn":
        {told}
        return False
    history += [turns[-1], {{"role": "assistant", "content": message.content}}]
    return True
"""

WRONG = {
    "cost": {
        "one price for both": """
def cost(input_tokens, output_tokens):
    return (input_tokens + output_tokens) * 4 / 1_000_000
""",
        "the prices change places": """
def cost(input_tokens, output_tokens):
    return (input_tokens * 20 + output_tokens * 4) / 1_000_000
""",
        "for each token": "def cost(input_tokens, output_tokens):\n"
        "    return input_tokens * 4 + output_tokens * 20",
        "rounded to cents": """
def cost(input_tokens, output_tokens):
    return round((input_tokens * 4 + output_tokens * 20) / 1_000_000, 2)
""",
        "the input is free": "def cost(input_tokens, output_tokens):\n"
        "    return output_tokens * 20 / 1_000_000",
    },
    "messages": {
        "only the question": """
def messages(exchanges, question):
    return [{"role": "user", "content": question}]
""",
        "only the questions": """
def messages(exchanges, question):
    asked = [each[0] for each in exchanges]
    return [{"role": "user", "content": text} for text in [*asked, question]]
""",
        "the question is forgotten": """
def messages(exchanges, question):
    found = []
    for asked, answered in exchanges:
        found.append({"role": "user", "content": asked})
        found.append({"role": "assistant", "content": answered})
    return found
""",
        "only the last exchange": """
def messages(exchanges, question):
    found = []
    for asked, answered in exchanges[-1:]:
        found.append({"role": "user", "content": asked})
        found.append({"role": "assistant", "content": answered})
    return [*found, {"role": "user", "content": question}]
""",
        "returned in the loop": """
def messages(exchanges, question):
    found = []
    for asked, answered in exchanges:
        found.append({"role": "user", "content": asked})
        found.append({"role": "assistant", "content": answered})
        return [*found, {"role": "user", "content": question}]
""",
        "everything is by the user": """
def messages(exchanges, question):
    texts = [text for exchange in exchanges for text in exchange]
    return [{"role": "user", "content": text} for text in [*texts, question]]
""",
    },
    "read_from_cache": {
        "equal parts at any place": """
def read_from_cache(before, now):
    return sum(old == new for old, new in zip(before, now))
""",
        "parts that both have": """
def read_from_cache(before, now):
    return len(set(before) & set(now))
""",
        "all or nothing": """
def read_from_cache(before, now):
    return len(now) if before == now else 0
""",
        "nothing returned where all is the same": """
def read_from_cache(before, now):
    for number, (old, new) in enumerate(zip(before, now)):
        if old != new:
            return number
""",
        "the index is past the end": """
def read_from_cache(before, now):
    count = 0
    while now[count] == before[count]:
        count += 1
    return count
""",
        "characters are counted": """
def read_from_cache(before, now):
    count = 0
    for old, new in zip("".join(before), "".join(now)):
        if old != new:
            break
        count += 1
    return count
""",
    },
    "run_calls": {
        "every block is a call": """
def run_calls(content, functions):
    return [
        {"type": "tool_result", "tool_use_id": b.id, "content": str(functions[b.name](**b.input))}
        for b in content
    ]
""",
        "nothing can fail": """
def run_calls(content, functions):
    return [
        {"type": "tool_result", "tool_use_id": b.id, "content": str(functions[b.name](**b.input))}
        for b in content
        if b.type == "tool_use"
    ]
""",
        "only the last block": """
def run_calls(content, functions):
    block = content[-1]
    result = {"type": "tool_result", "tool_use_id": block.id}
    try:
        return [result | {"content": str(functions[block.name](**block.input))}]
    except Exception as error:
        return [result | {"content": str(error), "is_error": True}]
""",
        "an error is not marked": """
def run_calls(content, functions):
    results = []
    for block in content:
        if block.type == "tool_use":
            try:
                result = functions[block.name](**block.input)
            except Exception as error:
                result = error
            results.append(
                {"type": "tool_result", "tool_use_id": block.id, "content": str(result)}
            )
    return results
""",
        "a failed call gets no result": """
def run_calls(content, functions):
    results = []
    for block in content:
        if block.type == "tool_use":
            try:
                text = str(functions[block.name](**block.input))
            except Exception:
                continue
            results.append({"type": "tool_result", "tool_use_id": block.id, "content": text})
    return results
""",
        "the result is no text": """
def run_calls(content, functions):
    results = []
    for block in content:
        if block.type == "tool_use":
            result = {"type": "tool_result", "tool_use_id": block.id}
            try:
                result["content"] = functions[block.name](**block.input)
            except Exception as error:
                result |= {"content": str(error), "is_error": True}
            results.append(result)
    return results
""",
        "the input is one argument": """
def run_calls(content, functions):
    results = []
    for block in content:
        if block.type == "tool_use":
            result = {"type": "tool_result", "tool_use_id": block.id}
            try:
                result["content"] = str(functions[block.name](block.input))
            except Exception as error:
                result |= {"content": str(error), "is_error": True}
            results.append(result)
    return results
""",
    },
    "collect_text": {
        "every event is text": """
def collect_text(events):
    return "".join(event.delta.text for event in events)
""",
        "every delta is text": """
def collect_text(events):
    return "".join(e.delta.text for e in events if e.type == "content_block_delta")
""",
        "whatever has a delta": """
def collect_text(events):
    deltas = [vars(e.delta) for e in events if e.type == "content_block_delta"]
    return "".join(str(value) for d in deltas for key, value in d.items() if key != "type")
""",
        "thinking is text": """
def collect_text(events):
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    return "".join(getattr(d, "text", getattr(d, "thinking", "")) for d in deltas)
""",
        "only the last piece": """
def collect_text(events):
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            text = event.delta.text
    return text
""",
        "words with spaces between": """
def collect_text(events):
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    return " ".join(d.text for d in deltas if d.type == "text_delta")
""",
        "returned in the loop": """
def collect_text(events):
    text = ""
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            text += event.delta.text
        return text
""",
        "the stream is read twice": """
def collect_text(events):
    count = len(list(events))
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    return "".join(d.text for d in deltas if d.type == "text_delta")
""",
        "printed": """
def collect_text(events):
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            print(event.delta.text, end="")
""",
    },
    "whole": {
        test: f"def whole(message):\n    return {test}"
        for test in (
            "message.stop_reason is not None",
            "bool(message.content)",
            "message.content[-1].text.endswith('.')",
            "message.stop_reason != 'max_tokens'",
            "message.stop_reason not in (None, 'max_tokens')",
            "message.usage.output_tokens > 1",
            "message.stop_reason",
            "True",
        )
    },
    "tool_input": {
        "each piece is JSON": """
import json
def tool_input(events):
    result = {}
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            result.update(json.loads(event.delta.partial_json))
    return result
""",
        "an empty text is read as JSON": """
import json
def tool_input(events):
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    return json.loads("".join(d.partial_json for d in deltas if d.type == "input_json_delta"))
""",
        "half of it is mended": """
import json
def tool_input(events):
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    text = "".join(d.partial_json for d in deltas if d.type == "input_json_delta") or "{}"
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(text + '"}')
""",
        "the text, not the object": """
def tool_input(events):
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    return "".join(d.partial_json for d in deltas if d.type == "input_json_delta")
""",
        "text is joined too": """
import json
def tool_input(events):
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    text = "".join(getattr(d, "partial_json", getattr(d, "text", "")) for d in deltas)
    try:
        return json.loads(text or "{}")
    except ValueError:
        return None
""",
    },
    "say": {
        "nothing can fail": """
def say(client, history, prompt):
    history.append({"role": "user", "content": prompt})
    with client.messages.stream(model="claude-opus-5-5", max_tokens=9, messages=history) as stream:
        for text in stream.text_stream:
            print(text, end="")
    history.append({"role": "assistant", "content": stream.get_final_message().content})
    return True
""",
        "the silent end is not seen": """
def say(client, history, prompt):
    turns = [*history, {"role": "user", "content": prompt}]
    try:
        with client.messages.stream(model="claude-opus-5-5", max_tokens=9, messages=turns) as run:
            answer = "".join(run.text_stream)
    except Exception:
        return False
    history[:] = [*turns, {"role": "assistant", "content": answer}]
    return True
""",
        "printed at the end": SAY.format(
            shown="print(*run.text_stream, sep='')", told="print('!')"
        ),
        "nothing is printed": SAY.format(shown="list(run.text_stream)", told="print('!')"),
        "no word of the failure": SAY.format(
            shown="[print(text, end='') for text in run.text_stream]", told="pass"
        ),
    },
    "whole_words": {
        what: f"def whole_words(text):\n    return {result}"
        for what, result in {
            "a line break ends no word": "text.rfind(' ') + 1",
            "without the space": "max(text.rfind(' '), text.rfind('\\n'))",
            "the earlier of the two": "min(text.rfind(' '), text.rfind('\\n')) + 1",
            "all of it": "len(text)",
            "the text, not how much of it": "text[: max(text.rfind(' '), text.rfind('\\n')) + 1]",
            "words, not characters": "len(text.split()[:-1])",
        }.items()
    },
    "first_text": {
        "the first event": """
def first_text(events):
    return events[0][0]
""",
        "the first delta": """
def first_text(events):
    for seconds, event in events:
        if event.type == "content_block_delta":
            return seconds
""",
        "the block, not its text": """
def first_text(events):
    for seconds, event in events:
        if event.type == "content_block_start" and event.content_block.type == "text":
            return seconds
""",
        "the last text": """
def first_text(events):
    found = None
    for seconds, event in events:
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            found = seconds
    return found
""",
        "0 for no text": """
def first_text(events):
    for seconds, event in events:
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            return seconds
    return 0
""",
    },
    "pause": {
        what: f"def pause(status, kind, retry_after, failures):\n    {body}"
        for what, body in {
            "one way for all errors": "return 0, min(30, 2 ** (failures - 1))",
            "every 429 passes": """
    if status == 429:
        return (retry_after, retry_after * 1.2) if retry_after else (0, 30)
    return (0, min(30, 2 ** (failures - 1))) if kind == "overloaded_error" else None""",
            "by the status alone": """
    if retry_after:
        return retry_after, retry_after * 1.2
    return (0, min(30, 2 ** (failures - 1))) if status == 529 else None""",
            "all of them at once": """
    if retry_after:
        return retry_after, retry_after
    return (0, min(30, 2 ** (failures - 1))) if kind == "overloaded_error" else None""",
            "sooner than told": """
    if retry_after:
        return 0, retry_after
    return (0, min(30, 2 ** (failures - 1))) if kind == "overloaded_error" else None""",
            "no limit": """
    if retry_after:
        return retry_after, retry_after * 1.2
    return (0, 2 ** (failures - 1)) if kind == "overloaded_error" else None""",
            "retry_after of a 429 alone": """
    if status == 429 and retry_after:
        return retry_after, retry_after * 1.2
    return (0, min(30, 2 ** (failures - 1))) if kind == "overloaded_error" else None""",
        }.items()
    },
    "way": {
        what: f"def way(watched, hours, max_tokens):\n    return {result}"
        for what, result in {
            "always": "'stream'",
            "who watches, and nothing else": "'stream' if watched else 'plain'",
            "long requests are plain": "'stream' if watched else 'batch' if hours >= 24 else"
            " 'plain'",
            "a batch for who watches": "'batch' if hours >= 24 else 'stream' if watched or"
            " max_tokens > 21_333 else 'plain'",
            "long ones never in a batch": "'stream' if watched or max_tokens > 21_333 else 'batch'"
            " if hours >= 24 else 'plain'",
        }.items()
    },
    "price": {
        what: f"def price(tokens_in, tokens_out, batched):\n    return {result}"
        for what, result in {
            "a batch costs the same": "(tokens_in * 0.10 + tokens_out * 0.50) / 1e6",
            "always a batch": "(tokens_in * 0.10 + tokens_out * 0.50) / 2e6",
            "only the input is cheaper": "(tokens_in / (1 + batched) + tokens_out * 5) * 1e-7",
            "by the thousand": "(tokens_in * 0.10 + tokens_out * 0.50) / 1e3 / (1 + batched)",
            "one price for both": "(tokens_in + tokens_out) * 0.10 / 1e6 / (1 + batched)",
        }.items()
    },
}
"""By exercise: what is wrong, and the function."""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """None of these functions runs for ever, and the machine may be busy."""
    monkeypatch.setattr(checking, "_SECONDS", 60)


def first_line(name, source, capsys):
    """What `check` says first of a function, which is defined as a cell would define it."""
    names = {"__name__": "__main__"}
    exec(source, names)
    check(names[name])
    return capsys.readouterr().out.partition("\n")[0]


@pytest.mark.parametrize(("name", "source"), list(solutions()))
def test_a_solution_passes_its_check(name, source, capsys):
    """Whoever opens the answer can paste it."""
    assert first_line(name, source, capsys).startswith(f"{name}: all ")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        pytest.param(name, source, id=f"{name}-{what}")
        for name, answers in WRONG.items()
        for what, source in answers.items()
    ],
)
def test_a_wrong_answer_fails(name, source, capsys):
    """The slips that students make are found."""
    told = first_line(name, source, capsys)
    assert re.fullmatch(rf"{name}: (\d of \d cases are right\.|it returned None .*)", told)


def test_each_exercise_is_set_in_a_notebook():
    """With its solution; an exercise that no notebook sets is for nobody."""
    assert {parameters.values[0] for parameters in solutions()} == set(EXERCISES)
