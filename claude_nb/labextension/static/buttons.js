// Buttons on finished replies: on each block of code, and on the whole reply.

import { indexOf, insertBelow, placeOf, readOnly, replace, run } from "./cells.js";
import { confirm } from "./difference.js";
import { button, copy, make } from "./page.js";

const CODE = '.claude-nb pre > code[class^="language-"]';
const KIND = "text/html";
const MODELS = `__import__("json").dumps(__import__("claude_nb.cost.models", fromlist=["_"]).models_by_use())`;

export class Buttons {
  /**
   * @param {object} app The host's JupyterFrontEnd.
   * @param {object} host The host's packages: {notebook, icons, widgets}.
   */
  constructor(app, host) {
    this.app = app;
    this.host = host;
  }

  /** Have each reply that this notebook shows decorated, whenever it is rendered. */
  follow(panel) {
    const { rendermime } = panel.content;
    const plain = rendermime.getFactory(KIND);
    const createRenderer = (options) => {
      const renderer = plain.createRenderer(options);
      const render = renderer.renderModel.bind(renderer);
      renderer.renderModel = async (model) => {
        await render(model);
        const record = model.metadata.claude_nb;
        if (record && !record.chat) this.decorate(panel, renderer.node, model, record);
      };
      return renderer;
    };
    rendermime.addFactory({ ...plain, createRenderer }, plain.defaultRank);
  }

  decorate(panel, node, model, record) {
    node.querySelectorAll(".claude-nb-actions").forEach((bar) => bar.remove());
    const root = node.querySelector(".claude-nb");
    if (!root) return;
    const blocks = [...node.querySelectorAll(CODE)].filter((code) => !code.closest("details"));
    blocks.forEach((code, i) => this.addToCode(panel, code, i, record));
    this.addToReply(panel, root, model, record);
  }

  addToCode(panel, code, i, record) {
    const { copyIcon, addBelowIcon, pasteIcon, bugIcon } = this.host.icons;
    const bar = new Bar(`Code block ${i + 1}`);
    const pre = code.parentElement;
    const source = () => code.textContent.replace(/\n$/, "");
    bar.add("Copy", copyIcon, async () => bar.say(await copied(source())));
    bar.add("Insert below", addBelowIcon, () => this.insert(panel, bar, source()));
    bar.add("Replace the next cell", pasteIcon, (element) => {
      const next = panel.content.widgets[indexOf(panel, bar.node) + 1];
      this.replace(panel, bar, pre, next, source(), element);
    });
    if (record.error_of) {
      bar.add("Replace the cell that failed", bugIcon, (element) => {
        const failed = failedCell(panel, record.error_of);
        this.replace(panel, bar, pre, failed, source(), element);
      });
    }
    pre.before(bar.node);
  }

  addToReply(panel, root, model, record) {
    const { copyIcon, refreshIcon, kernelIcon } = this.host.icons;
    const bar = new Bar("Reply");
    bar.node.classList.add("claude-nb-actions-reply");
    const text = () => model.data["text/markdown"] ?? root.innerText;
    bar.add("Copy as Markdown", copyIcon, async () => bar.say(await copied(text())));
    bar.add("Ask again", refreshIcon, () => this.askAgain(panel, bar));
    bar.add("Ask another model", kernelIcon, (element) => this.chooseModel(panel, bar, element));
    root.prepend(bar.node);
  }

  insert(panel, bar, source) {
    const index = indexOf(panel, bar.node);
    const refused = index < 0 ? GONE : readOnly(panel);
    if (refused) return bar.say(refused);
    bar.offerUndo("Inserted", insertBelow(panel, index, source).undo);
  }

  async replace(panel, bar, pre, cell, source, element) {
    const refused = cell ? readOnly(panel, cell) : "There is no such cell.";
    if (refused) return bar.say(refused);
    const before = cell.model.sharedModel.getSource();
    const accepted = before === source || (await confirm(pre, nameOf(cell), before, source));
    element.focus();
    if (before === source) return bar.say("The cell has this code already.");
    if (!accepted) return;
    if (cell.isDisposed) return bar.say(GONE);
    if (cell.model.sharedModel.getSource() !== before) return bar.say("The cell was changed meanwhile.");
    bar.offerUndo("Replaced", replace(cell, source));
  }

  askAgain(panel, bar) {
    const cell = panel.content.widgets[indexOf(panel, bar.node)];
    if (!cell) return bar.say(GONE);
    run(panel, cell.model.id, this.host.notebook.NotebookActions);
  }

  /** Ask the kernel which models there are, and let the reader choose one of them. */
  async chooseModel(panel, bar, element) {
    const { kernel } = panel.sessionContext.session ?? {};
    if (!kernel) return bar.say("There is no kernel.");
    const models = await Promise.race([expression(kernel, MODELS), busyAfter(3000)]);
    if (models === BUSY) return bar.say("The kernel is busy.");
    if (!models) return bar.say("This kernel does not have claude_nb.");
    const menu = new this.host.widgets.Menu({ commands: this.app.commands });
    const cell = panel.content.widgets[indexOf(panel, bar.node)]?.model.id;
    for (const model of models) {
      menu.addItem({ command: "claude-nb:ask-model", args: { model, cell, panel: panel.id } });
    }
    const { left, bottom } = element.getBoundingClientRect();
    menu.aboutToClose.connect(() => element.isConnected && element.focus());
    menu.open(left, bottom);
  }

  /** Ask the prompt of a cell again, in a cell below it, with another model. */
  askModel(panel, id, model) {
    const index = placeOf(panel, id);
    if (index < 0 || readOnly(panel)) return;
    const source = panel.content.widgets[index].model.sharedModel.getSource();
    const [line, ...prompt] = source.split("\n");
    const others = line.replace(/\s+(-m|--model)(\s+|=)\S+/g, "");
    const cell = insertBelow(panel, index, [`${others} -m ${model}`, ...prompt].join("\n"));
    return run(panel, cell.id, this.host.notebook.NotebookActions);
  }
}

const BUSY = "busy";
const GONE = "The cell is not there any more.";

/** The cell whose error a reply is about: by its id, or by the number of its execution. */
function failedCell(panel, { cell: id, execution }) {
  const cells = panel.content.widgets;
  const byNumber = ({ model }) => model.type === "code" && model.executionCount === execution;
  return id ? cells[placeOf(panel, id)] : cells.find(byNumber);
}

async function copied(text) {
  return (await copy(text)) ? "Copied" : "The page may not copy; select the text.";
}

function nameOf(cell) {
  const count = cell.model.type === "code" && cell.model.executionCount;
  return count ? `cell [${count}]` : "the cell";
}

function busyAfter(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, BUSY));
}

/** The value of a Python expression that gives JSON; undefined where the kernel has no claude_nb. */
async function expression(kernel, code) {
  const content = { code: "", silent: true, store_history: false, user_expressions: { it: code } };
  const reply = await kernel.requestExecute(content).done;
  const text = reply.content.user_expressions?.it?.data?.["text/plain"];
  return text && JSON.parse(text.slice(1, -1));
}

/** A toolbar in a corner, with the status of its last action. */
class Bar {
  constructor(label) {
    this.node = make("div", { class: "claude-nb-actions" });
    this.buttons = make("div", { role: "toolbar", "aria-label": label });
    this.status = make("span", { class: "claude-nb-actions-status", role: "status" });
    this.buttons.append(this.status);
    this.node.append(this.buttons);
  }

  add(label, icon, act) {
    this.buttons.append(button(label, act, icon));
  }

  say(words) {
    clearTimeout(this.timer);
    this.status.textContent = words;
    this.timer = setTimeout(() => this.status.replaceChildren(), 4000);
  }

  offerUndo(words, undo) {
    clearTimeout(this.timer);
    const back = () => {
      this.buttons.querySelector("button:not(.claude-nb-undo)").focus();
      this.say(undo() ? "Undone" : "It was changed since; nothing was undone.");
    };
    const element = button("Undo", back);
    element.classList.add("claude-nb-undo");
    this.status.replaceChildren(`${words} · `, element);
    this.timer = setTimeout(() => this.status.replaceChildren(), 30_000);
  }
}
