// The chat, on top of core.js. What is said between it and Python stands in protocol.py.
//
// What was said is kept once, in `initialize`, and every view draws it. A view is made where the
// widget is rendered, and over each output that holds the saved form of this chat: that output is
// what the notebook saves, and the view lies over it for as long as there is a kernel.

const BUSY = 1500; // ms without an answer after which the reader is told that the kernel is busy
const LARGEST = 8e6; // bytes of a file: what the server's channel takes in one message
const PASTE = 20000; // characters of pasted text from which on it goes along as a file
const HEALED = 1500; // ms after which an output that Python replaced must have changed

const GONE =
  "The kernel that held this chat has ended. To go on, run claude_nb.Chat.restore() in a cell.";
const ANSWERING = "Claude is still answering. Wait for the end, or press Stop; your text is kept.";

/** An element with attributes (`on…` are listeners) and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function button(label, title, onclick, more = {}) {
  return make("button", { type: "button", title, "aria-label": title, onclick, ...more }, label);
}

/** Formulas as their source, as in a reply that grows: nothing typesets them on a live page. */
function sourced(nodes) {
  for (const formula of nodes.querySelectorAll(".mathjax_process")) {
    const [, opening, source] = formula.textContent.match(/^\\([([])(.*)\\[)\]]$/s) ?? [];
    const sign = opening === "[" ? "$$" : "$";
    if (opening) formula.textContent = `${sign}${source}${sign}`;
  }
  return nodes;
}

let ids = 0;

/** What all views of one chat share. */
class Chat {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.hosts = new Map(); // of the outputs that are covered: their wrapper, and its view
    this.pending = new Map();
    this.turns = [];
    this.replies = new Map();
    this.about = { name: "", cost: "", mark: "", cleared: false, files: [] };
    this.number = 0;
    this.gone = false;
    this.sending = false;
    this.writer = null; // the view in whose box the caret is, or was when the page took it away
    this.on("msg:custom", (message) => this.receive(message));
    this.on("change:snapshot", () => this.receive(model.get("snapshot")));
    for (const name of ["model", "effort", "models", "busy", "turns", "height", "draft"]) {
      this.on(`change:${name}`, () => this.each((view) => view.show(name)));
    }
    this.on("comm_live_update", () => this.end()); // it goes one way: a comm does not live again
    this.receive(model.get("snapshot"));
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

  get busy() {
    return this.model.get("busy");
  }

  receive(message) {
    if (message?.ack !== undefined) {
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
      this.about = op;
      this.each((view) => view.show("about"));
      this.cover();
    } else if (op.op === "refused") {
      this.each((view) => view.refused(op));
    } else if (op.op === "settled") {
      this.version = op.version;
      clearTimeout(this.healing);
      this.healing = setTimeout(() => this.heal(), HEALED);
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
   * Say something to the kernel, and give what it answers. While it is busy, the reader is told.
   * @returns {Promise<{error?: string}>}
   */
  call(op, more = {}, buffers = undefined) {
    if (this.gone) return Promise.resolve({ error: GONE });
    return new Promise((resolve) => {
      const n = Math.random();
      const late = setTimeout(() => {
        this.each((view) =>
          view.notice("The kernel is busy. This is done as soon as it can answer.", { waits: true }),
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

  /** Notice that the kernel has gone: its restart marks the widget, its death only the kernel. */
  check() {
    const kernel = this.model.widget_manager?.kernel;
    if (kernel && (kernel.isDisposed || kernel.status === "dead")) this.end();
    else if (["restarting", "autorestarting"].includes(kernel?.status)) this.end();
  }

  end() {
    if (this.gone) return;
    this.gone = true;
    for (const resolve of this.pending.values()) resolve({ error: GONE });
    this.pending.clear();
    this.each((view) => view.end());
  }

  /** Put a view over each output that holds the saved form of this chat, and forget those gone. */
  cover() {
    for (const [wrapper, { view, host, area }] of this.hosts) {
      if (wrapper.isConnected && host.isConnected) continue;
      area.classList.remove("claude-nb-holds");
      view.close();
      this.views.delete(view);
      this.hosts.delete(wrapper);
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

  /** Give the notebook the newest saved form where what Python displayed did not reach this page. */
  async heal() {
    const cells = this.model.widget_manager?.context?.model?.cells;
    if (!cells) return;
    const old = [];
    for (const cell of cells) {
      for (let i = 0; i < (cell.outputs?.length ?? 0); i++) {
        const output = cell.outputs.get(i);
        const html = output.data?.["text/html"];
        if (typeof html !== "string" || !html.includes(this.about.mark)) continue;
        if (!html.includes(`claude-nb-v${this.version} `)) old.push(output);
      }
    }
    if (!old.length) return;
    const { data, metadata } = await this.call("saved");
    if (data) for (const output of old) output.setData({ data, metadata });
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** Keep what is written: at once for a view that takes another's place, soon in the kernel. */
  keepDraft(text) {
    this.model.set("draft", text);
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.model.save_changes(), 400);
  }

  close() {
    this.closed = true;
    this.end();
    clearInterval(this.watch);
    clearTimeout(this.healing);
    clearTimeout(this.saving);
    this.observer.disconnect();
    for (const [wrapper, { host, area }] of this.hosts) {
      wrapper.classList.remove("claude-nb-covered");
      area.classList.remove("claude-nb-holds");
      host.remove();
    }
  }
}

/** A text box that grows, in which Enter sends. */
class Box {
  /** @param {{label: string, send: () => void, escape?: () => boolean}} does */
  constructor(does) {
    this.does = does;
    this.area = make("textarea", {
      rows: 1,
      dir: "auto",
      "aria-label": does.label,
      placeholder: does.placeholder,
      onkeydown: (event) => this.key(event),
      oninput: () => this.changed(),
    });
  }

  get value() {
    return this.area.value;
  }

  set value(text) {
    this.area.value = text;
    this.grow();
  }

  changed() {
    this.grow();
    this.does.changed?.();
  }

  grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
  }

  key(event) {
    if (event.isComposing || event.keyCode === 229) return; // the Enter that ends a composition
    if (this.does.key?.(event)) {
      event.preventDefault();
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.does.send();
    }
  }
}

/** The names of variables, to choose from with the keys while `{{` is being written. */
class Names {
  constructor(area, chat) {
    this.area = area;
    this.chat = chat;
    this.id = `claude-nb-names-${ids++}`;
    this.list = make("ul", { class: "claude-nb-names", role: "listbox", id: this.id, hidden: true });
    this.list.setAttribute("aria-label", "Variables");
    this.matches = [];
    area.setAttribute("aria-autocomplete", "list");
    area.setAttribute("aria-controls", this.id);
    area.addEventListener("blur", () => this.hide());
  }

  get before() {
    return this.area.value.slice(0, this.area.selectionStart);
  }

  get isOpen() {
    return !this.list.hidden;
  }

  async update() {
    const before = this.before;
    const begun = before.match(/\{\{\s*[\p{L}\p{N}_]*$/u);
    if (!begun) return this.hide();
    const { matches = [] } = await this.chat.call("complete", { text: begun[0] });
    if (this.before !== before) return; // more was typed meanwhile, and asked for by itself
    this.matches = matches;
    if (!matches.length) return this.hide();
    this.list.replaceChildren(
      ...matches.map(({ name, about }, index) =>
        make(
          "li",
          { role: "option", id: `${this.id}-${index}`, onmousedown: (event) => this.take(event, index) },
          make("code", {}, name),
          make("span", {}, about),
        ),
      ),
    );
    if (this.list.hidden) {
      announce(`${matches.length} variables. Arrow keys choose, Enter puts in.`);
    }
    this.list.hidden = false;
    this.choose(0);
  }

  choose(index) {
    this.index = (index + this.matches.length) % this.matches.length;
    for (const [number, item] of [...this.list.children].entries()) {
      item.setAttribute("aria-selected", String(number === this.index));
    }
    const item = this.list.children[this.index];
    item.scrollIntoView({ block: "nearest" });
    this.area.setAttribute("aria-activedescendant", item.id);
  }

  take(event, index = this.index) {
    event.preventDefault();
    const before = this.before.replace(/\{\{\s*[\p{L}\p{N}_]*$/u, "");
    const after = this.area.value.slice(this.area.selectionStart).replace(/^[\p{L}\p{N}_]*(\}\})?/u, "");
    const put = `{{${this.matches[index].name}}}`;
    this.hide();
    this.area.setRangeText(put, before.length, this.area.value.length - after.length, "end");
    this.area.dispatchEvent(new Event("input"));
  }

  hide() {
    this.list.hidden = true;
    this.area.removeAttribute("aria-activedescendant");
  }

  /** Whether a key was meant for the list. */
  key(event) {
    if (!this.isOpen) return false;
    if (event.key === "ArrowDown") this.choose(this.index + 1);
    else if (event.key === "ArrowUp") this.choose(this.index - 1);
    else if (event.key === "Enter" || event.key === "Tab") this.take(event);
    else if (event.key === "Escape") this.hide();
    else return false;
    return true;
  }
}

/** A question with its answer, in one view. */
class TurnView {
  constructor(view, turn) {
    this.view = view;
    this.chat = view.chat;
    this.bubble = make("div", { class: "claude-nb-you", dir: "auto" });
    this.edit = button("Edit", "Edit this question, and ask it anew", () => this.startEdit());
    this.edit.className = "claude-nb-quiet";
    this.asked = make("div", { class: "claude-nb-asked" }, this.edit, this.bubble);
    this.body = make("div", { class: "claude-nb mathjax_ignore tex2jax_ignore" });
    const answer = make("div", { class: "claude-nb-answer jp-RenderedHTMLCommon jp-RenderedHTML" });
    answer.append(this.body);
    this.status = make("p", { class: "claude-nb-status", hidden: true });
    this.doing = make("span", { class: "claude-nb-doing" });
    this.status.append(make("span", { class: "claude-nb-dot" }), this.doing);
    this.below = make("div", { class: "jp-RenderedHTMLCommon jp-RenderedHTML" });
    this.meta = make("div", { class: "claude-nb-meta" });
    this.usage = make("div", { class: "claude-nb-usage jp-RenderedHTMLCommon jp-RenderedHTML" });
    this.usage.hidden = true;
    this.el = make("article", { class: "claude-nb-turn" });
    this.el.append(this.asked, answer, this.status, this.below, this.meta, this.usage);
    this.body.addEventListener("click", (event) => {
      const copying = event.target.closest(".claude-nb-copy");
      if (copying) copyCode(copying);
    });
    this.update(turn);
  }

  update(turn) {
    const before = this.turn;
    this.turn = turn;
    if (!this.editing && before?.prompt !== turn.prompt) {
      this.bubble.innerHTML = turn.prompt;
      if (turn.asked_in) this.bubble.prepend(make("span", { class: "claude-nb-in" }, turn.asked_in));
    }
    this.showReply();
    if (turn.answer && !before?.answer) {
      if (!this.panes) this.body.replaceChildren(sourced(nodesOf(turn.answer.html)));
      this.below.innerHTML = turn.answer.below;
      this.usage.innerHTML = turn.answer.usage;
    }
    this.showMeta();
  }

  /** Draw the reply that grows here, once there is one. */
  showReply() {
    const reply = this.chat.replies.get(this.turn.key);
    if (reply && !this.panes && !(this.turn.answer && reply.frame === 0)) {
      this.body.replaceChildren();
      this.panes = new Panes(
        reply,
        this.body,
        (pane, open) => reply.fold(pane, open),
        (call, allow) => this.chat.model.send({ op: "confirm", call, allow }),
      );
      this.reply = reply;
      reply.views.add(this);
    }
    this.status.hidden = Boolean(this.turn.answer);
    if (!this.turn.answer && !this.clock) this.clock = setInterval(() => this.showClock(), 200);
    if (this.turn.answer) clearInterval(this.clock);
    this.showClock();
  }

  showClock() {
    if (this.turn.answer) return;
    const doing = this.view.stopping ? "stopping" : (this.reply?.words() ?? "sending");
    if (this.doing.textContent !== doing) this.doing.textContent = doing;
    const waits = this.reply?.status?.wait !== undefined;
    this.status.classList.toggle("claude-nb-waiting", waits);
  }

  clear() {
    this.panes.clear();
  }

  draw(op) {
    if (op.op === "status" || op.op === "done") this.showClock();
    else this.panes.draw(op);
  }

  showMeta() {
    const { answer, at, source } = this.turn;
    const quiet = { class: "claude-nb-quiet" };
    const [number, count] = at;
    const parts = [];
    if (answer?.simulated) parts.push(make("span", { class: "claude-nb-badge" }, "simulated"));
    if (answer?.usage) {
      this.more ??= button(answer.line, "Tokens, cost and times", () => this.toggleUsage(), quiet);
      this.more.setAttribute("aria-expanded", String(!this.usage.hidden));
      parts.push(this.more);
    } else if (answer?.line) {
      parts.push(make("span", {}, answer.line));
    }
    if (answer?.source) {
      parts.push(button("Copy", "Copy this answer as Markdown", () => this.copy(), quiet));
    }
    if (answer) {
      parts.push(button("Retry", "Ask this again", () => this.retry(), quiet));
    }
    if (count > 1) {
      const pick = (by, sign, title, off) =>
        button(sign, title, () => this.pick(by), { ...quiet, disabled: off });
      parts.push(
        make(
          "span",
          { class: "claude-nb-branch", role: "group", "aria-label": `Version ${number} of ${count}` },
          pick(-1, "‹", "The version before", number === 1),
          `${number}/${count}`,
          pick(1, "›", "The next version", number === count),
        ),
      );
    }
    const focused = this.meta.contains(document.activeElement)
      ? document.activeElement.getAttribute("aria-label")
      : null;
    this.meta.replaceChildren(...parts);
    this.meta.hidden = !parts.length;
    this.edit.hidden = !answer || !source;
    if (focused) this.meta.querySelector(`[aria-label="${focused}"]`)?.focus();
  }

  toggleUsage() {
    this.usage.hidden = !this.usage.hidden;
    this.more.setAttribute("aria-expanded", String(!this.usage.hidden));
  }

  async copy() {
    const copied = await copy(this.turn.answer.source);
    this.view.notice(copied ? "Copied." : "The page may not copy; select the text.", { brief: copied });
  }

  async retry() {
    if (this.view.isBusy()) return;
    this.view.goToEnd();
    this.view.answered(await this.chat.call("retry", { turn: this.turn.key }));
  }

  async pick(by) {
    if (this.view.isBusy()) return;
    this.view.answered(await this.chat.call("pick", { turn: this.turn.key, by }));
  }

  startEdit() {
    if (this.editing || this.view.isBusy()) return;
    const send = async () => {
      if (!this.editing.value.trim()) return this.view.notice("There is nothing to send.");
      if (this.view.isBusy()) return;
      const text = this.editing.value;
      this.view.goToEnd();
      const answer = await this.chat.call("edit", { turn: this.turn.key, text });
      if (this.view.answered(answer)) this.endEdit();
    };
    const box = new Box({
      label: "Edit the question",
      send,
      key: (event) => {
        if (names.key(event)) return true;
        if (event.key !== "Escape") return false;
        this.endEdit();
        return true;
      },
      changed: () => names.update(),
    });
    const names = new Names(box.area, this.chat);
    this.editing = box;
    this.form = make(
      "div",
      { class: "claude-nb-edit" },
      box.area,
      names.list,
      make(
        "div",
        {},
        button("Cancel", "Leave the question as it was", () => this.endEdit(), { class: "claude-nb-stop" }),
        button("Ask", "Ask this instead; the first version is kept", send, { class: "claude-nb-stop" }),
      ),
    );
    this.asked.hidden = true;
    this.asked.after(this.form);
    box.value = this.turn.source;
    box.area.focus();
  }

  endEdit() {
    this.form?.remove();
    this.editing = this.form = null;
    this.asked.hidden = false;
    if (this.el.isConnected) this.edit.focus();
    else this.view.box.area.focus();
  }

  close() {
    clearInterval(this.clock);
    this.reply?.views.delete(this);
    this.el.remove();
  }
}

/** One place on the page where a chat is shown. */
class ChatView {
  constructor(chat, el) {
    this.chat = chat;
    this.items = [];
    this.goToEnd();
    this.recalled = -1;
    this.makeBar();
    this.log = make("div", {
      class: "claude-nb-log",
      role: "log",
      "aria-live": "off",
      "aria-label": "Conversation with Claude",
      tabindex: 0,
      onscroll: () => this.scrolled(),
    });
    this.empty = make("div", { class: "claude-nb-empty" });
    this.log.append(this.empty);
    this.latest = button("↓ latest", "Go to the latest message", () => this.jump());
    this.latest.className = "claude-nb-latest";
    this.latest.hidden = true;
    const middle = make("div", { class: "claude-nb-middle" }, this.log, this.latest);
    this.line = make("p", { class: "claude-nb-notice", role: "status", hidden: true });
    this.makeBox();
    this.el = make("div", { class: "claude-nb-widget claude-nb-chat", "data-lm-suppress-shortcuts": "" });
    this.el.append(this.bar, middle, this.line, this.foot);
    this.el.addEventListener("keydown", (event) => this.keydown(event));
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
      this.el.addEventListener(name, (event) => this.drag(event));
    }
    this.el.addEventListener("paste", (event) => this.paste(event));
    this.guarding = (event) => this.guard(event);
    window.addEventListener("keydown", this.guarding, true);
    el.append(this.el);
    for (const name of ["models", "effort", "about", "height", "draft"]) this.show(name);
    this.showTurns();
    this.show("busy");
    this.resized = new ResizeObserver(() => this.follow());
    this.resized.observe(this.log);
    if (chat.gone) this.end();
    this.follow();
  }

  makeBar() {
    const choose = (name, label) =>
      make("select", {
        "aria-label": label,
        title: label,
        onchange: (event) => this.chat.set(name, event.target.value),
      });
    this.model = choose("model", "Model");
    this.effort = choose("effort", "Effort");
    this.total = make("span", { class: "claude-nb-total" });
    this.menu = make("div", { class: "claude-nb-menu", role: "menu", hidden: true });
    const item = (label, action) => {
      const does = () => {
        this.closeMenu();
        action();
      };
      return make("button", { type: "button", role: "menuitem", tabindex: -1, onclick: does }, label);
    };
    this.menu.append(
      item("Copy as Markdown", () => this.export("copy")),
      item("Save as Markdown", () => this.export("markdown")),
      item("Save as notebook", () => this.export("notebook")),
      item("Clear", () => this.clear()),
    );
    this.menu.addEventListener("keydown", (event) => this.menuKey(event));
    this.menu.addEventListener("focusout", (event) => {
      if (!this.menu.contains(event.relatedTarget) && event.relatedTarget !== this.opener) {
        this.closeMenu();
      }
    });
    this.opener = button("⋯", "More: copy, save, clear", () => this.openMenu(), {
      class: "claude-nb-quiet",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
    });
    const space = make("span", { class: "claude-nb-space" });
    this.bar = make("div", { class: "claude-nb-bar", role: "toolbar", "aria-label": "Chat" });
    this.bar.append(this.model, this.effort, space, this.total, this.opener, this.menu);
  }

  makeBox() {
    this.box = new Box({
      label: "Message to Claude",
      placeholder: "Ask Claude, with {{variables}}",
      send: () => this.send(),
      key: (event) => this.names.key(event) || this.recall(event),
      changed: () => this.written(),
    });
    this.box.area.addEventListener("focus", () => {
      this.chat.writer = this;
    });
    this.box.area.addEventListener("blur", () => {
      // Not if the box has gone from the page: see Chat.writeOn.
      setTimeout(() => {
        if (this.el.isConnected && this.chat.writer === this) this.chat.writer = null;
      });
    });
    this.names = new Names(this.box.area, this.chat);
    this.files = make("div", { class: "claude-nb-files" });
    this.picker = make("input", { type: "file", multiple: true, hidden: true, tabindex: -1 });
    this.picker.addEventListener("change", () => {
      this.attach([...this.picker.files]);
      this.picker.value = "";
    });
    this.attachButton = button("+", "Attach files", () => this.picker.click(), {
      class: "claude-nb-attach claude-nb-stop",
    });
    this.sendButton = button("Send", "Send (Enter)", () => this.send(), { class: "claude-nb-stop" });
    this.stopButton = button("Stop", "Stop the answer; what has come is kept", () => this.stop(), {
      class: "claude-nb-stop",
      hidden: true,
    });
    const row = make("div", { class: "claude-nb-row" });
    row.append(this.attachButton, this.box.area, this.sendButton, this.stopButton);
    this.foot = make("div", { class: "claude-nb-foot" });
    this.foot.append(this.files, row, this.names.list, this.picker);
  }

  /** Show what has changed of the model's state. */
  show(name) {
    const { model } = this.chat;
    if (name === "model" || name === "models") {
      const chosen = model.get("model");
      const models = [...new Set([chosen, ...model.get("models")])];
      if (this.model.options.length !== models.length || this.model.value !== chosen) {
        this.model.replaceChildren(...models.map((id) => make("option", { value: id }, id)));
        this.model.value = chosen;
      }
    } else if (name === "effort") {
      if (!this.effort.options.length) {
        const levels = model.get("efforts").map((id) => make("option", { value: id }, `effort ${id}`));
        this.effort.append(make("option", { value: "" }, "effort: default"), ...levels);
      }
      this.effort.value = model.get("effort");
    } else if (name === "height") {
      this.el.style.height = `${model.get("height")}px`;
    } else if (name === "draft") {
      const draft = model.get("draft");
      if (document.activeElement !== this.box.area && this.box.value !== draft) this.box.value = draft;
    } else if (name === "busy") {
      const busy = this.chat.busy;
      if (!busy) this.stopping = false;
      this.sendButton.hidden = busy;
      this.stopButton.hidden = !busy;
      this.stopButton.disabled = Boolean(this.stopping);
      this.log.setAttribute("aria-busy", String(busy));
      if (!busy && this.line.textContent === ANSWERING) this.notice("");
    }
    if (name === "about" || name === "turns") this.showAbout();
  }

  showAbout() {
    const { about, turns } = this.chat;
    const count = `${turns.length} turn${turns.length === 1 ? "" : "s"}`;
    this.total.replaceChildren(
      make("span", { class: "claude-nb-count" }, count),
      make("span", { title: "What this chat has cost" }, about.cost),
    );
    this.files.replaceChildren(
      ...about.files.map(({ file, note }) =>
        make(
          "span",
          { class: "claude-nb-file" },
          note,
          button("×", `Leave out ${note}`, () => this.chat.call("detach", { file })),
        ),
      ),
    );
    this.showEmpty();
  }

  showEmpty() {
    const { about, turns } = this.chat;
    this.empty.hidden = turns.length > 0;
    if (turns.length) return;
    const back = () => this.chat.call("bring_back").then((answer) => this.answered(answer));
    this.empty.replaceChildren(
      make("b", {}, about.cleared ? "Cleared." : "Ask about what is in this notebook."),
      make(
        "p",
        {},
        "Type ",
        make("code", {}, "{{"),
        " to put in a variable. Paste or drop an image or a file. Enter sends, Shift+Enter is a new line.",
      ),
      about.cleared
        ? button("Bring it back", "Bring back what was said", back, { class: "claude-nb-stop" })
        : "",
    );
  }

  /** Make the list of turns that of the model; turns that stay keep their elements. */
  showTurns() {
    const old = new Map(this.items.map((item) => [item.turn.key, item]));
    this.items = this.chat.turns.map((turn) => {
      const item = old.get(turn.key);
      old.delete(turn.key);
      if (!item) return new TurnView(this, turn);
      if (item.turn !== turn) item.update(turn);
      return item;
    });
    for (const item of old.values()) item.close();
    let before = this.empty;
    for (const item of this.items) {
      if (before.nextSibling !== item.el) before.after(item.el);
      before = item.el;
    }
    this.showAbout();
  }

  showReply(key) {
    this.items.find((item) => item.turn.key === key)?.showReply();
  }

  // Scrolling.

  scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.log;
    this.at = scrollTop;
    this.following = scrollTop + clientHeight >= scrollHeight - 24;
    this.latest.hidden = this.following;
  }

  /** Stay at the end, unless the reader has gone elsewhere or is selecting. */
  follow() {
    // Text may come between a reader's scrolling and the event that tells of it.
    if (this.log.scrollTop < this.at) this.scrolled();
    if (!this.following) {
      this.latest.hidden = false;
      return;
    }
    const selection = getSelection();
    if (!selection.isCollapsed && this.log.contains(selection.anchorNode)) return;
    this.log.scrollTop = this.log.scrollHeight;
    this.at = this.log.scrollTop;
  }

  goToEnd() {
    this.following = true;
    this.at = 0;
  }

  jump() {
    this.goToEnd();
    getSelection().removeAllRanges();
    this.follow();
    this.latest.hidden = true;
    this.box.area.focus();
  }

  // Writing.

  written() {
    this.chat.keepDraft(this.box.value);
    this.recalled = -1;
    if (this.line.dataset.kind === "error") this.notice("");
    this.names.update();
  }

  empties() {
    this.box.value = "";
    this.chat.set("draft", "");
    this.recalled = -1;
  }

  /** Whether a key went back or forth in what was asked before. */
  recall(event) {
    const asked = [...new Set(this.chat.turns.map((turn) => turn.source))].reverse();
    const steps = { ArrowUp: 1, ArrowDown: -1 };
    const step = steps[event.key];
    if (!step || event.shiftKey || !asked.length) return false;
    if (this.box.value && this.recalled < 0) return false;
    const next = this.recalled + step;
    if (next >= asked.length || next < -1) return false;
    this.recalled = next;
    this.box.value = next < 0 ? "" : asked[next];
    this.box.area.setSelectionRange(this.box.value.length, this.box.value.length);
    return true;
  }

  isBusy() {
    if (this.chat.busy) this.notice(ANSWERING, { kind: "busy" });
    return this.chat.busy;
  }

  async send() {
    const text = this.box.value;
    if (!text.trim()) return this.notice("There is nothing to send yet.", { brief: true });
    if (this.chat.sending || this.isBusy()) return;
    this.chat.sending = true;
    this.goToEnd();
    const answer = await this.chat.call("send", { text });
    this.chat.sending = false;
    if (!this.answered(answer)) return;
    this.chat.each((view) => {
      if (view.box.value === text) view.empties();
    });
  }

  stop() {
    this.stopping = true;
    if (document.activeElement === this.stopButton) this.box.area.focus();
    this.stopButton.disabled = true;
    for (const item of this.items) item.showClock();
    this.chat.call("stop");
  }

  /** Show an error, if an answer is one; whether it is not. */
  answered({ error }) {
    this.notice(error ?? "", { kind: "error" });
    return !error;
  }

  /** A question came back: it was not sent after all. */
  refused({ prompt, error }) {
    this.notice(error, { kind: "error" });
    if (prompt && !this.box.value) {
      this.box.value = prompt;
      this.chat.set("draft", prompt);
    }
  }

  notice(words, { kind = "", brief = false, waits = false } = {}) {
    clearTimeout(this.fading);
    this.line.textContent = words;
    this.line.hidden = !words;
    this.line.dataset.kind = waits ? "waits" : kind;
    if (brief) this.fading = setTimeout(() => this.notice(""), 2500);
  }

  endWait() {
    if (this.line.dataset.kind === "waits") this.notice("");
  }

  // Files.

  async attach(files) {
    for (const file of files) {
      if (file.size > LARGEST) {
        this.notice(
          `${file.name} is larger than ${LARGEST / 1e6} MB. Put its path into a variable, as` +
            " path = pathlib.Path(…), and write {{path}}.",
          { kind: "error" },
        );
        continue;
      }
      const data = new DataView(await file.arrayBuffer());
      const answer = await this.chat.call("attach", { name: file.name || "file" }, [data.buffer]);
      if (!this.answered(answer)) return;
      announce(`${file.name} goes along.`);
    }
  }

  paste(event) {
    const { files } = event.clipboardData;
    if (files.length) {
      event.preventDefault();
      this.attach([...files]);
      return;
    }
    const text = event.clipboardData.getData("text/plain");
    if (text.length < PASTE || event.target !== this.box.area) return;
    event.preventDefault();
    this.attach([new File([text], "pasted text")]);
  }

  drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    const leaves = event.type === "dragleave" && this.el.contains(event.relatedTarget);
    this.el.classList.toggle("claude-nb-drop", event.type.startsWith("drage") || event.type === "dragover" || leaves);
    if (event.type === "drop") {
      this.el.classList.remove("claude-nb-drop");
      this.attach([...event.dataTransfer.files]);
    }
  }

  // Keys and the menu.

  keydown(event) {
    // Jupyter listens too: Shift+Enter would run the cell, Esc and D D would delete it.
    if (!isSave(event)) event.stopPropagation();
  }

  /**
   * Keep shortcuts from what has the focus. Where Jupyter listens as keys go down the tree, as in
   * Notebook 7, it asks the element itself first, and its parents only after that.
   */
  guard(event) {
    if (!this.el.contains(event.target)) return;
    const saves = isSave(event);
    for (const element of [event.target, this.el]) {
      element.toggleAttribute("data-lm-suppress-shortcuts", !saves);
    }
    if (saves) setTimeout(() => this.el.setAttribute("data-lm-suppress-shortcuts", ""), 0);
  }

  openMenu() {
    this.menu.hidden = !this.menu.hidden;
    this.opener.setAttribute("aria-expanded", String(!this.menu.hidden));
    if (!this.menu.hidden) this.menu.firstChild.focus();
  }

  closeMenu() {
    this.menu.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
  }

  menuKey(event) {
    const items = [...this.menu.children];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Escape") {
      this.closeMenu();
      this.opener.focus();
    } else if (to !== undefined) {
      items[(to + items.length) % items.length].focus();
    } else {
      return;
    }
    event.preventDefault();
  }

  async clear() {
    if (this.isBusy()) return;
    if (this.answered(await this.chat.call("clear"))) this.box.area.focus();
  }

  async export(form) {
    const answer = await this.chat.call("export", { form });
    if (!this.answered(answer)) return;
    if (answer.text === undefined) return this.notice(answer.said);
    const copied = await copy(answer.text);
    this.notice(copied ? "Copied as Markdown." : "The page may not copy.", { brief: copied });
  }

  /** The kernel has gone: what is there can be read and copied, and the draft is kept. */
  end() {
    this.notice(GONE, { kind: "error" });
    this.el.classList.add("claude-nb-ended");
    for (const control of [this.sendButton, this.stopButton, this.attachButton, this.model, this.effort]) {
      control.disabled = true;
    }
    for (const item of this.items) clearInterval(item.clock);
  }

  close() {
    clearTimeout(this.fading);
    window.removeEventListener("keydown", this.guarding, true);
    this.resized.disconnect();
    for (const item of this.items) item.close();
    this.el.remove();
  }
}

/** Whether a key is Ctrl+S, or ⌘S: the one shortcut that is the notebook's, wherever one writes. */
function isSave(event) {
  return event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey) && !event.altKey;
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
      whenOnPage(el, () => {
        if (isWholeOutput(el)) model.send({ op: "covered" });
      });
      return () => {
        view.close();
        chat.views.delete(view);
      };
    },
  };
};
