"""Write the frames and the HTML of all examples anew."""

import json

from tests.protocol import EXAMPLES, FOLDER, example, play

for name in EXAMPLES:
    data = example(name)
    frames, html, _, _ = play(data["events"])
    text = json.dumps(data | {"frames": frames, "html": html}, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
