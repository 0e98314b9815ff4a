// A button below a traceback: it asks Claude about the error of that cell.

import { GONE, Rendered, cellOf, insertCell, placeOf, readOnly, run } from "./cells.js";
import { ask } from "./kernel.js";
import { afterRender, button, make } from "./page.js";

const KIND = "application/vnd.jupyter.stderr"; // what the host prefers for errors
const KEY = "claude_nb"; // where a cell's metadata says which cell's error it asks about
const PROMPT = "%%claude --error\nExplain this error, and give the corrected cell.";

// A failed question has a card of its own: the exceptions of claude_nb/errors.py.
const OURS = new Set([
  ...["ClaudeError", "InputError", "CredentialsError", "RequestError", "FileGoneError"],
  ...["RateLimitError", "SpendLimitError", "OverloadedError", "ServerError", "UnreachableError"],
  ...["DroppedError", "MalformedError", "StoppedError"],
]);

export class Errors {
  /**
   * @param {object} tracker The host's INotebookTracker.
   * @param {object} actions The host's NotebookActions.
   */
  constructor(tracker, actions) {
    this.tracker = tracker;
    this.actions = actions;
  }

  /** Have a button below each error that this notebook shows. */
  follow(context, rendermime) {
    afterRender(rendermime, KIND, (node, model) => {
      const isPython = ["", "python"].includes(context.model.defaultKernelLanguage);
      if (model.type !== "error" || OURS.has(model.toJSON().ename) || !isPython) return;
      this.add(new Rendered(this.tracker, context, node, model));
    });
  }

  add(error) {
    error.node.querySelector(".claude-nb-error")?.remove();
    const bar = make("div", { class: "claude-nb-error" });
    const status = make("span", { role: "status" });
    const say = (words) => status.replaceChildren(words);
    bar.append(button("Ask Claude about this error", () => this.ask(error, say)), status);
    error.node.append(bar);
  }

  /** Insert a cell below the one that failed, which asks about its error, and run it. */
  async ask({ context, cell: failed, panel }, say) {
    const refused = failed ? readOnly(context) : GONE;
    if (refused) return say(refused);
    const free = panel.sessionContext.session?.kernel?.status === "idle";
    say(free ? "" : "The kernel is busy. Claude is asked as soon as it is free.");
    const { problem = "" } = await ask(context.sessionContext);
    say(problem);
    const place = placeOf(context, failed);
    if (problem || place < 0 || panel.isDisposed) return undefined;
    const metadata = { trusted: false, [KEY]: { error_of: failed } };
    const { id } = insertCell(context, place + 1, PROMPT, metadata);
    return run(panel, id, this.actions);
  }
}

/**
 * The error that a cell asks about, for the kernel: see CellError in claude_nb/request/page.py.
 * @param {object} context The notebook's.
 * @param {object} metadata The cell's own, as it goes along with its execution.
 */
export function errorOf(context, metadata) {
  const id = metadata?.[KEY]?.error_of;
  const model = id && cellOf(context, id);
  const outputs = model?.outputs?.toJSON() ?? [];
  const error = outputs.findLast(({ output_type: kind }) => kind === "error");
  if (!error) return undefined;
  return {
    cell: model.id,
    execution: model.executionCount ?? 0,
    name: error.ename,
    source: model.sharedModel.getSource(),
    traceback: error.traceback.join("\n"),
  };
}
