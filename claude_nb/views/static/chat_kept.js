// What is saved of a chat in the notebook, and how it is forgotten.

/** What a view says about that: in its bar, and below it. */
class Kept {
  constructor(view) {
    this.view = view;
    this.chat = view.chat;
    const title = "Forget this chat: remove it from the notebook";
    this.forget = button("Forget", title, () => this.ask(), { class: "claude-nb-quiet" });
    this.label = make("span", { class: "claude-nb-kept" }, "saved in this notebook · ", this.forget);
    this.line = make("div", { class: "claude-nb-saved", role: "region", "aria-label": "Not saved" });
    this.question = make("div", { class: "claude-nb-saved", role: "group", "aria-label": "Forget this chat?" });
    this.question.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    this.question.hidden = true;
    this.el = make("div", {}, this.line, this.question);
  }

  show() {
    const { about, hosts, turns } = this.chat;
    const isSaved = hosts.size > 0 && (turns.length > 0 || about.cleared);
    this.label.hidden = !isSaved;
    if (!isSaved) this.question.hidden = true;
    const left = isSaved ? about.left_out.join(", ") : "";
    if (this.line.dataset.shown === left) return;
    this.line.dataset.shown = left;
    this.line.hidden = !left;
    this.line.replaceChildren(
      make("span", {}, `A chat is saved with 1 MB of images and documents. Not saved: ${left}.`),
      button("Save as notebook", "Save as notebook: a separate file with the whole chat", () =>
        this.view.bar.export("notebook"), { class: "claude-nb-stop" }),
    );
  }

  /** Ask whether the chat is to be forgotten. */
  ask() {
    if (this.view.isBusy()) return;
    const inCells = this.chat.turns.some((turn) => turn.asked_in);
    const text =
      `Forget ${this.chat.about.name}? This removes it from this notebook and from the backups on this computer, ` +
      `and cannot be undone.${inCells ? " Replies in cells stay." : ""}`;
    const look = { class: "claude-nb-stop" };
    const keep = button("Keep", "Keep this chat", () => this.close(), look);
    const forget = button("Forget", "Forget it now", () => this.act(), look);
    this.question.replaceChildren(make("span", {}, text), forget, keep);
    this.question.hidden = false;
    keep.focus();
    announce(text);
  }

  close() {
    this.question.hidden = true;
    this.forget.focus();
  }

  async act() {
    this.question.hidden = true;
    this.view.box.area.focus();
    if (!this.view.answered(await this.chat.call("forget"))) return;
    const words = "Forgotten. Save the notebook to remove it from its file, too.";
    this.view.notice(words);
    announce(words);
  }

  end() {
    this.forget.disabled = true;
    this.question.hidden = true;
  }
}
