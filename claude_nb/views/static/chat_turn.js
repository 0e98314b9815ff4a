// One turn in a view of the chat: a question with its answer.

/** A question with its answer, in one view. */
class TurnView {
  constructor(view, turn) {
    this.view = view;
    this.chat = view.chat;
    this.widgets = new Map(); // by their places: their views, once they are there
    this.bubble = make("div", { class: "claude-nb-you", dir: "auto" });
    this.edit = button(icon("edit"), "Edit this question and ask it again", () => this.startEdit(), {
      class: "claude-nb-quiet",
    });
    this.asked = make("div", { class: "claude-nb-asked" }, this.edit, this.bubble);
    this.body = make("div", { class: "claude-nb mathjax_ignore tex2jax_ignore" });
    this.answer = make("div", { class: ["claude-nb-answer", ...RENDERED].join(" ") });
    this.answer.append(this.body);
    this.status = make("p", { class: "claude-nb-status", hidden: true });
    this.doing = make("span", { class: "claude-nb-doing" });
    this.status.append(make("span", { class: "claude-nb-dot" }), this.doing);
    this.below = make("div", { class: RENDERED.join(" ") });
    this.meta = make("div", { class: "claude-nb-meta" });
    this.usage = make("div", { class: ["claude-nb-usage", ...RENDERED].join(" ") });
    this.usage.hidden = true;
    this.el = make("article", { class: "claude-nb-turn" });
    this.el.append(this.asked, this.answer, this.status, this.below, this.meta, this.usage);
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
      if (!this.panes) this.body.replaceChildren(nodesOf(turn.answer.html));
      this.below.innerHTML = turn.answer.below;
      this.usage.innerHTML = turn.answer.usage;
    }
    this.showMeta();
    this.showWidgets();
  }

  /** Put each widget in the place of the line that stands for it. */
  showWidgets() {
    for (const place of this.body.querySelectorAll("[data-widget]")) {
      if (this.widgets.has(place)) continue;
      this.widgets.set(place, showWidget(place, this.chat.model.widget_manager));
    }
  }

  /** Tell the page that this answer is complete: the extension has buttons for its code. */
  tell() {
    if (this.told || !this.turn.answer) return;
    this.told = true;
    for (const code of this.body.querySelectorAll("pre > code")) code.tabIndex = 0; // it scrolls
    this.body.dataset.kernel = this.chat.model.widget_manager?.kernel?.id ?? "";
    this.body.dispatchEvent(new Event("claude-nb-answer", { bubbles: true }));
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
        (call, answer) => this.chat.model.send({ op: "confirm", call, answer }),
      );
      this.reply = reply;
      reply.views.add(this);
      this.showWidgets();
    }
    this.status.hidden = Boolean(this.turn.answer);
    if (!this.turn.answer && !this.clock) this.clock = setInterval(() => this.showClock(), 200);
    if (this.turn.answer) clearInterval(this.clock);
    this.showClock();
  }

  showClock() {
    if (this.turn.answer) return;
    const doing = this.view.stopping === this.turn.key ? "stopping" : (this.reply?.words() ?? "sending");
    if (this.doing.textContent !== doing) this.doing.textContent = doing;
    const waits = this.reply?.status?.wait !== undefined;
    this.status.classList.toggle("claude-nb-waiting", waits);
  }

  clear() {
    this.panes.clear();
  }

  draw(op) {
    if (op.op === "done") this.panes.release();
    if (op.op === "status" || op.op === "done") return this.showClock();
    this.panes.draw(op);
    this.showWidgets();
  }

  showMeta() {
    const { answer, at, source } = this.turn;
    const quiet = { class: "claude-nb-quiet" };
    const [number, count] = at;
    const parts = [];
    for (const mark of ["simulated", "edited"]) {
      if (answer?.[mark]) parts.push(make("span", { class: "claude-nb-badge" }, mark));
    }
    if (answer?.usage) {
      this.more ??= button(answer.line, `${answer.line}: tokens, cost and times`, () => this.toggleUsage(), quiet);
      this.more.setAttribute("aria-expanded", String(!this.usage.hidden));
      parts.push(this.more);
    } else if (answer?.line) {
      parts.push(make("span", {}, answer.line));
    }
    if (answer?.source) {
      parts.push(button("Copy", "Copy this answer as Markdown", () => this.copy(), quiet));
    }
    if (answer?.source) {
      const title = "Edit this answer: the edited text is sent from now on";
      parts.push(button("Edit", title, () => this.startAnswer(), { class: "claude-nb-quiet claude-nb-change" }));
    }
    if (answer) {
      parts.push(button("Retry", "Retry: ask this again", () => this.retry(), quiet));
    }
    if (count > 1) {
      const pick = (by, name, title, off) =>
        button(icon(name), title, () => this.pick(by), { ...quiet, disabled: off });
      parts.push(
        make(
          "span",
          { class: "claude-nb-branch", role: "group", "aria-label": `Version ${number} of ${count}` },
          pick(-1, "left", "Previous version", number === 1),
          `${number}/${count}`,
          pick(1, "right", "Next version", number === count),
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
    if (!this.usage.hidden) this.usage.scrollIntoView({ block: "nearest" });
  }

  async copy() {
    const copied = await copy(this.turn.answer.source);
    this.view.notice(copied ? "Copied." : "The browser did not allow copying; select the text.", { brief: copied });
  }

  async retry() {
    if (this.view.isBusy()) return;
    this.view.goToEnd();
    this.view.answered(await this.chat.ask("retry", { turn: this.turn.key }));
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
      const answer = await this.chat.ask("edit", { turn: this.turn.key, text });
      if (this.view.answered(answer)) this.endEdit();
    };
    const ask = button("Ask", "Ask this instead; the first version is kept", send, { class: "claude-nb-stop" });
    const names = new Names(this.openBox(this.asked, this.turn.source, ask, {
      label: "Edit the question",
      send,
      key: (event) => names.key(event),
      changed: () => names.update(),
    }), this.chat);
    this.editing.area.after(names.list);
  }

  /** Change what is sent of an answer from now on; the answer that came is kept. */
  startAnswer() {
    if (this.editing || this.view.isBusy()) return;
    const save = async () => {
      if (this.view.isBusy()) return;
      const text = this.editing.value;
      const answer = await this.chat.call("edit_answer", { turn: this.turn.key, text });
      if (!this.view.answered(answer)) return;
      this.endEdit();
      this.view.notice("The edited answer is sent from now on.", { brief: true });
    };
    const title = "Save: this text is sent from now on; the original is kept. Ctrl+Enter";
    const keep = button("Save", title, save, { class: "claude-nb-stop" });
    this.openBox(this.answer, this.turn.answer.source, keep, { label: "Edit the answer", send: save, lines: true });
  }

  /** Show a box in the place of an element, with a text to be changed, and return its text area. */
  openBox(hidden, text, end, does) {
    const box = new Box({
      ...does,
      key: (event) => {
        if (does.key?.(event)) return true;
        if (event.key !== "Escape") return false;
        this.endEdit();
        return true;
      },
    });
    const cancel = button("Cancel", "Cancel: change nothing", () => this.endEdit(), { class: "claude-nb-stop" });
    this.form = make("div", { class: "claude-nb-edit" }, box.area, make("div", {}, cancel, end));
    this.editing = box;
    this.hidden = hidden;
    hidden.hidden = true;
    hidden.after(this.form);
    box.value = text;
    box.area.focus();
    return box.area;
  }

  endEdit() {
    this.form?.remove();
    const was = this.hidden;
    this.editing = this.form = this.hidden = null;
    if (was) was.hidden = false;
    if (!this.el.isConnected) this.view.box.area.focus();
    else if (was === this.answer) this.meta.querySelector(".claude-nb-change")?.focus();
    else this.edit.focus();
  }

  close() {
    clearInterval(this.clock);
    this.reply?.views.delete(this);
    for (const showing of this.widgets.values()) showing.then((widget) => widget && removeWidget(widget));
    this.el.remove();
  }
}

/** Show a widget; its line stays where its model is gone. Returns its view, if there is one. */
async function showWidget(place, manager) {
  try {
    const widget = await manager.create_view(await manager.get_model(place.dataset.widget));
    place.replaceChildren(widget.el);
    tell(widget, "before-attach", "after-attach"); // some draw only then
    return widget;
  } catch {
    return undefined;
  }
}

function removeWidget(widget) {
  tell(widget, "before-detach", "after-detach");
  widget.remove();
}

/** Tell a widget what its host tells it where it is an output by itself. */
function tell(widget, ...types) {
  for (const type of types) widget.luminoWidget?.processMessage({ type, isConflatable: false });
}
