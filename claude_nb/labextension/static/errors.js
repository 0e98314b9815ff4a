// A button below a traceback: it asks Claude about the error of that cell.

import { indexOf, insertBelow, placeOf, readOnly, run } from "./cells.js";
import { button, make } from "./page.js";

const KIND = "application/vnd.jupyter.stderr"; // what the host prefers for errors
const KEY = "claude_nb"; // where a cell's metadata says which cell's error it asks about
const PROMPT = "%%claude --error\nExplain this error, and give the corrected cell.";
const NO_PACKAGE = "This kernel does not have claude_nb: %pip install claude-nb";

// A failed question has a card of its own: the exceptions of claude_nb/errors.py.
const OURS = new Set([
  ...["ClaudeError", "InputError", "CredentialsError", "RequestError", "FileGoneError"],
  ...["RateLimitError", "SpendLimitError", "OverloadedError", "ServerError", "UnreachableError"],
  ...["DroppedError", "MalformedError", "StoppedError"],
]);

export class Errors {
  /** @param {object} host The host's packages: {notebook}. */
  constructor(host) {
    this.host = host;
  }

  /** Have a button below each error that this notebook shows. */
  follow(panel) {
    const { rendermime } = panel.content;
    const plain = rendermime.getFactory(KIND);
    const createRenderer = (options) => {
      const renderer = plain.createRenderer(options);
      const render = renderer.renderModel.bind(renderer);
      renderer.renderModel = async (model) => {
        await render(model);
        const failed = model.type === "error" && !OURS.has(model.toJSON().ename);
        if (failed) this.add(panel, renderer.node);
      };
      return renderer;
    };
    rendermime.addFactory({ ...plain, createRenderer }, plain.defaultRank);
  }

  add(panel, node) {
    node.querySelector(".claude-nb-error")?.remove();
    const bar = make("div", { class: "claude-nb-error" });
    const status = make("span", { role: "status" });
    bar.append(button("Ask Claude about this error", () => this.ask(panel, bar, status)), status);
    node.append(bar);
  }

  /** Insert a cell below the one that failed, which asks about its error, and run it. */
  async ask(panel, bar, status) {
    const { kernel } = panel.sessionContext.session ?? {};
    const index = indexOf(panel, bar);
    const refused = kernel ? readOnly(panel) : "There is no kernel.";
    if (refused || index < 0) {
      status.textContent = refused || "The cell is not there any more.";
      return;
    }
    const failed = panel.content.widgets[index].model.id;
    status.textContent = kernel.status === "idle" ? "" : "Claude is asked when the kernel is free.";
    const load = { code: "%load_ext claude_nb", silent: true, store_history: false };
    const loaded = await kernel.requestExecute(load).done;
    if (loaded.content.status !== "ok") {
      status.textContent = NO_PACKAGE;
      return;
    }
    status.textContent = "";
    const place = placeOf(panel, failed);
    if (place < 0) return;
    const cell = insertBelow(panel, place, PROMPT, { [KEY]: { error_of: failed } });
    await run(panel, cell.id, this.host.notebook.NotebookActions);
  }
}

/**
 * The error that a cell asks about, for the kernel: see CellError in claude_nb/request/page.py.
 * @param {object} panel
 * @param {object} metadata The cell's own, as it goes along with its execution.
 */
export function errorOf(panel, metadata) {
  const place = placeOf(panel, metadata?.[KEY]?.error_of);
  const model = panel.content.widgets[place]?.model;
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
