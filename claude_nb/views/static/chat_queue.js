// The messages that were written while an answer came, and wait for its end.
//
// They are sent by themselves only after an answer that is complete. One that was stopped or has
// failed may not be what they were written for: then they wait for the reader.

/** The messages that wait, in one view. */
class QueueView {
  constructor(view) {
    this.view = view;
    this.chat = view.chat;
    this.el = make("div", { class: "claude-nb-queue", role: "group", hidden: true });
    this.el.setAttribute("aria-label", "Queued messages");
  }

  show() {
    const { queue } = this.chat.about;
    const shown = JSON.stringify(queue);
    if (this.el.dataset.shown === shown) return;
    this.el.dataset.shown = shown;
    const focused = this.el.contains(document.activeElement);
    this.el.hidden = !queue.length;
    const isHeld = queue.some(({ held }) => held);
    this.el.replaceChildren(
      make(
        "p",
        {},
        isHeld ? "Not sent: the previous answer is incomplete" : "Queued: sent when this answer is complete",
      ),
      make("ul", {}, ...queue.map((message) => this.entry(message))),
    );
    if (focused) this.view.box.area.focus();
  }

  entry({ message, text, notes, held }) {
    const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    const act = (op) => () => this.chat.call(op, { message }).then((answer) => this.view.answered(answer));
    const quiet = { class: "claude-nb-quiet" };
    return make(
      "li",
      {},
      make("span", { class: "claude-nb-waits", dir: "auto" }, text),
      ...notes.map((note) => make("small", {}, note)),
      held ? button("Send now", `Send now: ${short}`, act("send_queued"), { class: "claude-nb-stop" }) : null,
      button(icon("edit"), `Edit: ${short}`, () => this.takeBack(message), quiet),
      button(icon("close"), `Do not send: ${short}`, act("discard"), quiet),
    );
  }

  /** Put the last of them into the box again; whether there is one. */
  takeBackLast() {
    const last = this.chat.about.queue.at(-1);
    if (last) this.takeBack(last.message);
    return Boolean(last);
  }

  /** Put a message into the box again, in front of what is there. */
  async takeBack(message) {
    const answer = await this.chat.call("take_back", { message });
    if (!this.view.answered(answer)) return;
    const { box } = this.view;
    box.value = [answer.text, box.value].filter((text) => text.trim()).join("\n\n");
    this.view.composer.written();
    box.area.focus();
    announce("Moved back into the message box.");
  }
}
