// Buttons on finished replies: on each block of code, and on the whole reply.

import { GONE, Rendered, cellOf, insertCell, placeOf, readOnly, replace, run } from "./cells.js";
import { confirm } from "./difference.js";
import { ask } from "./kernel.js";
import { afterRender, button, copy, make, recordOf } from "./page.js";
import { Active, InCell } from "./targets.js";

const CODE = 'pre > code[class^="language-"]';
const ANSWERED = "claude-nb-answer"; // an event of chats: see claude_nb/views/static/chat_turn.js
const KIND = "text/html";
const MODELS = `__import__("json").dumps(__import__("claude_nb.cost.models", fromlist=["_"]).models_by_use())`;
const LARGEST = 8e6; // characters of what is sent to the kernel in one message
const PATIENCE = 3000; // milliseconds that a reader waits for a menu

export class Buttons {
  /**
   * @param {object} app The host's JupyterFrontEnd.
   * @param {object} tracker The host's INotebookTracker.
   * @param {import("./panel.js").ChatPanel} chat
   * @param {object} host The host's packages: {notebook, icons, widgets}.
   */
  constructor(app, tracker, chat, host) {
    this.app = app;
    this.tracker = tracker;
    this.chat = chat;
    this.host = host;
  }

  /** Have each complete answer of a chat decorated: those that are on the page, and those to come. */
  followChats() {
    document.addEventListener(ANSWERED, ({ target }) => this.decorateAnswer(target));
    document.querySelectorAll(".claude-nb[data-kernel]").forEach((body) => this.decorateAnswer(body));
  }

  decorateAnswer(body) {
    const panel = this.tracker.find(({ content }) => content.node.contains(body));
    const target = panel
      ? new InCell(this.tracker, panel.context, body)
      : new Active(this.tracker, body.dataset.kernel);
    this.decorateCode(body, target);
  }

  /** Have each reply that this notebook shows decorated, whenever it is rendered. */
  follow(context, rendermime) {
    afterRender(rendermime, KIND, (node, model) => {
      const record = recordOf(model);
      if (record) this.decorate(new Rendered(this.tracker, context, node, model), record);
    });
  }

  decorate(reply, record) {
    const root = reply.node.querySelector(".claude-nb");
    if (!root || root.closest(".claude-nb-covered")) return; // a live chat is shown over it
    this.decorateCode(root, reply, record.error_of);
    if (!record.chat) this.addToReply(reply, root, record);
  }

  /** Have buttons on each block of code with a language, and none from before. */
  decorateCode(root, target, errorOf) {
    root.querySelectorAll(".claude-nb-actions").forEach((bar) => bar.remove());
    const blocks = [...root.querySelectorAll(CODE)].filter((code) => !code.closest("details"));
    blocks.forEach((code, i) => this.addToCode(target, code, i, errorOf));
  }

  addToCode(target, code, i, errorOf) {
    const { copyIcon, addBelowIcon, pasteIcon, bugIcon } = this.host.icons;
    const bar = new Bar(`Code block ${i + 1}`);
    const pre = code.parentElement;
    const source = () => code.textContent.replace(/\n$/, "");
    bar.add("Copy", copyIcon, async () => bar.say(await copied(source())));
    bar.add("Insert below", addBelowIcon, () => this.insert(target, bar, source()));
    bar.add(target.label, pasteIcon, (element) => {
      this.replace(target, bar, pre, target.replaced, source(), element);
    });
    if (errorOf) {
      bar.add("Replace the cell that failed", bugIcon, (element) => {
        const failed = failedCell(target.context, errorOf);
        this.replace(target, bar, pre, failed, source(), element);
      });
    }
    pre.before(bar.node);
    const isFocused = pre.firstElementChild === document.activeElement; // a chat's own Copy
    if (isFocused) bar.buttons.querySelector("button").focus();
  }

  addToReply(reply, root, record) {
    const { copyIcon, refreshIcon, kernelIcon } = this.host.icons;
    const bar = new Bar("Reply");
    bar.node.classList.add("claude-nb-actions-reply");
    const text = () => reply.model.data["text/markdown"] ?? root.innerText;
    bar.add("Copy as Markdown", copyIcon, async () => bar.say(await copied(text())));
    bar.add("Ask again", refreshIcon, () => this.askAgain(reply, bar));
    bar.add("Ask another model", kernelIcon, (element) => this.chooseModel(reply, bar, element));
    if (record.turn || record.once?.text) {
      bar.add("Continue in a chat", this.chat.host.icon, () => this.goOn(reply, bar, record));
    }
    root.prepend(bar.node);
  }

  /** Go on from a reply in the chat beside the notebook: from what the notebook holds of it. */
  goOn({ context, cell, panel }, bar, record) {
    if (!cell) return bar.say(GONE);
    this.app.shell.activateById(panel.id); // the chat is that of the active notebook
    const execution = cellOf(context, cell).executionCount;
    this.chat.open({ records: branchOf(context, record), execution });
  }

  insert(target, bar, source) {
    const { context, index } = target;
    const refused = index < 0 ? GONE : readOnly(context);
    if (refused) return bar.say(refused);
    const { id, undo } = insertCell(context, index + 1, source, { trusted: false });
    bar.offerUndo("Inserted", target.inserted(id, undo));
  }

  async replace({ context }, bar, pre, cell, source, element) {
    const refused = cell ? unfit(cell) || readOnly(context, cell) : "There is no such cell.";
    if (refused) return bar.say(refused);
    const { id } = cell;
    const before = cell.sharedModel.getSource();
    const accepted = before === source || (await confirm(pre, nameOf(cell), before, source));
    element.focus();
    if (before === source) return bar.say("The cell already has this code.");
    if (!accepted) return;
    const now = cellOf(context, id); // another object if it was moved
    const late = now ? readOnly(context, now) : GONE;
    if (late) return bar.say(late);
    if (now.sharedModel.getSource() !== before) return bar.say("The cell has changed in the meantime.");
    bar.offerUndo("Replaced", replace(context, id, source));
  }

  askAgain({ panel, cell }, bar) {
    if (!cell) return bar.say(GONE);
    run(panel, cell, this.host.notebook.NotebookActions);
  }

  /** Ask the kernel which models there are, and let the reader choose one of them. */
  async chooseModel({ context, cell, panel }, bar, element) {
    const refused = cell ? readOnly(context) : GONE;
    if (refused) return bar.say(refused);
    bar.say("Looking for models…");
    const busy = { problem: "The kernel is busy. Choose a model when it is free." };
    const answer = ask(context.sessionContext, MODELS);
    const { problem = "", value: models = [] } = await Promise.race([answer, later(PATIENCE, busy)]);
    bar.say(problem);
    if (problem || !element.isConnected || panel.isDisposed) return;
    const menu = new this.host.widgets.Menu({ commands: this.app.commands });
    for (const model of models) {
      menu.addItem({ command: "claude-nb:ask-model", args: { model, cell, panel: panel.id } });
    }
    const { left, bottom } = element.getBoundingClientRect();
    menu.aboutToClose.connect(() => element.isConnected && element.focus());
    menu.open(left, bottom);
  }

  /** Ask the prompt of a cell again, in a cell below it, with another model. */
  askModel(panel, id, model) {
    const { context } = panel;
    const place = placeOf(context, id);
    if (place < 0 || readOnly(context)) return undefined; // it was deleted while the menu was open
    const [line, ...prompt] = cellOf(context, id).sharedModel.getSource().split("\n");
    const others = line.replace(/\s+(-m|--model)(\s+|=)\S+/g, "");
    const source = [`${others} -m ${model}`, ...prompt].join("\n");
    const added = insertCell(context, place + 1, source, { trusted: false });
    return run(panel, added.id, this.host.notebook.NotebookActions);
  }
}

/** The records of the turns up to the one of a record, as far as outputs hold them; its own last. */
function branchOf({ model }, record) {
  const outputs = [...model.cells].flatMap((cell) => cell.outputs?.toJSON() ?? []);
  const records = outputs.flatMap((output) => {
    const found = recordOf(output);
    return found?.replies ?? (found ? [found] : []);
  });
  const turns = new Map(records.map((each) => [each.turn?.id, each]));
  const branch = [record];
  let size = JSON.stringify(record).length;
  for (;;) {
    const before = turns.get(branch[0].turn?.parent);
    size += JSON.stringify(before)?.length ?? 0;
    if (!before?.turn || branch.includes(before) || size > LARGEST) return branch;
    branch.unshift(before);
  }
}

/** The cell whose error a reply is about: by its id, or by the number of its execution. */
function failedCell(context, { cell: id, execution }) {
  if (id) return cellOf(context, id);
  return [...context.model.cells].find(
    ({ type, executionCount }) => type === "code" && executionCount === execution,
  );
}

/** Why code may not take the place of a cell, or an empty string. */
function unfit({ type, outputs }) {
  if (type !== "code") return "That cell is not code.";
  const holdsChat = (output) => recordOf(output)?.chat;
  return outputs.toJSON().some(holdsChat) ? "That cell holds a chat." : "";
}

async function copied(text) {
  return (await copy(text)) ? "Copied" : "The browser did not allow copying; select the text.";
}

function nameOf({ type, executionCount: count }) {
  return type === "code" && count ? `cell [${count}]` : "the cell";
}

function later(milliseconds, value) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, value));
}

/**
 * A toolbar in a corner, with the status of its last action. It is one stop of the Tab key: a reply
 * may have hundreds of buttons. The arrow keys go from one to the next.
 */
class Bar {
  constructor(label) {
    this.node = make("div", { class: "claude-nb-actions" });
    this.buttons = make("div", { role: "toolbar", "aria-label": label });
    this.status = make("span", { class: "claude-nb-actions-status", role: "status" });
    this.buttons.append(this.status);
    this.node.append(this.buttons);
    this.buttons.addEventListener("keydown", (event) => this.move(event));
    this.buttons.addEventListener("focusin", ({ target }) => this.stop(target));
  }

  get all() {
    return [...this.buttons.querySelectorAll("button")];
  }

  add(label, icon, act) {
    this.buttons.append(button(label, act, icon));
    this.stop(this.all[0]);
  }

  /** Make a button the one that the Tab key reaches. */
  stop(chosen) {
    for (const element of this.all) element.tabIndex = element === chosen ? 0 : -1;
  }

  move(event) {
    const { all } = this;
    const place = all.indexOf(event.target);
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all.at(to % all.length).focus();
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
      this.say(undo() ? "Undone" : "The cell has changed since, so nothing was undone.");
    };
    const element = button("Undo", back);
    element.classList.add("claude-nb-undo");
    this.status.replaceChildren(`${words} · `, element);
    this.timer = setTimeout(() => this.status.replaceChildren(), 30_000);
  }
}
