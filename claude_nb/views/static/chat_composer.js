// Where one writes to a chat: the box, what goes along, tools, model and effort.

const LARGEST = 8e6; // bytes of a file: what the server's channel takes in one message
const PASTE = 20000; // characters of pasted text from which on it goes along as a file
const PLACE = /(?<![\\{])\{\{[^{}\n]{1,200}\}\}(?!\})/g; // a variable that is named completely
const PAUSE = 250; // ms without a key before the previews are made anew

/** What is below the turns, in one view. */
class Composer {
  constructor(view) {
    this.view = view;
    this.chat = view.chat;
    this.recalled = -1;
    this.places = "[]"; // of which there are previews
    this.makeBox();
    this.makeRow();
    this.queue = new QueueView(view);
    this.cards = make("div", { class: "claude-nb-cards" });
    this.files = make("div", { class: "claude-nb-files" });
    this.previews = make("div", { class: "claude-nb-files" });
    this.cards.append(this.files, this.previews);
    this.wrong = make("ul", { class: "claude-nb-wrong", "aria-live": "polite" });
    this.el = make("div", { class: "claude-nb-foot" });
    this.field = make("div", { class: "claude-nb-composer" });
    this.field.append(this.wrong, this.cards, this.box.area, this.row);
    this.el.append(this.queue.el, this.field, this.names.list, this.tools.list, this.picker);
  }

  makeBox() {
    this.box = new Box({
      label: `Message to ${this.chat.answerer}`,
      placeholder: `Message ${this.chat.answerer}`,
      send: () => this.send(),
      key: (event) => this.names.key(event) || this.recall(event),
      changed: () => this.written(),
    });
    this.box.area.addEventListener("focus", () => {
      this.chat.writer = this.view;
      this.places = "[]"; // a cell may have changed them meanwhile
      this.preview();
    });
    this.box.area.addEventListener("blur", () => {
      // Not if the box has gone from the page: see Chat.writeOn.
      setTimeout(() => {
        if (this.el.isConnected && this.chat.writer === this.view) this.chat.writer = null;
      });
    });
    this.names = new Names(this.box.area, this.chat);
  }

  makeRow() {
    const choose = (name, label) =>
      make("select", {
        "aria-label": label,
        title: label,
        onchange: (event) => this.chat.set(name, event.target.value),
      });
    this.model = choose("model", "Model");
    this.effort = choose("effort", "Effort");
    this.model.hidden = this.effort.hidden = this.chat.isFunction;
    this.picker = make("input", { type: "file", multiple: true, hidden: true, tabindex: -1 });
    this.picker.addEventListener("change", () => {
      this.attach([...this.picker.files]);
      this.picker.value = "";
    });
    this.attachButton = button(icon("plus"), "Attach files", () => this.picker.click(), {
      class: "claude-nb-quiet",
    });
    this.toolCount = make("span");
    this.tools = new Menu([icon("tools"), this.toolCount], "Tools", () =>
      this.chat.about.tools.map(({ name, about, on }) => ({
        label: make("code", {}, name),
        about,
        checked: on,
        act: () => this.switch(name),
      })),
    );
    this.sendButton = button(icon("send"), "Send (Enter)", () => this.send(), { class: "claude-nb-send" });
    this.stopButton = button(icon("stop"), "Stop the answer; the text so far is kept", () => this.stop(), {
      class: "claude-nb-send claude-nb-halt",
      hidden: true,
    });
    const space = make("span", { class: "claude-nb-space" });
    this.row = make("div", { class: "claude-nb-row" });
    this.row.append(this.attachButton, this.tools.opener, this.model, this.effort);
    this.row.append(space, this.stopButton, this.sendButton);
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
    } else if (name === "draft") {
      const { draft } = this.chat;
      if (document.activeElement === this.box.area || this.box.value === draft) return;
      this.box.value = draft;
      this.preview();
    } else if (name === "busy") {
      this.stopButton.hidden = !this.chat.busy;
      this.stopButton.disabled = this.view.stopping === this.chat.turns.at(-1)?.key;
      this.showSend();
    } else if (name === "about") {
      this.showFiles();
      this.showTools();
      this.queue.show();
    }
  }

  /** While an answer comes, what is written waits for its end; with nothing written, Stop is all. */
  showSend() {
    const { busy } = this.chat;
    this.sendButton.hidden = busy && !this.box.value.trim();
    const label = busy ? "Queue (Enter): send when this answer is complete" : "Send (Enter)";
    this.sendButton.setAttribute("aria-label", label);
    this.sendButton.title = label;
  }

  showTools() {
    const { tools } = this.chat.about;
    const on = tools.filter((tool) => tool.on).length;
    const count = on === tools.length ? `${on}` : `${on} of ${tools.length}`;
    this.tools.opener.hidden = !tools.length;
    this.toolCount.textContent = `${count} tool${tools.length === 1 ? "" : "s"}`;
    const label = `${this.toolCount.textContent}: which of them Claude may call`;
    this.tools.opener.setAttribute("aria-label", label);
  }

  async switch(tool) {
    const { on } = this.chat.about.tools.find(({ name }) => name === tool);
    this.view.answered(await this.chat.call("switch", { tool, on: !on }));
  }

  // What goes along.

  showFiles() {
    const cards = this.chat.about.files.map(({ file, note, preview }) => {
      const out = button(icon("close"), `Remove ${note}`, () => this.chat.call("detach", { file }), {
        class: "claude-nb-quiet",
      });
      return this.card(make("span", {}, note), preview, note, out);
    });
    for (const card of cards) card.classList.add("claude-nb-file");
    this.files.replaceChildren(...cards);
  }

  /** A small picture or the beginning of what goes along, below what it is. */
  card(head, html, label, ...more) {
    const body = make("div", { class: "claude-nb-begins jp-RenderedHTMLCommon" });
    body.innerHTML = html;
    const look = { class: "claude-nb-card", role: "group", "aria-label": label, title: label };
    return make("div", look, make("div", {}, head, ...more), html ? body : null);
  }

  /** Show what the variables that are named will put in, once nothing is typed for a moment. */
  preview() {
    const places = [...new Set(this.box.value.match(PLACE) ?? [])];
    const wanted = JSON.stringify(places);
    if (wanted === this.places) return;
    this.places = wanted;
    clearTimeout(this.waiting);
    if (!places.length) return this.showPreviews([]);
    this.waiting = setTimeout(async () => {
      const { previews = [] } = await this.chat.call("preview", { places }, undefined, { quiet: true });
      if (this.places === wanted) this.showPreviews(previews);
    }, PAUSE);
  }

  showPreviews(previews) {
    const found = previews.filter(({ error }) => !error);
    const errors = previews.filter(({ error }) => error);
    this.wrong.replaceChildren(...errors.map(({ error }) => make("li", {}, error)));
    this.previews.replaceChildren(
      ...found.map(({ name, about, note, preview }) => {
        const cut = note.match(/: (first .*|image .*)/)?.[1];
        const says = [about, cut].filter(Boolean).join(", ");
        return this.card(make("span", {}, make("code", {}, name), " ", says), preview, `${name}: ${says}`);
      }),
    );
    this.view.follow();
  }

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
        continue;
      }
      const data = new DataView(await file.arrayBuffer());
      const answer = await this.chat.call("attach", { name: file.name || "file" }, [data.buffer]);
      if (!this.view.answered(answer)) return answer.error;
      announce(`${file.name} attached.`);
    }
    if (error) this.view.notice(error, { kind: "error" }); // last: each answer takes a notice away
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

  // Writing.

  written() {
    this.chat.keepDraft(this.box.value);
    this.recalled = -1;
    this.view.forgetError();
    this.names.update();
    this.preview();
    this.showSend();
  }

  /** Put a text into the box that was not typed there, and keep it. */
  put(text) {
    this.box.value = text;
    this.chat.keepDraft(text);
    this.recalled = -1;
    this.preview();
    this.showSend();
  }

  /** Whether a key took back what waits, or went back or forth in what was asked before. */
  recall(event) {
    const asked = [...new Set(this.chat.turns.map((turn) => turn.source))].reverse();
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || event.shiftKey || (this.box.value && this.recalled < 0)) return false;
    if (step > 0 && this.recalled < 0 && this.queue.takeBackLast()) return true;
    const next = this.recalled + step;
    if (next >= asked.length || next < -1) return false;
    this.put(next < 0 ? "" : asked[next]);
    this.recalled = next;
    this.box.area.setSelectionRange(this.box.value.length, this.box.value.length);
    return true;
  }

  async send(text = this.box.value) {
    if (!text.trim()) return this.view.notice("There is nothing to send yet.", { brief: true });
    if (this.chat.sending) return;
    this.chat.sending = true;
    const waits = this.chat.busy;
    if (!waits) this.view.goToEnd();
    const answer = await this.chat.ask("send", { text });
    this.chat.sending = false;
    if (!this.view.answered(answer)) return;
    if (waits) announce("Queued. It is sent when this answer is complete.");
    this.chat.each(({ composer }) => {
      if (composer.box.value === text) composer.put("");
    });
  }

  stop() {
    this.view.stopping = this.chat.turns.at(-1)?.key;
    if (document.activeElement === this.stopButton) this.box.area.focus();
    this.stopButton.disabled = true;
    this.view.showClocks();
    this.chat.call("stop", { turn: this.view.stopping });
  }

  end() {
    const controls = [this.sendButton, this.stopButton, this.attachButton, this.model, this.effort];
    for (const control of [...controls, this.tools.opener]) control.disabled = true;
    for (const control of this.queue.el.querySelectorAll("button")) control.disabled = true;
  }

  close() {
    clearTimeout(this.waiting);
  }
}
