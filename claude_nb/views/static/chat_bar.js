// The bar of a chat: its name, with a list of the notebook's chats, what it has cost, and a menu.

/** The bar above the turns, in one view. */
class Bar {
  constructor(view) {
    this.view = view;
    this.chat = view.chat;
    this.name = make("b");
    this.chats = new Menu([this.name, icon("down")], "Chats of this notebook", () => this.listChats());
    this.total = make("span", { class: "claude-nb-total" });
    this.menu = new Menu([icon("more")], "More: copy, save, clear", () => [
      { label: "Copy as Markdown", act: () => this.export("copy") },
      { label: "Save as Markdown", act: () => this.export("markdown") },
      { label: "Save as notebook", act: () => this.export("notebook") },
      { label: "Clear", act: () => this.clear() },
    ]);
    this.chats.opener.classList.add("claude-nb-name");
    const space = make("span", { class: "claude-nb-space" });
    this.el = make("div", { class: "claude-nb-bar", role: "toolbar", "aria-label": "Chat" });
    this.kept = new Kept(view);
    this.el.append(this.chats.opener, this.chats.list, this.kept.label, space, this.total);
    this.el.append(this.menu.opener, this.menu.list);
  }

  show() {
    const { about, turns } = this.chat;
    const count = turns.length ? `${turns.length} turn${turns.length === 1 ? "" : "s"}` : "";
    this.name.textContent = about.name;
    this.chats.opener.setAttribute("aria-label", `${about.name}: chats of this notebook`);
    this.total.replaceChildren(
      make("span", { class: "claude-nb-count" }, count),
      make("span", { title: "What this chat has cost" }, about.cost),
    );
    this.kept.show();
  }

  async listChats() {
    const { chats, error } = await this.chat.call("chats");
    if (!chats) {
      this.view.answered({ error });
      return [];
    }
    const items = chats.map(({ name, turns, begins, shown }) => ({
      label: name,
      about: turns ? `${turns} turn${turns === 1 ? "" : "s"} · ${begins}` : "no messages yet",
      chosen: shown,
      act: () => (shown ? this.view.box.area.focus() : this.go("open", { name })),
    }));
    return [...items, { label: "New chat", icon: "plus", act: () => this.go("new_chat") }];
  }

  /** Show another chat. Returns the kernel's answer, or undefined if it is not shown. */
  async go(op, more) {
    if (this.view.isBusy()) return undefined;
    this.view.goToEnd();
    const answer = await this.chat.call(op, more);
    if (!this.view.answered(answer)) return undefined;
    this.view.box.area.focus();
    announce(`${this.chat.about.name} is shown.`);
    return answer;
  }

  /** Show a chat that goes on from a reply of a cell, with its model. */
  async goOn(reply) {
    const answer = await this.go("continue", reply);
    if (answer?.model && !this.chat.isFunction) this.chat.set("model", answer.model);
  }

  async clear() {
    if (this.view.isBusy()) return;
    if (this.view.answered(await this.chat.call("clear"))) this.view.box.area.focus();
  }

  async export(form) {
    const answer = await this.chat.call("export", { form });
    if (!this.view.answered(answer)) return;
    if (answer.text === undefined) return this.view.notice(answer.said);
    const copied = await copy(answer.text);
    this.view.notice(copied ? "Copied as Markdown." : "The browser did not allow copying.", { brief: copied });
  }

  end() {
    this.chats.opener.disabled = true;
    this.kept.end();
  }
}
