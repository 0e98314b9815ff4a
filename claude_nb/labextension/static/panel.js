// A chat beside the notebook: the output of one of its cells, shown in the side panel.
//
// The cell holds claude_nb.Chat("panel"), folded, at the notebook's end. So the conversation is
// saved, restored and forgotten as every chat is, and anybody who opens the notebook sees that it is there.

import { GONE, insertCell } from "./cells.js";
import { ask } from "./kernel.js";
import { button, make } from "./page.js";

const ID = "claude-nb-chat";
const SOURCE = 'import claude_nb\nclaude_nb.Chat("panel")';
const RESTARTED = "The kernel was restarted or has ended.";
const GO_ON = "Continue from the saved chat";
const IS_CHAT = /^\s*(claude_nb\.)?Chat\(\s*["']panel["']/m;

/** The panel, and what it shows of each notebook. */
export class ChatPanel {
  /**
   * @param {object} app The host's JupyterFrontEnd.
   * @param {object} tracker The host's INotebookTracker.
   * @param {object} host The host's packages: {outputarea, widgets, cells}, and the icon.
   */
  constructor(app, tracker, host) {
    this.app = app;
    this.tracker = tracker;
    this.host = host;
    this.views = new WeakMap(); // NotebookPanel -> View
    tracker.currentChanged.connect(() => this.show());
  }

  /** Open the chat of the active notebook, and have it go on from a reply if one is given. */
  async open(reply) {
    if (!this.panel || this.panel.isDisposed) {
      const { Panel } = this.host.widgets;
      this.panel = Object.assign(new Panel(), { id: ID });
      this.panel.addClass("claude-nb-panel");
      this.panel.title.icon = this.host.icon;
      this.panel.title.caption = "Claude";
      this.panel.node.setAttribute("aria-label", "Claude");
      this.app.shell.add(this.panel, "right", { rank: 900, type: "Claude" });
    }
    this.app.shell.activateById(ID);
    const view = this.show();
    await view?.start();
    const chat = await view?.drawn();
    if (!chat) return;
    chat.querySelector("textarea").focus();
    if (reply) chat.dispatchEvent(new CustomEvent("claude-nb-continue", { detail: reply }));
  }

  /** Move it to the main area, or back. */
  move() {
    if (!this.panel || this.panel.isDisposed) return;
    const area = [...this.app.shell.widgets("main")].includes(this.panel) ? "right" : "main";
    this.app.shell.add(this.panel, area, { mode: "split-right" });
    this.app.shell.activateById(ID);
  }

  /** Show the active notebook's chat; returns its view. */
  show() {
    const notebook = this.tracker.currentWidget;
    if (!this.panel || this.panel.isDisposed || !notebook) return undefined;
    let view = this.views.get(notebook);
    if (!view) {
      view = new View(notebook, this.host);
      this.views.set(notebook, view);
      this.panel.addWidget(view.widget);
      notebook.disposed.connect(() => view.widget.dispose());
    }
    for (const widget of this.panel.widgets) widget.setHidden(widget !== view.widget);
    return view;
  }
}

/** The chat of one notebook. */
class View {
  constructor(notebook, host) {
    this.notebook = notebook;
    this.host = host;
    this.live = false; // whether the chat is shown, and its cell and its kernel are there
    this.widget = new host.widgets.Panel();
    this.widget.addClass("claude-nb-panel-view");
    this.message = make("div", { class: "claude-nb-panel-message", role: "status" });
    this.widget.node.append(this.message);
    notebook.sessionContext.statusChanged.connect((_, status) => this.follow(status));
    notebook.sessionContext.kernelChanged.connect(() => this.leave(RESTARTED, GO_ON));
    notebook.context.model.cells.changed.connect(() => this.changed());
    this.offer("", "Open the chat of this notebook");
  }

  /** The cell with the chat, or undefined: the host's ICellModel. */
  get cell() {
    return [...this.notebook.context.model.cells].find(
      ({ type, sharedModel }) => type === "code" && IS_CHAT.test(sharedModel.getSource()),
    );
  }

  /** Show the chat, which is made in the kernel if it is not there. */
  async start() {
    const { sessionContext, context } = this.notebook;
    await Promise.all([context.ready, sessionContext.ready]);
    if (this.running || this.live) return;
    this.running = true;
    try {
      const problem = await this.run(sessionContext);
      if (problem) this.offer(problem, "Try again");
    } catch {
      this.offer(RESTARTED, GO_ON); // the host rejects what runs in such a kernel
    } finally {
      this.running = false;
    }
  }

  /** Run the cell with the chat, and show what it displays. Returns why that was not possible. */
  async run(sessionContext) {
    const free = sessionContext.session?.kernel?.status === "idle";
    this.say(free ? "" : "The kernel is busy. The chat opens as soon as it is free.");
    const { problem } = await ask(sessionContext);
    if (problem || this.notebook.isDisposed) return problem;
    const model = this.cell ?? this.added();
    if (!model) return "This notebook is read-only.";
    const cell = this.notebook.content.widgets.find((each) => each.model === model);
    await this.host.cells.CodeCell.execute(cell, sessionContext);
    if (cell.isDisposed) return GONE;
    cell.outputHidden = true; // it was unfolded when it ran
    this.say("");
    this.live = true;
    this.draw(model);
    return "";
  }

  /** A new cell with the chat, folded, at the notebook's end; undefined if nothing may be written. */
  added() {
    const { context } = this.notebook;
    if (context.model.readOnly) return undefined;
    const folded = { jupyter: { source_hidden: true, outputs_hidden: true } };
    insertCell(context, context.model.cells.length, SOURCE, folded);
    return this.cell;
  }

  draw({ outputs, stateChanged }) {
    this.area?.dispose();
    outputs.changed.connect(this.changed, this);
    stateChanged.connect(this.changed, this); // a run that is aborted changes nothing else
    const { rendermime } = this.notebook.content;
    const { SimplifiedOutputArea } = this.host.outputarea;
    this.area = new SimplifiedOutputArea({ model: outputs, rendermime });
    this.widget.addWidget(this.area);
  }

  follow(status) {
    if (["restarting", "autorestarting", "terminating", "dead"].includes(status)) {
      this.leave(RESTARTED, GO_ON);
    }
  }

  /** Look at the notebook when it is changed: a cell that is moved is taken out first. */
  changed() {
    setTimeout(() => this.keep());
  }

  /** Show the chat of the cell that the notebook has now: it was moved, deleted, cleared or reverted. */
  keep() {
    if (!this.live || this.running || this.notebook.isDisposed) return;
    const { cell } = this;
    if (!cell) return this.leave("The cell with the chat is no longer in the notebook.", "Open it again");
    if (cell.outputs !== this.area.model) this.draw(cell);
    const isCleared = !cell.outputs.length && cell.executionState === "idle";
    if (isCleared) this.leave("The output of the chat's cell was cleared.", GO_ON);
  }

  /** Show the chat no more, nothing of what is typed there would be answered or saved. */
  leave(words, label) {
    if (!this.live) return;
    this.live = false;
    const isFocused = this.widget.node.contains(document.activeElement);
    this.area.dispose();
    const again = this.offer(words, label);
    if (isFocused) again.focus();
  }

  /** Say something, with a button that starts the chat. Returns the button. */
  offer(words, label) {
    const start = button(label, () => this.start());
    this.say(words && `${words} `);
    this.message.append(start);
    return start;
  }

  say(words) {
    this.message.textContent = words;
  }

  /** The element of the chat, as soon as its widget is drawn; undefined where there is none. */
  drawn() {
    const chat = () => this.widget.node.querySelector(".claude-nb-chat") ?? undefined;
    if (chat() || !this.live) return Promise.resolve(chat());
    return new Promise((resolve) => {
      const found = () => {
        observer.disconnect();
        resolve(chat());
      };
      const observer = new MutationObserver(() => chat() && found());
      observer.observe(this.widget.node, { childList: true, subtree: true });
      setTimeout(found, 10_000);
    });
  }
}
