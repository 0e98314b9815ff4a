// The live view of a reply, or of several side by side, on top of core.js. protocol.py describes
// its messages to and from Python. Replies are kept once, in `initialize`; every view draws them.

const SILENCE = 3000; // ms without a message before the page asks whether something was lost
// ms that Stop waits for the kernel's answer before it interrupts it: of 36 answers, a third of them
// on two cores with six busy processes, the slowest took 136 ms.
const PATIENCE = 300;
const UNHEARD = 1000; // ms after which the reader is told how else to stop
const TYPESETTING = 1500; // ms that JupyterLab is given to set formulas
const FORMULA = "math, var, .mathjax_process";

/** What all views of one output share. */
class Model {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.acks = new Set(); // the clicks on Stop that the kernel has heard
    this.timers = new Set();
    this.page = Math.random(); // stands for this page among those that show the output
    this.replies = Array.from({ length: model.get("columns") }, (_, column) => {
      const asked = (question) => this.asked(column, question);
      return new Reply(() => this.resync(), asked, model.now);
    });
    this.heard = performance.now();
    this.receive(model.get("snapshot"));
    this.isLate = this.replies.some((reply) => reply.status); // the page was loaded in mid-stream
    model.on("msg:custom", (message) => this.receive(message));
    model.on("change:snapshot", () => this.receive(model.get("snapshot")));
    this.watch = setInterval(() => this.check(), 1000);
    this.readers = new Map(); // views in the place of the text for who has no widget: by its element
    this.observer = new MutationObserver(() => this.readAlong());
    this.observer.observe(document.body, { childList: true, subtree: true });
    this.readAlong();
    model.send({ op: "here" });
  }

  /** What the reader is told where Stop does not reach the kernel. */
  get unheard() {
    return `not stopped: ${this.model.get("unheard")}`;
  }

  /** Show a view that has come onto the page; the kernel is told of pages that did not run the cell. */
  add(view, isLate) {
    if (isLate && !this.views.size) this.model.send({ op: "shown", page: this.page });
    this.views.add(view);
  }

  remove(view) {
    view.close();
    this.views.delete(view);
    if (!this.views.size) this.model.send({ op: "gone", page: this.page });
  }

  /**
   * Show the replies where the page has the output as text: in a notebook that it does not trust, as
   * one that others share and in which they have run the cell.
   */
  readAlong() {
    for (const [place, view] of this.readers) {
      if (place.isConnected) continue;
      this.readers.delete(place);
      this.remove(view);
    }
    if (this.views.size > this.readers.size) return; // the page shows the widget itself
    for (const place of document.getElementsByClassName(this.model.get("placeholder"))) {
      if (this.readers.has(place)) continue;
      place.replaceChildren();
      const view = new View(this, place.appendChild(make("div")));
      this.readers.set(place, view);
      this.add(view, true);
    }
  }

  get done() {
    return this.replies.every((reply) => reply.done);
  }

  /** Take in a frame; one that does not follow the last asks for all of it. */
  receive(message) {
    this.heard = performance.now();
    if (message?.ack !== undefined) return this.acks.add(message.ack);
    if (message?.heard) return this.model.send({ op: "hears" });
    for (const [column, whole] of message?.columns?.entries() ?? []) this.receive({ ...whole, column });
    if (!message?.ops) return;
    const following = [...this.views].filter((view) => view.isFollowed());
    const reply = this.replies[message.column ?? 0];
    const was = reply.done;
    reply.receive(message);
    if (reply.done && !was) announce(reply.said);
    if (this.done && !was) for (const view of this.views) view.handOver();
    for (const view of following) view.follow();
  }

  /** Say something about one of the replies; where there is only one, it goes without saying. */
  send(column, message) {
    const isOne = this.replies.length > 1 && column !== undefined;
    this.model.send(isOne ? { ...message, column } : message);
  }

  resync() {
    this.model.send({ op: "resync" });
  }

  /** Ask again after a silence: a lost last frame, or a lost settled output, is healed so. */
  check() {
    if (performance.now() - this.heard < SILENCE) return;
    this.heard = performance.now();
    if (this.views.size) this.resync();
  }

  /** Tell the reader of a question, and the kernel that it can be answered here. */
  asked(column, { call, said }) {
    announce(said);
    this.send(column, { op: "asked", call });
  }

  fold(column, number, open) {
    this.replies[column].fold(number, open);
    this.send(column, { op: "fold", pane: number, open });
  }

  /**
   * Stop all replies, or that of a column. Where no answer comes the kernel cannot hear.
   * @param {number | undefined} column
   * @param {() => void} unheard Called then, once there is nothing else to wait for.
   */
  stop(column, unheard) {
    const n = Math.random();
    const isOver = () => (column === undefined ? this.done : this.replies[column].done);
    const late = (act, ms) => {
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        // An end that came without an answer must not cost the next cell its life.
        if (!isOver() && !this.acks.has(n)) act();
      }, ms);
      this.timers.add(timer);
    };
    if (column === undefined) late(() => interrupt(this.model.get("kernel_id")), PATIENCE);
    late(unheard, UNHEARD);
    this.send(column, { op: "stop", n });
  }

  close() {
    this.observer.disconnect();
    clearInterval(this.watch);
    for (const timer of this.timers) clearTimeout(timer);
  }
}

/** Interrupt the kernel through the server, as the menu does. */
async function interrupt(kernel) {
  const classic = globalThis.Jupyter?.notebook?.kernel; // Notebook 6, which has no configuration
  if (kernel && classic?.id === kernel) return classic.interrupt();
  const element = document.getElementById("jupyter-config-data");
  if (!kernel || !element) return;
  const config = JSON.parse(element.textContent);
  const xsrf = document.cookie.match(/(?:^|;\s*)_xsrf=([^;]*)/)?.[1];
  const headers = {};
  if (xsrf) headers["X-XSRFToken"] = decodeURIComponent(xsrf);
  if (config.token) headers.Authorization = `token ${config.token}`;
  const path = `api/kernels/${encodeURIComponent(kernel)}/interrupt`;
  const url = new URL(path, new URL(config.baseUrl, location.href));
  await fetch(url, { method: "POST", headers, credentials: "same-origin" });
}

/** A button that stops something; once, if the kernel hears of it. */
function stopButton(label, title, stop) {
  const onclick = ({ currentTarget: button }) => {
    button.disabled = true;
    stop(button);
  };
  return make("button", { type: "button", class: "claude-nb-stop", title, onclick }, label);
}

/** What only the saved output shows: its place is kept from the beginning. */
function reserved(html) {
  const place = make("div", { class: "claude-nb-reserved", "aria-hidden": "true" });
  place.innerHTML = html;
  return place;
}

/** A reply in one place on the page: its status line, and its panes below. */
class Column {
  constructor(model, column, el) {
    this.reply = model.replies[column];
    const dot = make("span", { class: "claude-nb-dot" });
    this.name = make("b");
    this.doing = make("span", { class: "claude-nb-doing" });
    this.badge = make("span", { class: "claude-nb-badge" }, "simulated");
    this.button = stopButton("Stop", "Stop this reply; the text so far is kept", (button) => {
      this.stopping = "stopping";
      this.showClock();
      model.stop(model.replies.length > 1 ? column : undefined, () => {
        this.stopping = model.unheard;
        button.disabled = false;
        announce(this.stopping);
        this.showClock();
      });
    });
    // The button floats, so it comes first: behind words that fill the line it would fall below it.
    const parts = [this.button, dot, this.name, this.badge, this.doing];
    this.line = make("p", { class: "claude-nb-status" }, ...parts);
    this.usage = reserved(this.reply.usage);
    const kept = { class: "claude-nb mathjax_ignore tex2jax_ignore" };
    this.body = make("div", kept, this.line, this.usage);
    this.body.addEventListener("click", (event) => {
      const button = event.target.closest(".claude-nb-copy");
      if (button) copyCode(button);
    });
    el.append(this.body);
    this.panes = new Panes(
      this.reply,
      this.body,
      (pane, open) => model.fold(column, pane, open),
      (call, answer) => model.send(column, { op: "confirm", call, answer }),
      this.usage,
    );
    this.reply.views.add(this);
    this.showStatus();
  }

  clear() {
    this.panes.clear();
  }

  draw(op) {
    if (op.op === "status" || op.op === "done") this.showStatus();
    else if (op.op === "usage") this.usage.innerHTML = op.html;
    else this.panes.draw(op);
  }

  showStatus() {
    const { status, done } = this.reply;
    this.line.classList.toggle("claude-nb-done", done);
    this.line.classList.toggle("claude-nb-waiting", status?.wait !== undefined && !done);
    this.body.setAttribute("aria-busy", String(!done));
    this.button.hidden = done;
    this.badge.hidden = !status?.simulated;
    this.name.innerHTML = status?.model ?? "";
    clearInterval(this.clock);
    if (!done) this.clock = setInterval(() => this.showClock(), 100);
    this.showClock();
  }

  showClock() {
    const { reply } = this;
    const doing = reply.words();
    const shown = this.stopping && !reply.done ? doing.replace(/^.*(?= · )/, this.stopping) : doing;
    // In a narrow column a number stays with its unit.
    const words = (reply.status ? ` · ${shown}` : shown).replace(/ s$/, "\u00a0s");
    if (this.doing.textContent !== words) this.doing.textContent = words;
  }

  close() {
    clearInterval(this.clock);
    this.reply.views.delete(this);
  }
}

/**
 * Lay a picture of the live view over the saved output until its formulas are set: JupyterLab shows
 * their source first, and then loads the fonts.
 */
async function cover(saved, picture, height) {
  const output = saved.querySelector(".jp-OutputArea-output");
  const { left, width } = output.getBoundingClientRect();
  picture.classList.add("claude-nb-picture");
  picture.setAttribute("aria-hidden", "true");
  picture.style.left = `${left - saved.getBoundingClientRect().left}px`;
  picture.style.width = `${width}px`;
  saved.classList.add("claude-nb-typesetting");
  saved.style.height = `${height}px`;
  saved.append(picture);
  await isSet(output);
  picture.remove();
  saved.classList.remove("claude-nb-typesetting");
  saved.style.height = "";
  shrink(saved, `${height}px`);
}

/** Wait until the formulas of an output are set and their fonts are there, but not for long. */
async function isSet(output) {
  const formulas = [...output.querySelectorAll(".mathjax_process")];
  const end = performance.now() + TYPESETTING;
  while (performance.now() < end && formulas.some((each) => !each.querySelector("mjx-container"))) {
    await new Promise(requestAnimationFrame);
  }
  output.getBoundingClientRect(); // only what is laid out asks for its fonts
  await Promise.race([document.fonts.ready, new Promise((done) => setTimeout(done, 300))]);
}

/** One place on the page where the output is shown. */
class View {
  constructor(model, el) {
    this.el = el;
    el.classList.add("claude-nb-widget", "claude-nb-live", ...RENDERED);
    this.body = el;
    const count = model.replies.length;
    if (count > 1) {
      const doing = make("span", { class: "claude-nb-doing" }, `${count} side by side`);
      const title = "Stop all of these replies; the text so far is kept";
      const stop = stopButton("Stop all", title, (button) => {
        model.stop(undefined, () => {
          button.disabled = false;
          doing.textContent = model.unheard;
          announce(model.unheard);
        });
      });
      this.body = make("div", { class: "claude-nb-columns" });
      const line = make("p", { class: "claude-nb-status" }, stop, doing);
      el.append(line, this.body, reserved(model.model.get("below")));
    }
    this.columns = model.replies.map((_, column) => new Column(model, column, this.body));
  }

  /** Whether the reader is at the end of the output: it is in sight, and nothing is selected. */
  isFollowed() {
    this.scroller = scrollerOf(this.body);
    if (!this.scroller || !getSelection().isCollapsed) return false;
    const end = this.body.getBoundingClientRect().bottom;
    const frame = this.scroller.getBoundingClientRect();
    return end > frame.top && end <= frame.bottom + 8;
  }

  follow() {
    const over = this.body.getBoundingClientRect().bottom - this.scroller.getBoundingClientRect().bottom;
    if (over > 0) this.scroller.scrollTop += over + 4;
  }

  /** The reply has ended, and the saved output will take its place: see to it that nothing moves. */
  handOver() {
    const row = this.el.closest(".jp-OutputArea-child");
    if (!row) return; // another front end than JupyterLab's
    const height = row.getBoundingClientRect().height;
    const picture = this.el.querySelector(FORMULA) && this.el.cloneNode(true);
    const observer = new MutationObserver((changes) => {
      if (row.isConnected) return;
      observer.disconnect();
      const rows = changes.flatMap(({ addedNodes }) => [...addedNodes]);
      const saved = rows.find((each) => each.querySelector?.(".claude-nb"));
      if (!saved) return;
      if (picture) cover(saved, picture, height);
      else shrink(saved, `${height}px`);
    });
    observer.observe(row.parentElement, { childList: true });
  }

  close() {
    for (const column of this.columns) column.close();
  }
}

// A function, so that each model has a `shared` of its own.
export default () => {
  let shared;
  return {
    initialize({ model }) {
      shared = new Model(model);
      return () => shared.close();
    },
    render({ el }) {
      const view = new View(shared, el);
      shared.add(view, shared.isLate);
      return () => shared.remove(view);
    },
  };
};
