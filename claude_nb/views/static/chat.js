// The chat, on top of core.js. Its messages to and from Python are described in protocol.py.
//
// The turns are kept once, in `initialize`, and every view draws them. A view is made where the
// widget is rendered, and over each output that holds the saved form of this chat: that output is
// what the notebook saves, and the view lies over it for as long as there is a kernel.

const BUSY = 1500; // ms without an answer after which the reader is told that the kernel is busy

const GONE =
  "The kernel of this chat has ended. To continue, run its cell again.";

/** What all views of one chat share. */
class Chat {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.hosts = new Map(); // of the outputs that are covered: their wrapper, and its view
    this.places = new Set(); // where the widget is rendered
    this.answered = false; // whether the kernel has answered
    this.pending = new Map();
    this.turns = [];
    this.replies = new Map();
    const lists = { left_out: [], choices: [], files: [], queue: [], tools: [] };
    this.about = { name: "", cell: "", cost: "", mark: "", cleared: false, saved: "", ...lists };
    this.number = 0;
    this.gone = false;
    this.sending = false;
    this.asking = Promise.resolve(); // the last question, until the kernel has it
    this.attaching = Promise.resolve(""); // files on their way, and what has gone wrong with them
    this.unsent = null; // what was written since the kernel was last told
    this.writer = null; // the view in whose box the caret is, or was when the page took it away
    this.on("msg:custom", (message) => this.receive(message));
    this.on("change:snapshot", () => this.receive(model.get("snapshot")));
    for (const name of ["model", "effort", "models", "turns", "height", "draft", "starters"]) {
      this.on(`change:${name}`, () => this.each((view) => view.show(name)));
    }
    this.on("comm_live_update", () => this.end()); // it goes one way: a comm does not live again
    this.receive(model.get("snapshot"));
    this.restoreDraft();
    this.observer = new MutationObserver(() => this.cover());
    this.observer.observe(document.body, { childList: true, subtree: true });
    this.watch = setInterval(() => this.check(), 1000);
    this.cover();
  }

  on(name, handler) {
    this.model.on(name, handler);
  }

  each(action) {
    for (const view of this.views) action(view);
  }

  /** Who answers, by name. */
  get answerer() {
    return this.model.get("answerer");
  }

  /** Whether that is a function of the notebook, which has no models to choose from. */
  get isFunction() {
    return !this.model.get("models").length;
  }

  /** Whether an answer is under way: as the turns have it, which may be ahead of the model's state. */
  get busy() {
    return this.turns.some((turn) => !turn.answer);
  }

  receive(message) {
    if (message?.ack !== undefined) {
      this.answered = true;
      this.showOne();
      this.pending.get(message.ack)?.(message);
      this.pending.delete(message.ack);
      return;
    }
    if (!message?.ops) return;
    if (!message.reset && message.chat <= this.number) return;
    if (!message.reset && message.chat !== this.number + 1) {
      this.model.send({ op: "resync" });
      return;
    }
    this.number = message.chat;
    for (const op of message.ops) this.apply(op);
    this.each((view) => view.follow());
  }

  apply(op) {
    if (op.op === "turns") {
      this.turns.splice(op.keep, Infinity, ...op.turns);
      const keys = new Set(this.turns.map((turn) => turn.key));
      for (const key of this.replies.keys()) if (!keys.has(key)) this.replies.delete(key);
      this.each((view) => view.showTurns());
    } else if (op.op === "frame") {
      if (!this.turns.some((turn) => turn.key === op.turn)) return;
      const reply = this.reply(op.turn);
      const was = reply.done;
      reply.receive(op);
      if (reply.done && !was) announce(reply.said);
    } else if (op.op === "about") {
      const isOther = this.about.name && this.about.name !== op.name;
      this.about = op;
      if (isOther) this.restoreDraft();
      this.each((view) => view.show("about"));
      this.cover();
    } else if (op.op === "refused") {
      // Perhaps before the question itself was answered, which empties the box.
      this.asking.then(() => this.each((view) => view.refused(op)));
    }
  }

  /** The reply that grows in a turn. */
  reply(key) {
    if (!this.replies.has(key)) {
      const resync = () => this.model.send({ op: "resync" });
      this.replies.set(key, new Reply(resync, (question) => this.asked(question)));
      this.each((view) => view.showReply(key));
    }
    return this.replies.get(key);
  }

  /** Tell the reader of a question about a call, and the kernel that it can be answered here. */
  asked({ call, said }) {
    announce(said);
    this.model.send({ op: "asked", call });
  }

  /**
   * Send a message to the kernel, and return its answer. While the kernel is busy, a notice shows,
   * unless the reader did not ask for it (`quiet`).
   * @returns {Promise<{error?: string}>}
   */
  call(op, more = {}, buffers = undefined, { quiet = false } = {}) {
    if (this.gone) return Promise.resolve({ error: GONE });
    return new Promise((resolve) => {
      const n = Math.random();
      const late = setTimeout(() => {
        if (quiet) return;
        this.each((view) =>
          view.notice("The kernel is busy. This happens as soon as it is free.", { waits: true }),
        );
      }, BUSY);
      this.pending.set(n, (answer) => {
        clearTimeout(late);
        this.each((view) => view.endWait());
        resolve(answer);
      });
      try {
        this.model.send({ op, n, ...more }, undefined, buffers);
      } catch {
        this.end();
      }
    });
  }

  /**
   * Ask, with the files that are on their way, and the model and effort that are picked now: a
   * message can overtake a change of the state.
   * @returns {Promise<{error?: string}>}
   */
  ask(op, more) {
    const question = { ...more, model: this.model.get("model"), effort: this.model.get("effort") };
    this.asking = this.attaching.then((error) => (error ? { error } : this.call(op, question)));
    return this.asking;
  }

  /** Notice that the kernel has gone: its restart marks the widget, its death only the kernel. */
  check() {
    const kernel = this.model.widget_manager?.kernel;
    if (kernel && (kernel.isDisposed || kernel.status === "dead")) this.end();
    else if (["restarting", "autorestarting"].includes(kernel?.status)) this.end();
  }

  end() {
    if (this.gone) return;
    this.gone = true;
    if (!this.closed) this.keepAll();
    for (const resolve of this.pending.values()) resolve({ error: GONE });
    this.pending.clear();
    this.each((view) => view.end());
  }

  /**
   * Where the saved form is an output of its own beside the widget, show one of the two: the widget
   * once the kernel has answered, for there may be none.
   */
  showOne() {
    if (!this.about.mark || !this.places.size) return;
    const saved = [...document.getElementsByClassName(`${this.about.mark}-beside`)];
    for (const each of saved) each.style.display = this.answered ? "none" : "";
    for (const each of this.places) each.style.display = this.answered || !saved.length ? "" : "none";
    if (saved.length && !this.greeted) {
      this.greeted = true;
      this.call("hello", {}, undefined, { quiet: true });
    }
  }

  /** Put a view over each output that holds the saved form of this chat, and forget those gone. */
  cover() {
    this.showOne();
    for (const [wrapper, { view, host, area }] of this.hosts) {
      if (wrapper.isConnected && host.isConnected) continue;
      area.classList.remove("claude-nb-holds");
      view.close();
      this.views.delete(view);
      this.hosts.delete(wrapper);
      this.each((other) => other.bar.show());
    }
    if (!this.about.mark || this.closed) return;
    for (const saved of document.getElementsByClassName(this.about.mark)) {
      const output = saved.closest(".jp-OutputArea-output");
      const wrapper = output?.parentElement;
      if (!wrapper || this.hosts.has(wrapper)) continue;
      const host = make("div", { class: "jp-OutputArea-output claude-nb-over" });
      wrapper.classList.add("claude-nb-covered");
      wrapper.append(host);
      const area = wrapper.parentElement;
      area.classList.add("claude-nb-holds");
      const view = new ChatView(this, host);
      this.hosts.set(wrapper, { view, host, area });
      this.views.add(view);
      this.each((other) => other.bar.show());
      this.writeOn(view);
    }
  }

  /** Let somebody whose box the page has just taken away go on writing in another. */
  writeOn(view) {
    const old = this.writer;
    if (!old || old.el.isConnected || document.activeElement !== document.body) return;
    const { selectionStart, selectionEnd } = old.box.area;
    view.box.area.focus();
    view.box.area.setSelectionRange(selectionStart, selectionEnd);
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** Keep what is written: at once for a view that takes another's place, soon in the kernel. */
  keepDraft(text) {
    this.unsent = text;
    this.model.set("draft", text);
    this.store(text);
    clearTimeout(this.saving);
    if (this.gone) return;
    this.saving = setTimeout(() => {
      this.model.set("draft", this.unsent); // the kernel may have told of an older one
      this.unsent = null;
      this.model.save_changes();
    }, 400);
  }

  /** What is written: what the kernel has, or what it was not told yet. */
  get draft() {
    return this.unsent ?? this.model.get("draft");
  }

  /** Under which name the page keeps what is written in this chat, while its tab is open. */
  get draftName() {
    return `claude-nb draft ${this.about.cell} ${this.about.name}`;
  }

  /** Keep a text for the chat that its cell makes when it is run again: a kernel may end. */
  store(text) {
    if (!this.about.cell) return;
    try {
      if (text) sessionStorage.setItem(this.draftName, text);
      else sessionStorage.removeItem(this.draftName);
    } catch {
      // a page that may not store anything
    }
  }

  /** Put what the kernel takes with it into the box: what it was answering, and what waits. */
  keepAll() {
    const open = this.turns.filter(({ answer }) => !answer).map(({ source }) => source);
    const queued = this.about.queue.map(({ text }) => text);
    const lost = [...open, ...queued].filter((text) => text !== this.draft);
    if (!lost.length) return;
    this.keepDraft([...lost, this.draft].filter((text) => text.trim()).join("\n\n"));
    this.about = { ...this.about, queue: [] };
    this.each((view) => {
      view.composer.put(this.draft);
      view.show("about");
    });
  }

  restoreDraft() {
    try {
      const text = this.about.cell && sessionStorage.getItem(this.draftName);
      if (text && !this.draft) this.keepDraft(text);
    } catch {
      // as in `store`
    }
  }

  close() {
    this.closed = true;
    this.end();
    clearInterval(this.watch);
    clearTimeout(this.saving);
    this.observer.disconnect();
    for (const [wrapper, { host, area }] of this.hosts) {
      wrapper.classList.remove("claude-nb-covered");
      area.classList.remove("claude-nb-holds");
      host.remove();
    }
  }
}

/** Call `does` when an element is on the page. */
function whenOnPage(element, does) {
  if (element.isConnected) return does();
  const observer = new MutationObserver(() => {
    if (!element.isConnected) return;
    observer.disconnect();
    does();
  });
  observer.observe(document.body, { childList: true, subtree: true });
}

/** Whether a widget is the whole of an output, rather than a part of another widget. */
function isWholeOutput(el) {
  const output = el.closest(".jp-OutputArea-output");
  return Boolean(output) && !el.parentElement.closest(".jupyter-widgets");
}

// A function, so that each model has a `chat` of its own.
export default () => {
  let chat;
  return {
    initialize({ model }) {
      chat = new Chat(model);
      return () => chat.close();
    },
    render({ model, el }) {
      el.classList.add("claude-nb-part");
      const view = new ChatView(chat, el);
      chat.views.add(view);
      chat.places.add(el);
      whenOnPage(el, () => {
        chat.showOne();
        if (isWholeOutput(el)) model.send({ op: "covered" });
      });
      return () => {
        view.close();
        chat.views.delete(view);
        chat.places.delete(el);
      };
    },
  };
};
