// One view of a chat on the page: its bar, its turns, and where one writes.

const ANSWERING = "The chat is still answering. Wait until it ends, or press Stop.";

/** One place on the page where a chat is shown. */
class ChatView {
  constructor(chat, el) {
    this.chat = chat;
    this.items = [];
    this.goToEnd();
    this.stopping = null; // the key of the turn whose answer is to stop
    this.bar = new Bar(this);
    this.log = make("div", {
      class: "claude-nb-log",
      role: "log",
      "aria-live": "off",
      "aria-label": `Conversation with ${chat.answerer}`,
      tabindex: 0,
      onscroll: () => this.scrolled(),
    });
    this.empty = make("div", { class: "claude-nb-empty" });
    this.log.append(this.empty);
    this.latest = button("latest", "Go to the latest message", () => this.jump());
    this.latest.prepend(icon("latest"));
    this.latest.className = "claude-nb-latest";
    this.latest.hidden = true;
    const middle = make("div", { class: "claude-nb-middle" }, this.log, this.latest);
    this.line = make("p", { class: "claude-nb-notice", role: "status", hidden: true });
    this.composer = new Composer(this);
    this.el = make("div", { class: "claude-nb-widget claude-nb-chat", "data-lm-suppress-shortcuts": "" });
    this.saved = make("div", { class: "claude-nb-saved", role: "region", "aria-label": "Saved chat", hidden: true });
    this.el.append(this.bar.el, this.bar.kept.el, this.saved, middle, this.line, this.composer.el);
    this.el.addEventListener("keydown", (event) => this.keydown(event));
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
      this.el.addEventListener(name, (event) => this.drag(event));
    }
    this.el.addEventListener("paste", (event) => this.composer.paste(event));
    // The extension asks to go on from a reply of a cell.
    this.el.addEventListener("claude-nb-continue", ({ detail }) => this.bar.goOn(detail));
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

  get box() {
    return this.composer.box;
  }

  /** Show what has changed of the model's state. */
  show(name) {
    this.composer.show(name);
    if (name === "height") {
      this.el.style.setProperty("--claude-nb-height", `${this.chat.model.get("height")}px`);
    } else if (name === "busy") {
      this.log.setAttribute("aria-busy", String(this.chat.busy));
      if (!this.chat.busy && this.line.textContent === ANSWERING) this.notice("");
    } else if (name === "starters") {
      this.showEmpty();
    } else if (name === "about" || name === "turns") {
      this.bar.show();
      this.showSaved();
      this.showEmpty();
    }
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
        button(choice, `Continue with ${choice}`, () => act("choose", { choice: i }), { class: "claude-nb-stop" }),
      ),
      button("Start empty", "Start empty; the earlier turns can be restored", () => act("start_empty"), {
        class: "claude-nb-stop",
      }),
    );
  }

  showEmpty() {
    const { about, turns } = this.chat;
    this.empty.hidden = turns.length > 0;
    if (turns.length) return;
    const back = () => this.chat.call("bring_back").then((answer) => this.answered(answer));
    const { tools } = about;
    const names = tools.filter((tool) => tool.on).map((tool) => make("code", {}, tool.name));
    const calls = names.flatMap((name, i) => [i ? ", " : " It may call ", name]);
    const { answerer, isFunction } = this.chat;
    this.empty.replaceChildren(
      make("b", {}, about.cleared ? "Cleared." : `Ask ${answerer}`),
      make(
        "p",
        {},
        isFunction
          ? "A function of this notebook answers. It receives this chat and what you add to it."
          : "It sees this chat and what you add to it, not the rest of the notebook.",
        ...(calls.length ? [...calls, "."] : []),
      ),
      make(
        "p",
        {},
        make("code", {}, "{{name}}"),
        " inserts a variable. Images and files can be pasted, dropped or attached.",
      ),
      this.starters() ?? "",
      about.cleared
        ? button("Restore", "Restore the earlier turns", back, { class: "claude-nb-stop" })
        : "",
    );
  }

  /** Buttons that ask the questions to begin with; null if there are none. */
  starters() {
    const starters = this.chat.model.get("starters");
    if (!starters.length) return null;
    const look = { class: "claude-nb-starters", role: "group", "aria-label": "Suggested questions" };
    const start = (text) => {
      this.box.area.focus();
      this.composer.send(text);
    };
    const disabled = this.chat.gone;
    const ask = (text) => make("button", { type: "button", disabled, onclick: () => start(text) }, text);
    return make("div", look, ...starters.map(ask));
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
    this.show("turns");
    this.show("busy");
    this.tell();
  }

  /** Tell the page of the answers that are complete, once this view is on it. */
  tell() {
    if (this.telling) return;
    this.telling = true;
    whenOnPage(this.el, () => {
      this.telling = false;
      for (const item of this.items) item.tell();
    });
  }

  showClocks() {
    for (const item of this.items) item.showClock();
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

  // Saying what is the matter.

  isBusy() {
    if (this.chat.busy) this.notice(ANSWERING, { kind: "busy" });
    return this.chat.busy;
  }

  /** Show an error, if an answer is one; whether it is not. */
  answered({ error }) {
    this.notice(error ?? "", { kind: "error" });
    return !error;
  }

  /** A question came back: it was not sent after all. */
  refused({ prompt, error }) {
    this.notice(error, { kind: "error" });
    if (prompt && !this.box.value) this.composer.put(prompt);
  }

  notice(words, { kind = "", brief = false, waits = false } = {}) {
    clearTimeout(this.fading);
    this.line.textContent = words;
    this.line.hidden = !words;
    this.line.dataset.kind = waits ? "waits" : kind;
    if (brief) this.fading = setTimeout(() => this.notice(""), 2500);
  }

  forgetError() {
    if (this.line.dataset.kind === "error" && !this.chat.gone) this.notice("");
  }

  endWait() {
    if (this.line.dataset.kind === "waits") this.notice("");
  }

  // Files that are dropped, and keys.

  drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    const leaves = event.type === "dragleave" && this.el.contains(event.relatedTarget);
    this.el.classList.toggle("claude-nb-drop", event.type.startsWith("drage") || event.type === "dragover" || leaves);
    if (event.type === "drop") {
      this.el.classList.remove("claude-nb-drop");
      this.composer.attach([...event.dataTransfer.files]);
    }
  }

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

  /** The kernel has gone: what is there can be read and copied, and the draft is kept. */
  end() {
    this.notice(GONE, { kind: "error" });
    this.el.classList.add("claude-nb-ended");
    this.bar.end();
    this.composer.end();
    this.showEmpty();
    for (const item of this.items) clearInterval(item.clock);
  }

  close() {
    clearTimeout(this.fading);
    window.removeEventListener("keydown", this.guarding, true);
    this.resized.disconnect();
    this.composer.close();
    for (const item of this.items) item.close();
    this.el.remove();
  }
}

/** Whether a key is Ctrl+S, or ⌘S: the one shortcut that is the notebook's, wherever one writes. */
function isSave(event) {
  return event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey) && !event.altKey;
}
