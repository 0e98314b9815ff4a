// One view of a chat on the page: its bar, its turns, and the box to write in.

const LARGEST = 8e6; // bytes of a file: what the server's channel takes in one message
const PASTE = 20000; // characters of pasted text from which on it goes along as a file

const ANSWERING = "Claude is still answering. Wait for the end, or press Stop; your text is kept.";

/** One place on the page where a chat is shown. */
class ChatView {
  constructor(chat, el) {
    this.chat = chat;
    this.items = [];
    this.goToEnd();
    this.recalled = -1;
    this.stopping = null; // the key of the turn whose answer is to stop
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
    this.saved = make("div", { class: "claude-nb-saved", role: "region", "aria-label": "Saved chat", hidden: true });
    this.el.append(this.bar, this.saved, middle, this.line, this.foot);
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
    this.menu = new Menu("More: copy, save, clear", [
      ["Copy as Markdown", () => this.export("copy")],
      ["Save as Markdown", () => this.export("markdown")],
      ["Save as notebook", () => this.export("notebook")],
      ["Clear", () => this.clear()],
    ]);
    const space = make("span", { class: "claude-nb-space" });
    this.bar = make("div", { class: "claude-nb-bar", role: "toolbar", "aria-label": "Chat" });
    this.bar.append(this.model, this.effort, space, this.total, this.menu.opener, this.menu.list);
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
      this.sendButton.hidden = busy;
      this.stopButton.hidden = !busy;
      this.stopButton.disabled = this.stopping === this.chat.turns.at(-1)?.key;
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
    this.showSaved();
    this.showEmpty();
  }

  /** Show what was restored or has to be chosen. Elements that stay keep their focus. */
  showSaved() {
    const { saved, choices } = this.chat.about;
    const shown = JSON.stringify([saved, choices]);
    if (this.saved.dataset.shown === shown) return;
    this.saved.dataset.shown = shown;
    this.saved.hidden = !saved;
    if (!saved) {
      if (this.saved.contains(document.activeElement)) this.box.area.focus();
      return this.saved.replaceChildren();
    }
    const act = (op, more) => this.chat.call(op, more).then((answer) => this.answered(answer));
    this.saved.replaceChildren(
      make("span", {}, saved),
      ...choices.map((choice, i) =>
        button(choice, `Go on with ${choice}`, () => act("choose", { choice: i }), { class: "claude-nb-stop" }),
      ),
      button("Start empty", "Start empty; what was said can be brought back", () => act("start_empty"), {
        class: "claude-nb-stop",
      }),
    );
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
        ? button("Bring it back", "Bring back the earlier turns", back, { class: "claude-nb-stop" })
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
    this.show("busy");
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
    const answer = await this.chat.ask("send", { text });
    this.chat.sending = false;
    if (!this.answered(answer)) return;
    this.chat.each((view) => {
      if (view.box.value === text) view.empties();
    });
  }

  stop() {
    this.stopping = this.chat.turns.at(-1)?.key;
    if (document.activeElement === this.stopButton) this.box.area.focus();
    this.stopButton.disabled = true;
    for (const item of this.items) item.showClock();
    this.chat.call("stop", { turn: this.stopping });
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

  /** Attach files. A question that is asked meanwhile waits for them, and is not sent if one fails. */
  async attach(files) {
    const attaching = this.chat.attaching.then(async (error) => (await this.upload(files)) || error);
    this.chat.attaching = attaching;
    await attaching;
    if (this.chat.attaching === attaching) this.chat.attaching = Promise.resolve("");
  }

  /** Attach files one after another; what has gone wrong, or an empty text. */
  async upload(files) {
    let error = "";
    for (const file of files) {
      if (file.size > LARGEST) {
        error =
          `${file.name} is larger than ${LARGEST / 1e6} MB. Put its path into a variable, as` +
          " path = pathlib.Path(…), and write {{path}}.";
        this.notice(error, { kind: "error" });
        continue;
      }
      const data = new DataView(await file.arrayBuffer());
      const answer = await this.chat.call("attach", { name: file.name || "file" }, [data.buffer]);
      if (!this.answered(answer)) return answer.error;
      announce(`${file.name} goes along.`);
    }
    return error;
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

  // Keys, and what the menu does.

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
