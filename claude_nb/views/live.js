// The live view of a reply. What is said between this file and Python stands in protocol.py.
//
// The model's state (panes, their blocks' HTML) is kept once, in `initialize`; every view draws it.
// Blocks are ranges of nodes between comments, without elements around them, so that the notebook's
// own styles see the same tree that the settled output will have.

/** @typedef {{html: string, blocks: string[], seams: any[], label: string, open: boolean}} Pane */
/** @typedef {{panes: Pane[], status: any, since: number, done: boolean, frame: number, asking: number | null}} Reply */

const SILENCE = 3000; // ms without a message before the page asks whether something was lost
// ms that Stop waits for the kernel's answer before it interrupts it: of 36 answers, a third of them
// on two cores with six busy processes, the slowest took 136 ms.
const PATIENCE = 300;

const COPY = document.createElement("button");
COPY.type = "button";
COPY.className = "claude-nb-copy"; // its word is in the style sheet: it is no part of the code
COPY.setAttribute("aria-label", "Copy this code");

/**
 * The nodes of rendered Markdown or of a pane, with a button in each code block. They have it before
 * they are compared with what is there, so that the buttons are equal too, and stay.
 * @param {string} html
 */
function nodesOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const pre of template.content.querySelectorAll("pre")) pre.prepend(COPY.cloneNode());
  return template.content;
}

/** @param {string} text */
function seconds(text) {
  if (text < 9.95) return `${text.toFixed(1)} s`;
  const whole = Math.round(text);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/**
 * Make the nodes between `start` and `end` those of `fresh`. What is as it should be keeps its
 * nodes, and its layout and selection with them: of a long list only the last item is made anew.
 * @param {Node | null} start the node before the first, or null for the beginning of the parent
 * @param {Node | null} end the node behind the last, or null for the end of the parent
 * @param {Node} fresh
 * @param {Node} parent
 */
function morph(start, end, fresh, parent = start.parentNode) {
  let old = start ? start.nextSibling : parent.firstChild;
  let node = fresh.firstChild;
  while (node && old !== end && old.isEqualNode(node)) {
    old = old.nextSibling;
    node = node.nextSibling;
  }
  if (node && old !== end && node.cloneNode(false).isEqualNode(old.cloneNode(false))) {
    morph(null, null, node, old); // the same element with other contents: it has only grown
    old = old.nextSibling;
    node = node.nextSibling;
  }
  while (old !== end) {
    const next = old.nextSibling;
    old.remove();
    old = next;
  }
  while (node) {
    const next = node.nextSibling;
    parent.insertBefore(node, end);
    node = next;
  }
}

/** What all views of one reply share. */
class Model {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.clear();
    this.heard = performance.now();
    this.touched = new Map(); // panes that the reader opened or folded
    this.receive(model.get("snapshot"));
    model.on("msg:custom", (message) => this.receive(message));
    model.on("change:snapshot", () => this.receive(model.get("snapshot")));
    this.watch = setInterval(() => this.check(), 1000);
  }

  clear() {
    /** @type {Reply} */
    this.reply = { panes: [], status: null, since: 0, done: false, frame: 0, asking: null };
  }

  /** Take in a frame; one that does not follow the last asks for all of it. */
  receive(message) {
    this.heard = performance.now();
    if (message?.ack !== undefined) return this.onAck?.(message.ack);
    if (!message?.ops) return;
    if (message.reset) {
      if (message.frame < this.reply.frame) return;
      this.clear();
      for (const view of this.views) view.clear();
    } else if (message.frame <= this.reply.frame) {
      return;
    } else if (message.frame !== this.reply.frame + 1) {
      this.resync();
      return;
    }
    this.reply.frame = message.frame;
    const following = [...this.views].filter((view) => view.isFollowed());
    for (const op of message.ops) this.apply(op);
    for (const view of following) view.follow();
  }

  apply(op) {
    const reply = this.reply;
    const pane = reply.panes[op.pane];
    let old = "";
    if (op.op === "pane") {
      reply.panes[op.pane] = { html: op.html, blocks: [], seams: [], label: "", open: true };
    } else if (op.op === "label") {
      pane.label = op.html;
    } else if (op.op === "fold") {
      if (this.touched.has(op.pane)) return;
      pane.open = op.open;
    } else if (op.op === "patch") {
      old = pane.blocks[op.block] ?? "";
      const rest = op.rest ?? 0;
      const html = old.slice(0, op.keep) + op.html + old.slice(old.length - rest);
      if (html || op.keep) pane.blocks[op.block] = html;
      else pane.blocks.length = op.block;
    } else if (op.op === "seam") {
      pane.seams.push(op);
    } else if (op.op === "status") {
      reply.status = op;
      reply.waitUntil = performance.now() + (op.wait ?? 0) * 1000;
      reply.since = performance.now() - op.elapsed * 1000;
    } else if (op.op === "confirm") {
      if (op.pane !== null && reply.asking === null) {
        announce(op.said);
        this.model.send({ op: "asked" });
      }
      reply.asking = op.pane;
    } else if (op.op === "done") {
      reply.done = true;
      announce(op.said);
    }
    for (const view of this.views) view.draw(op);
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

  /** Answer whether the call that is asked about may run. */
  answer(allow) {
    this.reply.asking = null;
    for (const view of this.views) view.showQuestion();
    this.model.send({ op: "confirm", allow });
  }

  fold(number, open) {
    this.touched.set(number, open);
    this.reply.panes[number].open = open;
    this.model.send({ op: "fold", pane: number, open });
  }

  /** Stop the reply; where no answer comes the kernel cannot hear, and is interrupted instead. */
  stop() {
    const n = Math.random();
    this.late = setTimeout(() => {
      // An end that came without an answer must not cost the next cell its life.
      if (!this.reply.done) interrupt(this.model.get("kernel_id"));
    }, PATIENCE);
    this.onAck = (acknowledged) => acknowledged === n && clearTimeout(this.late);
    this.model.send({ op: "stop", n });
  }

  close() {
    clearInterval(this.watch);
    clearTimeout(this.late);
  }
}

/** Interrupt the kernel through the server, as the menu does. */
async function interrupt(kernel) {
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

/** Put a text on the clipboard; where a page may not (http, a frame), as a Copy of the user's. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const give = (event) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    document.addEventListener("copy", give, { capture: true, once: true });
    const copied = document.execCommand("copy");
    document.removeEventListener("copy", give, { capture: true });
    return copied;
  }
  return true;
}

/** Say something to a screen reader, from a place that outlives the widget. */
function announce(words) {
  let place = document.getElementById("claude-nb-announcer");
  if (!place) {
    place = document.createElement("div");
    place.id = "claude-nb-announcer";
    place.className = "claude-nb-unseen";
    place.setAttribute("role", "status");
    document.body.append(place);
  }
  place.textContent = words;
}

/** One place on the page where a reply is shown. */
class View {
  constructor(model, el) {
    this.model = model;
    el.classList.add("claude-nb-live");
    this.line = document.createElement("p");
    this.line.className = "claude-nb-status";
    const dot = document.createElement("span");
    dot.className = "claude-nb-dot";
    this.name = document.createElement("b");
    this.doing = document.createElement("span");
    this.doing.className = "claude-nb-doing";
    this.badge = document.createElement("span");
    this.badge.className = "claude-nb-badge";
    this.badge.textContent = "simulated";
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "claude-nb-stop";
    this.button.textContent = "Stop";
    this.button.title = "Stop this reply; what has come is kept";
    this.button.addEventListener("click", () => this.stop());
    // The button floats, so it comes first: behind words that fill the line it would fall below it.
    this.line.append(this.button, dot, this.name, this.doing, this.badge);
    this.body = document.createElement("div");
    this.body.className = "claude-nb mathjax_ignore tex2jax_ignore";
    this.body.append(this.line);
    this.body.addEventListener("click", (event) => {
      const button = event.target.closest(".claude-nb-copy");
      if (button) this.copy(button);
    });
    el.classList.add("jp-RenderedHTMLCommon", "jp-RenderedHTML");
    el.append(this.body);
    this.clear();
    for (const [pane, { html, blocks, seams, label, open }] of model.reply.panes.entries()) {
      this.draw({ op: "pane", pane, html });
      this.draw({ op: "label", pane, html: label });
      this.draw({ op: "fold", pane, open });
      for (const block of blocks.keys()) this.draw({ op: "patch", pane, block });
      for (const seam of seams) this.draw(seam);
    }
    this.showStatus();
    this.showQuestion();
    this.clock = setInterval(() => this.showClock(), 100);
  }

  clear() {
    while (this.line.nextSibling) this.line.nextSibling.remove();
    this.panes = [];
  }

  draw(op) {
    const pane = this.panes[op.pane];
    if (op.op === "pane") this.addPane(op.pane, op.html);
    else if (op.op === "label" && pane.details) pane.summary.innerHTML = op.html;
    else if (op.op === "fold" && pane.details) pane.details.open = this.model.reply.panes[op.pane].open;
    else if (op.op === "patch") this.patch(pane, op);
    else if (op.op === "seam") this.addSeam(pane, op);
    else if (op.op === "confirm") this.showQuestion();
    else if (op.op === "status" || op.op === "done") this.showStatus();
  }

  /** Show the buttons for a call that waits for the reader, below its pane. */
  showQuestion() {
    this.question?.remove();
    const { asking } = this.model.reply;
    if (asking === null) return;
    this.question = document.createElement("div");
    this.question.className = "claude-nb-question";
    this.question.setAttribute("role", "group");
    this.question.setAttribute("aria-label", "May this call run?");
    for (const [label, allow] of [["Run", true], ["Don’t run", false]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "claude-nb-button";
      button.textContent = label;
      button.addEventListener("click", () => this.model.answer(allow));
      this.question.append(button);
    }
    this.panes[asking].details.after(this.question);
  }

  addPane(number, html) {
    const nodes = nodesOf(html);
    const details = nodes.querySelector("details");
    const end = document.createComment("");
    const pane = { details, summary: details?.querySelector("summary"), blocks: [], end };
    (details ?? nodes).append(end);
    this.panes[number] = pane;
    pane.summary?.addEventListener("click", () => {
      // The click's own effect comes after this handler, so the state is still the old one.
      this.model.fold(number, !details.open);
    });
    this.body.append(nodes);
  }

  /** Mark where the text was broken off: behind a block's end, so that the block may go on. */
  addSeam(pane, op) {
    const above = pane.blocks[op.after - 1];
    const below = pane.blocks[op.after];
    if (above) above.end.after(nodesOf(op.html));
    else (below ? below.start : pane.end).before(nodesOf(op.html));
  }

  /** Make a block what its HTML says, or let the text in its code element grow. */
  patch(pane, op) {
    const html = this.model.reply.panes[this.panes.indexOf(pane)].blocks[op.block];
    let block = pane.blocks[op.block];
    if (op.rest && block) return this.grow(block, op.html);
    if (html === undefined) {
      for (const { start, end } of pane.blocks.splice(op.block)) {
        morph(start, end, nodesOf(""));
        start.remove();
        end.remove();
      }
      return;
    }
    if (!block) {
      block = { start: document.createComment(""), end: document.createComment(""), last: null };
      pane.end.before(block.start, block.end);
      pane.blocks[op.block] = block;
    }
    block.last = null;
    morph(block.start, block.end, nodesOf(html));
  }

  /** Append to a code element, in parts of 40 lines: only the last is laid out again. */
  grow(block, html) {
    if (!block.last) {
      let node = block.start.nextSibling;
      while (node && !(node.querySelector && node.querySelector("code"))) node = node.nextSibling;
      const code = node.querySelector("code");
      block.code = code;
      const part = document.createElement("div");
      part.append(...code.childNodes);
      code.append(part);
      block.last = part;
      block.lines = (part.textContent.match(/\n/g) ?? []).length;
    }
    const text = nodesOf(html).textContent;
    for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
      if (block.lines >= 40) {
        block.last = document.createElement("div");
        block.code.append(block.last);
        block.lines = 0;
      }
      const tail = block.last.lastChild;
      if (tail?.nodeType === Node.TEXT_NODE && !tail.data.endsWith("\n")) tail.appendData(line);
      else block.last.append(line);
      if (line.endsWith("\n")) block.lines += 1;
    }
  }

  showStatus() {
    const { status, done } = this.model.reply;
    this.line.classList.toggle("claude-nb-done", done);
    this.line.classList.toggle("claude-nb-waiting", status?.wait !== undefined && !done);
    this.body.setAttribute("aria-busy", String(!done));
    this.button.hidden = done;
    this.badge.hidden = !status?.simulated;
    this.name.innerHTML = status?.model ?? "";
    if (done) clearInterval(this.clock);
    this.showClock();
  }

  showClock() {
    const { status, since, done } = this.model.reply;
    const elapsed = done ? status?.elapsed : (performance.now() - since) / 1000;
    const left = Math.max(0, Math.ceil((this.model.reply.waitUntil - performance.now()) / 1000));
    const doing = this.stopping && !done ? "stopping" : status?.doing.replace("{}", `${left} s`);
    const words = status ? ` · ${doing} · ${seconds(elapsed)}` : "connecting";
    if (this.doing.textContent !== words) this.doing.textContent = words;
  }

  stop() {
    this.stopping = true;
    this.button.disabled = true;
    this.showClock();
    this.model.stop();
  }

  async copy(button) {
    const copied = await copy(button.parentNode.textContent.replace(/\n$/, ""));
    announce(copied ? "Copied." : "The page may not copy; select the code.");
    // Not an attribute: a button that differs from a fresh one would be replaced by it.
    if (copied) button.animate({ opacity: [1, 1] }, { duration: 1500, pseudoElement: "::after" });
  }

  /** Whether the reader is at the end of this reply: it is in sight, and nothing is selected. */
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

  close() {
    clearInterval(this.clock);
  }
}

function scrollerOf(element) {
  for (let node = element.parentElement; node; node = node.parentElement) {
    const overflow = getComputedStyle(node).overflowY;
    if ((overflow === "auto" || overflow === "scroll") && node.scrollHeight > node.clientHeight) {
      return node;
    }
  }
  return null;
}

// A function, so that each model has a `shared` of its own.
export default () => {
  let shared;
  return {
    initialize({ model }) {
      shared = new Model(model);
      return () => shared.close();
    },
    render({ model, el }) {
      const view = new View(shared, el);
      shared.views.add(view);
      return () => {
        view.close();
        shared.views.delete(view);
        if (!shared.views.size) model.send({ op: "gone" });
      };
    },
  };
};
