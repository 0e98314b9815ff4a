// The inspector of a stream. It has no view of its own: the plain timeline stands in the notebook,
// and this shows the inspector in its place on the page, which `mark` (a class) finds.
//
// Python draws the picture (render/timeline.py); this puts a playhead on its axis of time. Python
// also sends the steps, `[time, gap, lane, kind, text, event, changes]` (render/stepping.py), with
// what each changed in the message (streaming/steps.py): the changes are applied in their order.

/** @typedef {[number, number, number, string, string, any, any]} Step */

const SPEEDS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 16];
const LONG = 700; // characters of a string that are shown
const HIDDEN =
  /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]|[\u{e0000}-\u{e0fff}]/gu;

/** An element of a class of ours, with a text. */
function element(tag, name, text) {
  return make(tag, { class: name ? `claude-nb-${name}` : undefined }, text);
}

/** The time between two events, in a unit in which it can be read. @param {number} value */
function gap(value) {
  const size = Math.abs(value);
  const text = size < 1 ? `${(size * 1000).toFixed(size < 0.01 ? 1 : 0)} ms` : seconds(size);
  return `${value < 0 ? "−" : "+"}${text}`;
}

/** The event of a step, as it came over the wire. */
function eventOf(step, lanes, fields) {
  if (step[5] !== 0) return step[5];
  const delta = { type: step[3], [fields[step[3]]]: step[4] };
  return { type: "content_block_delta", index: lanes[step[2]][1], delta };
}

/** What a step changed in the message. */
function changesOf(step, fields) {
  return typeof step[6] === "number" ? [["grow", step[6], fields[step[3]], step[4]]] : step[6];
}

/** The message after a change. */
function apply(message, [what, ...rest]) {
  if (what === "message") return structuredClone(rest[0]);
  if (what === "fields") return Object.assign(message, structuredClone(rest[0]));
  const [number] = rest;
  const blocks = message.content;
  if (what === "open") blocks[number] = structuredClone(rest[1]);
  else if (what === "grow") blocks[number][rest[1]] = (blocks[number][rest[1]] ?? "") + rest[2];
  else {
    for (const name of rest[2]) delete blocks[number][name];
    Object.assign(blocks[number], structuredClone(rest[1]));
  }
  return message;
}

/** Where a change is seen in the message: a path, and how many characters at its end (0: all). */
function placesOf(changes) {
  const places = new Map();
  for (const [what, ...rest] of changes) {
    if (what === "fields") for (const name of Object.keys(rest[0])) places.set(name, 0);
    else if (what === "open") places.set(`content.${rest[0]}`, 0);
    else if (what === "grow") places.set(`content.${rest[0]}.${rest[1]}`, rest[2].length);
    else if (what === "put") {
      for (const name of Object.keys(rest[1])) places.set(`content.${rest[0]}.${name}`, 0);
    }
  }
  return places;
}

/** A string as JSON, with what hides or turns text around made visible. */
function quoted(text) {
  const number = (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text).slice(1, -1).replace(HIDDEN, number);
}

/** Write a value as JSON into `out`; what has changed is marked, and a long string cut. */
function write(out, value, places, path = "", indent = "", marked = false) {
  const tail = places.get(path);
  const here = marked || tail === 0;
  const say = (words, mark = here) => {
    if (!words) return;
    out.append(mark ? element("mark", "", words) : words);
  };
  if (typeof value === "string") {
    const fresh = tail ? value.slice(-tail) : "";
    const old = tail ? value.slice(0, -tail) : value;
    const cut = old.length > LONG;
    say(`"${quoted(cut ? old.slice(0, 120) : old)}`);
    if (cut) {
      out.append(element("i", "", ` … ${(old.length - 520).toLocaleString("en")} characters … `));
      say(quoted(old.slice(-400)));
    }
    say(quoted(fresh.length > LONG ? `${fresh.slice(0, LONG)}…` : fresh), true);
    say('"');
  } else if (value !== null && typeof value === "object") {
    const list = Array.isArray(value);
    const entries = Object.entries(value);
    say(list ? "[" : "{");
    for (const [number, [name, part]] of entries.entries()) {
      say(`${number ? "," : ""}\n${indent}  `);
      if (!list) say(`"${quoted(name)}": `);
      write(out, part, places, path ? `${path}.${name}` : name, `${indent}  `, here);
    }
    if (entries.length) say(`\n${indent}`);
    say(list ? "]" : "}");
  } else {
    say(JSON.stringify(value));
  }
}

/** What came, and the places on the page where it is shown. */
class Inspector {
  constructor(model) {
    this.model = model;
    this.about = model.get("about");
    this.fields = model.get("fields"); // those in which deltas bring a text, by type
    this.views = new Map();
    this.receive(model.get("snapshot"));
    this.listen = (message) => this.receive(message);
    model.on("msg:custom", this.listen);
    this.hosts = document.getElementsByClassName(model.get("mark"));
    this.watch = new MutationObserver(() => this.find());
    this.watch.observe(document.body, { childList: true, subtree: true });
    this.find();
  }

  receive({ from, reset, data }) {
    const known = reset ? [] : this.steps;
    if (from > known.length) return this.model.send({ op: "resync" });
    const { steps, ...facts } = JSON.parse(data);
    /** @type {Step[]} */
    this.steps = known.concat(steps.slice(known.length - from));
    this.facts = facts;
    for (const view of this.views.values()) view.grow();
  }

  /** Take the place of each plain timeline that is on the page, and let go of those that are not. */
  find() {
    for (const host of this.hosts) {
      if (!this.views.has(host)) this.views.set(host, new View(this, host));
    }
    for (const [host, view] of this.views) {
      if (!host.isConnected) {
        this.views.delete(host);
        this.place = { at: view.at, follows: view.follows, speed: view.speed.value };
        view.close();
      }
    }
  }

  close() {
    this.watch.disconnect();
    this.model.off("msg:custom", this.listen);
    for (const view of this.views.values()) view.close();
    this.views.clear();
  }
}

/** The inspector in one place on the page. */
class View {
  constructor(stream, host) {
    this.stream = stream;
    this.host = host;
    this.plain = [...host.childNodes];
    this.message = null;
    this.applied = -1;
    this.build();
    // Where the output was made anew in mid-stream, the reader stays where they were.
    const { at = stream.steps.length - 1, follows = true, speed = 1 } = stream.place ?? {};
    this.follows = follows;
    this.speed.value = String(speed);
    host.replaceChildren(this.root);
    this.grow();
    this.go(at);
  }

  build() {
    const root = (this.root = element("div", "widget claude-nb-inspector"));
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "The stream, event by event");
    root.addEventListener("keydown", (event) => this.key(event));

    this.dot = element("span", "dot");
    this.picture = element("div");
    this.playhead = element("div", "playhead");
    this.pointer = element("div", "playhead claude-nb-pointer");

    const bar = element("div", "controls");
    this.play = this.button("play", "Play (space)", () => this.toggle());
    const oninput = () => this.step(Number(this.slider.value) - this.at);
    this.slider = make("input", { type: "range", "aria-label": "Event", oninput });
    this.speed = make("select", { "aria-label": "Speed" });
    for (const speed of SPEEDS) {
      this.speed.append(new Option(speed < 1 ? `1/${1 / speed} ×` : `${speed} ×`, String(speed)));
    }
    bar.append(
      this.button("first", "First event (Home)", () => this.step(-Infinity)),
      this.button("back", "Previous event (left arrow)", () => this.step(-1)),
      this.play,
      this.button("on", "Next event (right arrow)", () => this.step(1)),
      this.button("last", "Last event (End)", () => this.step(Infinity)),
      this.slider,
      this.speed,
    );

    this.line = element("p", "event-line");
    const panes = element("div", "panes");
    [this.wire, this.wireHead] = this.pane(panes, "on the wire");
    [this.state] = this.pane(panes, "the message so far");
    root.append(this.picture, bar, this.line, panes);
    // On each element that can have the focus: those above it are looked at only after it.
    for (const element of root.querySelectorAll("button, input, select, pre")) {
      element.dataset.lmSuppressShortcuts = "true";
    }
  }

  button(name, label, act) {
    const look = { type: "button", class: "claude-nb-control", title: label, "aria-label": label };
    return make("button", { ...look, onclick: act }, icon(name));
  }

  pane(panes, label) {
    const title = element("div", "pane-head", label);
    const look = { class: "claude-nb-json", tabindex: 0, role: "group", "aria-label": label };
    const body = make("pre", look);
    panes.append(make("div", { class: "claude-nb-pane" }, title, body));
    return [body, title];
  }

  // --- what came ---------------------------------------------------------------------------

  /** Take in what is new. */
  grow() {
    const { steps, facts } = this.stream;
    const before = this.lanes?.parentNode;
    const left = before?.scrollLeft;
    const isFocused = before && before === document.activeElement;
    this.picture.innerHTML = facts.picture;
    if (!facts.done) this.picture.firstChild.prepend(this.dot);
    const lanes = (this.lanes = this.picture.querySelector(".claude-nb-lanes"));
    if (lanes) {
      const box = lanes.parentNode;
      box.scrollLeft = this.follows ? lanes.offsetWidth : left;
      box.tabIndex = 0; // on a narrow page it scrolls; its keys are those of the inspector
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "The timeline");
      box.dataset.lmSuppressShortcuts = "true";
      if (isFocused) box.focus({ preventScroll: true });
      this.axis = lanes.querySelector(".claude-nb-axis");
      this.axis.append(this.pointer, this.playhead);
      lanes.onpointermove = (event) => this.writeEvent(this.nearest(event), true);
      lanes.onpointerleave = () => this.show();
      lanes.onclick = (event) => this.pick(event);
    }
    this.root.setAttribute("aria-busy", String(!facts.done));
    this.slider.max = String(Math.max(0, steps.length - 1));
    this.slider.disabled = !steps.length;
    if (this.follows && !this.playing) this.go(steps.length - 1);
    else this.move();
  }

  // --- where the reader is -----------------------------------------------------------------

  /** The event that is nearest to a place on the picture: of its lane, if it is in one. */
  nearest(event) {
    const { steps, facts } = this.stream;
    const { left, width } = this.axis.getBoundingClientRect();
    const time = ((event.clientX - left) / width) * facts.duration;
    const row = event.target.closest(".claude-nb-lanes > div")?.querySelector(".claude-nb-lane");
    const last = [...this.picture.querySelectorAll(".claude-nb-lane")].at(-1).dataset.lane;
    let found = this.at;
    let least = Infinity;
    for (const [number, [at, , lane]] of steps.entries()) {
      // The last lane of the picture may stand for many.
      if (row && Math.min(lane, Number(last)) !== Number(row.dataset.lane)) continue;
      const distance = Math.abs(at - time);
      if (distance < least) [found, least] = [number, distance];
    }
    return found;
  }

  pick(event) {
    this.step(this.nearest(event) - this.at);
    this.slider.focus({ preventScroll: true });
  }

  /** Go `by` events on from here, by the reader's hand. */
  step(by) {
    this.pause();
    this.go(this.at + by);
    this.follows = this.at === this.stream.steps.length - 1;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => announce(this.slider.getAttribute("aria-valuetext")), 300);
  }

  /** Make event number `at` the one that is shown. */
  go(at) {
    const { steps, fields } = this.stream;
    this.at = Math.max(0, Math.min(steps.length - 1, at));
    if (!steps.length) return;
    if (this.at < this.applied) {
      this.message = null;
      this.applied = -1;
    }
    while (this.applied < this.at) {
      this.applied += 1;
      const changes = changesOf(steps[this.applied], fields);
      for (const change of changes) this.message = apply(this.message, change);
    }
    this.slider.value = String(this.at);
    this.move();
    this.reveal();
    this.show();
  }

  /** Scroll to the playhead, where the picture is wider than the page. */
  reveal() {
    if (!this.lanes) return;
    const box = this.lanes.parentNode;
    const [head, frame] = [this.playhead, box].map((each) => each.getBoundingClientRect());
    if (head.left < frame.left) box.scrollLeft -= frame.left - head.left + 24;
    else if (head.right > frame.right) box.scrollLeft += head.right - frame.right + 24;
  }

  /** Put the playhead where the reader is; while it plays, where the clock is. A page is told. */
  move() {
    const step = this.stream.steps[this.at];
    if (!step) return;
    const time = this.playing ? this.clock : step[0];
    this.put(this.playhead, mayGlide() ? time : step[0]);
    const detail = { at: this.at, time };
    this.root.dispatchEvent(new CustomEvent("claude-nb-moved", { bubbles: true, detail }));
  }

  put(head, time) {
    const { duration } = this.stream.facts;
    head.style.left = `${100 * Math.min(1, time / (duration || 1))}%`;
  }

  /** Show the event where the reader is, and the message as it was then. */
  show() {
    if (!this.stream.steps.length) return;
    this.writeEvent(this.at, false);
    this.state.replaceChildren();
    const { steps, fields } = this.stream;
    write(this.state, this.message, placesOf(changesOf(steps[this.at], fields)));
    const last = [...this.state.querySelectorAll("mark")].at(-1);
    if (last) {
      const below = last.offsetTop + last.offsetHeight;
      this.state.scrollTop = Math.max(0, below - this.state.clientHeight + 24);
    }
  }

  writeEvent(number, hovered) {
    const { steps, facts, about, fields } = this.stream;
    const [time, since, lane, kind] = steps[number];
    const total = facts.count.toLocaleString("en");
    const here = steps.length < facts.count ? `, the first ${steps.length.toLocaleString("en")} here` : "";
    const place = `event ${(number + 1).toLocaleString("en")} of ${total}${here}`;
    const where = lane ? ` · ${facts.lanes[lane][0]}` : "";
    const when = `${time.toFixed(3)} s (${gap(since)})`;
    this.line.replaceChildren(element("b", "", kind), element("span", "when", `${where} · ${when}`));
    if (about[kind]) this.line.append(element("span", "about", about[kind]));
    this.wireHead.textContent = `on the wire · ${place}${hovered ? ", under the pointer" : ""}`;
    this.wire.replaceChildren();
    const event = eventOf(steps[number], facts.lanes, fields);
    if (typeof event === "string") this.wire.textContent = event;
    else write(this.wire, event, new Map());
    this.pointer.hidden = !hovered;
    if (hovered) this.put(this.pointer, time);
    else this.slider.setAttribute("aria-valuetext", `${place}, ${kind}${where}, ${when}`);
  }

  // --- time --------------------------------------------------------------------------------

  toggle() {
    if (this.playing) return this.pause();
    if (!this.stream.steps.length) return;
    if (this.at === this.stream.steps.length - 1) this.go(0);
    this.clock = this.stream.steps[this.at][0];
    this.then = performance.now();
    this.follows = false;
    this.playing = requestAnimationFrame(() => this.tick());
    this.showPlaying();
  }

  /** As far as the clock has come: several events at once where they came so fast. */
  tick() {
    const now = performance.now();
    this.clock += ((now - this.then) / 1000) * Number(this.speed.value);
    this.then = now;
    const steps = this.stream.steps;
    let at = this.at;
    while (at + 1 < steps.length && steps[at + 1][0] <= this.clock) at += 1;
    if (at !== this.at) this.go(at);
    else this.move();
    if (at === steps.length - 1 && this.stream.facts.done) return this.pause();
    this.playing = requestAnimationFrame(() => this.tick());
  }

  pause() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.showPlaying();
    this.move();
  }

  showPlaying() {
    const label = this.playing ? "Pause (space)" : "Play (space)";
    this.play.replaceChildren(icon(this.playing ? "pause" : "play"));
    this.play.title = label;
    this.play.setAttribute("aria-label", label);
  }

  key(event) {
    // What is typed here is not for the notebook, which has commands on single keys.
    event.stopPropagation();
    if (event.target === this.speed || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 10 : 1;
    const steps = { ArrowLeft: -far, ArrowRight: far, Home: -Infinity, End: Infinity };
    const scrolls = event.target === this.wire || event.target === this.state;
    if (event.key in steps && !(scrolls && ["Home", "End"].includes(event.key))) this.step(steps[event.key]);
    else if (event.key === " " && event.target.tagName !== "BUTTON") this.toggle();
    else return;
    event.preventDefault();
  }

  /** Show the plain timeline again. */
  close() {
    this.pause();
    clearTimeout(this.telling);
    this.host.replaceChildren(...this.plain);
  }
}

export default {
  initialize({ model }) {
    const inspector = new Inspector(model);
    return () => inspector.close();
  },
};
