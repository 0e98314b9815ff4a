// The difference between what a cell holds and what would replace it, to accept or not.

import { button, make } from "./page.js";

const MOST = 2000; // lines that are compared; what is longer is shown as wholly changed

/**
 * Compare two texts by lines.
 * @returns {[string, string][]} Each line with " ", "-" or "+" before it.
 */
export function compare(before, after) {
  const [old, now] = [before.split("\n"), after.split("\n")];
  if (old.length > MOST || now.length > MOST) {
    return [...old.map((line) => ["-", line]), ...now.map((line) => ["+", line])];
  }
  // length[i][j]: the most lines that old from i on and now from j on have in common.
  const length = old.concat("").map(() => new Uint16Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const [below, right] = [length[i + 1][j], length[i][j + 1]];
      length[i][j] = old[i] === now[j] ? length[i + 1][j + 1] + 1 : Math.max(below, right);
    }
  }
  const lines = [];
  for (let i = 0, j = 0; i < old.length || j < now.length; ) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push([" ", old[i++]]);
      j++;
    } else if (j === now.length || (i < old.length && length[i + 1][j] >= length[i][j + 1])) {
      lines.push(["-", old[i++]]);
    } else {
      lines.push(["+", now[j++]]);
    }
  }
  return lines;
}

/**
 * Show a difference below an element until it is accepted or not.
 * @param {Element} above The element.
 * @param {string} name What would be replaced, e.g. "cell [3]".
 * @returns {Promise<boolean>} Whether it was accepted.
 */
export function confirm(above, name, before, after) {
  const lines = compare(before, after);
  const number = (sign) => lines.filter(([each]) => each === sign).length;
  const summary = `Replace ${name}: ${number("+")} added, ${number("-")} removed`;
  const box = make("div", { class: "claude-nb-difference", role: "group", "aria-label": summary });
  const code = make("pre", { tabindex: "0", "aria-label": "The difference, line by line" });
  for (const [sign, line] of lines) {
    const tag = { "+": "ins", "-": "del", " ": "span" }[sign];
    const row = make(tag, {});
    row.textContent = `${sign} ${line}\n`;
    code.append(row);
  }
  const title = make("div", { class: "claude-nb-difference-title" });
  title.textContent = summary;
  return new Promise((resolve) => {
    const close = (accepted) => {
      box.remove();
      resolve(accepted);
    };
    const accept = button("Replace", () => close(true));
    title.append(accept, button("Cancel", () => close(false)));
    box.append(title, code);
    box.addEventListener("keydown", (event) => event.key === "Escape" && close(false));
    above.after(box);
    accept.focus();
    box.scrollIntoView({ block: "nearest" });
  });
}
