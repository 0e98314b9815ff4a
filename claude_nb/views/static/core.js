// What all widgets share on the page: replies that grow, and the panes that show them.
// Python puts this file in front of each widget's own; protocol.py describes the messages.
//
// A reply (its panes, their blocks' HTML) is kept once; every view draws it. Blocks are ranges of
// nodes between comments, without elements around them, so that the notebook's own styles see the
// same tree that the settled output will have.

/** @typedef {{html: string, blocks: string[], breaks: any[], label: string, open: boolean}} Pane */

const GLIDE = { duration: 200, easing: "ease-out" };
// What JupyterLab, and Notebook 6 after it, call an output with HTML: they style what is in one.
const RENDERED = ["jp-RenderedHTMLCommon", "jp-RenderedHTML", "rendered_html"];
const LINES = 200; // of a part of code that grows; core.css says so too

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

// Its word is in the style sheet: it is no part of the code.
const COPY = make("button", { type: "button", class: "claude-nb-copy", "aria-label": "Copy this code" });

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

/** @param {number} value */
function seconds(value) {
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
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

/**
 * A reply as it grows. Its views have `clear` and `draw`; `ask` is called where a frame is missing,
 * `asked` with a question that is put to the reader: a `confirm` of the protocol. `now` is the time
 * in ms, by which it counts seconds.
 */
class Reply {
  constructor(ask, asked, now = () => performance.now()) {
    this.ask = ask;
    this.asked = asked;
    this.now = now;
    this.views = new Set();
    this.touched = new Map(); // panes that the reader opened or folded
    this.clear();
  }

  clear() {
    /** @type {Pane[]} */
    this.panes = [];
    this.status = null;
    this.since = 0;
    this.waitUntil = 0;
    this.done = false;
    this.said = "";
    this.asking = null; // the question about a call that waits to be allowed
    this.usage = "";
    this.frame = 0;
  }

  /** Take in a frame, and say whether it changed anything. */
  receive({ frame, reset, ops }) {
    if (reset) {
      if (frame < this.frame) return false;
      this.clear();
      for (const view of this.views) view.clear();
    } else if (frame <= this.frame) {
      return false;
    } else if (frame !== this.frame + 1) {
      this.ask();
      return false;
    }
    this.frame = frame;
    for (const op of ops) this.apply(op);
    return true;
  }

  apply(op) {
    const pane = this.panes[op.pane];
    if (op.op === "pane") {
      this.panes[op.pane] = { html: op.html, blocks: [], breaks: [], label: "", open: true };
    } else if (op.op === "label") {
      pane.label = op.html;
    } else if (op.op === "fold") {
      if (this.touched.has(op.pane)) return;
      pane.open = op.open;
    } else if (op.op === "patch") {
      const old = pane.blocks[op.block] ?? "";
      const rest = op.rest ?? 0;
      const html = old.slice(0, op.keep) + op.html + old.slice(old.length - rest);
      if (html || op.keep) pane.blocks[op.block] = html;
      else pane.blocks.length = op.block;
    } else if (op.op === "break") {
      pane.breaks.push(op);
    } else if (op.op === "status") {
      this.status = op;
      this.waitUntil = this.now() + (op.wait ?? 0) * 1000;
      this.since = this.now() - op.elapsed * 1000;
    } else if (op.op === "confirm") {
      if (op.pane !== null && op.call !== this.asking?.call) this.asked(op);
      this.asking = op.pane === null ? null : op;
    } else if (op.op === "usage") {
      this.usage = op.html;
    } else if (op.op === "done") {
      this.done = true;
      this.said = op.said;
    }
    for (const view of this.views) view.draw(op);
  }

  fold(number, open) {
    this.touched.set(number, open);
    this.panes[number].open = open;
  }

  /** The operations that make its panes. */
  *whole() {
    for (const [pane, { html, blocks, breaks, label, open }] of this.panes.entries()) {
      yield { op: "pane", pane, html };
      yield { op: "label", pane, html: label };
      yield { op: "fold", pane, open };
      for (const [block, shown] of blocks.entries()) yield { op: "patch", pane, block, keep: 0, html: shown };
      yield* breaks;
    }
  }

  /** What it is doing and for how long, in words. */
  words() {
    const { status, done } = this;
    if (!status) return "connecting";
    const elapsed = done ? status.elapsed : (this.now() - this.since) / 1000;
    const left = Math.max(0, Math.ceil((this.waitUntil - this.now()) / 1000));
    return `${status.doing.replace("{}", `${left} s`)} · ${seconds(elapsed)}`;
  }
}

/** Whether things may glide: the reader has not asked for less motion. */
function mayGlide() {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Let what stands below an element glide to where it is from `by` pixels further down. */
function glide(element, by) {
  if (!mayGlide()) return;
  for (let next = element.nextElementSibling; next; next = next.nextElementSibling) {
    next.animate({ transform: [`translateY(${by}px)`, "none"] }, GLIDE);
  }
}

/** Let an element that was higher glide to its height. */
function shrink(element, height) {
  if (mayGlide()) element.animate({ minHeight: [height, "0px"] }, GLIDE);
}

/**
 * The panes of a reply in one place on the page: behind what `body` holds already, and before
 * `below`, if that is given. While the reply grows, the body does not shrink.
 */
class Panes {
  constructor(reply, body, folded, answered, below = null) {
    this.reply = reply;
    this.body = body;
    this.folded = folded;
    this.answered = answered;
    this.below = below;
    this.above = this.last();
    this.clear();
    for (const op of reply.whole()) this.draw(op);
    this.showQuestion();
  }

  last() {
    return this.below ? this.below.previousSibling : this.body.lastChild;
  }

  clear() {
    while (this.last() !== this.above) this.last().remove();
    this.panes = [];
  }

  draw(op) {
    const pane = this.panes[op.pane];
    if (op.op === "pane") this.addPane(op.pane, op.html);
    else if (op.op === "label" && pane.details) pane.summary.innerHTML = op.html;
    else if (op.op === "fold" && pane.details) this.fold(op.pane, this.reply.panes[op.pane].open);
    else if (op.op === "patch") this.patch(pane, op);
    else if (op.op === "break") this.addBreak(pane, op);
    else if (op.op === "confirm") this.showQuestion();
  }

  /** Open a pane or fold it, but not over what the reader has selected or goes back to in it. */
  fold(number, open) {
    const { details } = this.panes[number];
    if (details.open === open) return;
    if (open) {
      details.open = true;
      return;
    }
    const selection = getSelection();
    const isSelected = !selection.isCollapsed && details.contains(selection.anchorNode);
    if (isSelected || this.isReading(this.panes[number])) return this.folded(number, true);
    const [height, was] = [this.body, details].map((each) => each.getBoundingClientRect().height);
    details.open = false;
    this.body.style.minHeight = `${height}px`;
    glide(details, was - details.getBoundingClientRect().height);
  }

  /** Whether the reader has scrolled back in a pane that grows. */
  isReading({ inside, reached }) {
    return inside.scrollTop < reached - 8;
  }

  /** Keep the end of a pane that grows in sight; once a frame, when all of it is there. */
  follow(pane) {
    if (pane.follows || !pane.inside?.classList.contains("claude-nb-growing")) return;
    pane.follows = requestAnimationFrame(() => {
      pane.follows = 0;
      const { inside } = pane;
      if (this.isReading(pane) || inside.scrollHeight <= inside.clientHeight) return;
      inside.tabIndex = 0; // who cannot use a mouse scrolls it by the keyboard
      inside.scrollTop = inside.scrollHeight;
      pane.reached = inside.scrollTop;
    });
  }

  /** Show all of a pane, however high it is. */
  unroll({ inside }) {
    inside?.classList.remove("claude-nb-growing");
    inside?.removeAttribute("tabindex");
  }

  /** Let the body shrink to its contents, when the reply has ended. */
  release() {
    const from = this.body.style.minHeight;
    this.body.style.minHeight = "";
    if (from) shrink(this.body, from);
  }

  /** Show the buttons for a call that waits to be allowed, below its pane. */
  showQuestion() {
    this.question?.remove();
    if (this.reply.asking === null) return;
    const { pane, call, source, answers } = this.reply.asking;
    const { details, end } = this.panes[pane];
    this.unroll(this.panes[pane]);
    const buttons = answers.map(([answer, label]) => {
      const onclick = () => {
        this.question.remove();
        this.answered(call, answer);
      };
      return make("button", { type: "button", class: "claude-nb-button", onclick }, label);
    });
    const look = { class: "claude-nb-question", role: "group", "aria-label": "May this call run?" };
    const from = source ? make("div", { class: "claude-nb-source" }, source) : null;
    this.question = make("div", look, from, ...buttons);
    (details ?? end).after(this.question);
  }

  addPane(number, html) {
    const nodes = nodesOf(html);
    const details = nodes.querySelector("details");
    const inside = details && make("div", { class: "claude-nb-inside" });
    const end = document.createComment("");
    const summary = details?.querySelector("summary");
    const pane = { details, summary, inside, blocks: [], end, reached: 0 };
    inside?.classList.toggle("claude-nb-growing", details.open);
    details?.append(inside);
    (inside ?? nodes).append(end);
    this.panes[number] = pane;
    summary?.addEventListener("click", () => {
      // The click's own effect comes after this handler, so the state is still the old one.
      this.unroll(pane);
      this.folded(number, !details.open);
    });
    this.body.insertBefore(nodes, this.below);
  }

  /** Mark where the text was broken off: behind a block's end, so that the block may go on. */
  addBreak(pane, op) {
    const above = pane.blocks[op.after - 1];
    const below = pane.blocks[op.after];
    if (above) above.end.after(nodesOf(op.html));
    else (below ? below.start : pane.end).before(nodesOf(op.html));
  }

  /** Make a block what its HTML says, or let the text in its code element grow. */
  patch(pane, op) {
    this.follow(pane);
    const html = this.reply.panes[this.panes.indexOf(pane)].blocks[op.block];
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

  /** Append to a code element, in parts: only the last, and those in sight, are laid out. */
  grow(block, html) {
    const fresh = [...nodesOf(html).childNodes];
    if (!block.last) {
      let node = block.start.nextSibling;
      while (node && !(node.querySelector && node.querySelector("code"))) node = node.nextSibling;
      block.code = node.querySelector("code");
      block.lines = LINES;
      fresh.unshift(...block.code.childNodes);
    }
    for (let text of fresh) {
      while (text) {
        if (block.lines === LINES) {
          block.last = document.createElement("div");
          block.code.append(block.last);
          block.lines = 0;
        }
        let end = 0;
        for (let at; block.lines < LINES && (at = text.data.indexOf("\n", end)) >= 0; end = at + 1) {
          block.lines += 1;
        }
        const rest = block.lines === LINES && end < text.length ? text.splitText(end) : null;
        const tail = block.last.lastChild;
        if (tail && !tail.data.endsWith("\n")) tail.appendData(text.data);
        else block.last.append(text);
        text = rest;
      }
    }
  }
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
    // Its style is its own: the widget's style sheet may be in a shadow tree.
    const style = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
    place = make("div", { id: "claude-nb-announcer", style, role: "status" });
    document.body.append(place);
  }
  place.textContent = words;
}

/** Copy what a code block holds, and say so. */
async function copyCode(button) {
  const copied = await copy(button.parentNode.textContent.replace(/\n$/, ""));
  announce(copied ? "Copied." : "The browser did not allow copying; select the code.");
  // Not an attribute: a button that differs from a fresh one would be replaced by it.
  if (copied) button.animate({ opacity: [1, 1] }, { duration: 1500, pseudoElement: "::after" });
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
