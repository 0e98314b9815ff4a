"""Write the frames and the HTML of all examples anew."""

import json
import os

import pytest

from claude_nb import Simulator
from tests.page import Page
from tests.protocol import EXAMPLES, FOLDER, chat, example, play

for name in EXAMPLES:
    data = example(name)
    frames, html, _, _ = play(data["events"])
    text = json.dumps(data | {"frames": frames, "html": html}, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")

with pytest.MonkeyPatch.context() as patch, Simulator(speed=float("inf")) as simulator:
    os.environ |= {"ANTHROPIC_BASE_URL": simulator.base_url, "ANTHROPIC_API_KEY": "not-a-key"}
    text = json.dumps(chat.talk(Page(patch), simulator), indent=1, ensure_ascii=False)
chat.FILE.write_text(text + "\n", encoding="utf-8")
