// The inspector of a stream. It has no view of its own: the plain timeline stands in the notebook,
// and this puts the inspector in its place on the page, which `mark` (a class) finds.
//
// Python sends steps, `[time, gap, lane, kind, text, event, changes]` (see inspector.py), and what
// each changed in the message (see steps.py). Nothing is decided here about what a message is:
// the changes are applied, one after another.

/** @typedef {[number, number, number, string, string, any, any]} Step */

const FIELD = { text_delta: "text", thinking_delta: "thinking", input_json_delta: "partial_json" };
const SPEEDS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 16];
const ROW = 21; // px of a lane
const BAND = 14; // of it, what is drawn
const RATE = 28;
const AXIS = 18;
const LONG = 700; // characters of a string that are shown
const HIDDEN =
  /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]|[\u{e0000}-\u{e0fff}]/gu;

/** @param {string} tag @param {string} [name] @param {string} [words] */
function make(tag, name, words) {
  const element = document.createElement(tag);
  if (name) element.className = `claude-nb-${name}`;
  if (words !== undefined) element.textContent = words;
  return element;
}

/** @param {number} value */
function seconds(value) {
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** A gap between two events, in a unit in which it can be read. @param {number} value */
function gap(value) {
  const size = Math.abs(value);
  const said = size < 1 ? `${(size * 1000).toFixed(size < 0.01 ? 1 : 0)} ms` : seconds(size);
  return `${value < 0 ? "−" : "+"}${said}`;
}

/** The event of a step, as it came over the wire. */
function eventOf(step, lanes) {
  if (step[5] !== 0) return step[5];
  const delta = { type: step[3], [FIELD[step[3]]]: step[4] };
  return { type: "content_block_delta", index: lanes[step[2]][2], delta };
}

/** What a step changed in the message. */
function changesOf(step) {
  return typeof step[6] === "number" ? [["grow", step[6], FIELD[step[3]], step[4]]] : step[6];
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
    out.append(mark ? make("mark", "", words) : words);
  };
  if (typeof value === "string") {
    const fresh = tail ? value.slice(-tail) : "";
    const old = tail ? value.slice(0, -tail) : value;
    const cut = old.length > LONG;
    say(`"${quoted(cut ? old.slice(0, 120) : old)}`);
    if (cut) {
      out.append(make("i", "", ` ⋯ ${(old.length - 520).toLocaleString("en")} characters ⋯ `));
      say(quoted(old.slice(-400)));
    }
    say(quoted(fresh.length > LONG ? `${fresh.slice(0, LONG)}⋯` : fresh), true);
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

/** A round number of seconds between the figures of the axis: at most eight of them. */
function tick(duration, most) {
  const least = duration / most;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

/** What came, and the places on the page where it is shown. */
class Inspector {
  constructor(model) {
    this.model = model;
    this.about = model.get("about");
    this.views = new Map();
    this.forget();
    this.receive({ from: 0, reset: true, data: model.get("snapshot") });
    this.listen = (message) => this.receive(message);
    model.on("msg:custom", this.listen);
    this.hosts = document.getElementsByClassName(model.get("mark"));
    this.watch = new MutationObserver(() => this.find());
    this.watch.observe(document.body, { childList: true, subtree: true });
    this.theme = new MutationObserver(() => this.each((view) => view.draw()));
    this.theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    this.find();
  }

  forget() {
    /** @type {Step[]} */
    this.steps = [];
    this.facts = { lanes: [], count: 0, done: false };
    this.byLane = [];
    this.firstEvent = this.firstText = null;
    this.characters = 0;
  }

  receive(message) {
    if (!message?.data) return;
    if (message.reset) this.forget();
    if (message.from > this.steps.length) return this.model.send({ op: "resync" });
    const { steps, ...facts } = JSON.parse(message.data);
    this.facts = facts;
    for (const step of steps.slice(this.steps.length - message.from)) {
      (this.byLane[step[2]] ??= []).push(this.steps.length);
      this.steps.push(step);
      if (step[3] === "message_start") this.firstEvent ??= step[0];
      if (step[3] === "text_delta" && step[4]) this.firstText ??= step[0];
      this.characters += step[4].length;
    }
    this.each((view) => view.grow());
  }

  each(act) {
    for (const view of this.views.values()) act(view);
  }

  /** Take the place of each plain timeline that is on the page, and let go of those that are not. */
  find() {
    for (const host of this.hosts) {
      if (!this.views.has(host)) this.views.set(host, new View(this, host));
    }
    for (const [host, view] of this.views) {
      if (!host.isConnected) {
        this.views.delete(host);
        this.place = view.place;
        view.close();
      }
    }
  }

  get duration() {
    return this.steps.length ? this.steps[this.steps.length - 1][0] : 0;
  }

  close() {
    this.watch.disconnect();
    this.theme.disconnect();
    this.model.off("msg:custom", this.listen);
    this.each((view) => view.close());
    this.views.clear();
  }
}

/** The inspector in one place on the page. */
class View {
  constructor(stream, host) {
    this.stream = stream;
    this.host = host;
    this.plain = [...host.childNodes];
    this.speed = 1;
    this.message = null;
    this.applied = -1;
    this.build();
    // Where the output was made anew in mid-stream, the reader stays where they were.
    const { at = stream.steps.length - 1, follows = true, speed = 1 } = stream.place ?? {};
    this.follows = follows;
    this.setSpeed(speed);
    host.replaceChildren(this.root);
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.tracks);
    this.grow();
    this.go(at);
  }

  get place() {
    return { at: this.at, follows: this.follows, speed: this.speed };
  }

  build() {
    const root = (this.root = make("div", "inspector"));
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "The stream, event by event");
    root.addEventListener("keydown", (event) => this.key(event));

    const head = make("p", "inspector-head");
    this.dot = make("span", "dot");
    this.figures = make("span", "quiet");
    this.badges = make("span");
    head.append(this.dot, make("b", "", "The stream"), this.figures, this.badges);

    const picture = make("div", "picture");
    this.labels = make("div", "lane-labels");
    this.labels.setAttribute("aria-hidden", "true");
    this.tracks = make("div", "tracks");
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    this.head = make("div", "playhead");
    this.tracks.append(this.canvas, this.head);
    this.tracks.addEventListener("pointermove", (event) => this.hover(event));
    this.tracks.addEventListener("pointerleave", () => this.show());
    this.tracks.addEventListener("click", (event) => this.pick(event));
    picture.append(this.labels, this.tracks);

    const bar = make("div", "controls");
    this.play = this.button("▶", "Play", () => this.toggle());
    this.slider = document.createElement("input");
    this.slider.type = "range";
    this.slider.min = "0";
    this.slider.setAttribute("aria-label", "Event");
    this.slider.addEventListener("input", () => this.step(Number(this.slider.value) - this.at));
    this.choice = document.createElement("select");
    this.choice.setAttribute("aria-label", "Speed");
    for (const speed of SPEEDS) {
      this.choice.append(new Option(speed < 1 ? `1/${1 / speed} ×` : `${speed} ×`, String(speed)));
    }
    this.choice.addEventListener("change", () => this.setSpeed(Number(this.choice.value)));
    bar.append(
      this.button("⏮", "To the first event (Home)", () => this.step(-Infinity)),
      this.button("◂", "One event back (left arrow)", () => this.step(-1)),
      this.play,
      this.button("▸", "One event on (right arrow)", () => this.step(1)),
      this.button("⏭", "To the last event (End)", () => this.step(Infinity)),
      this.slider,
      this.choice,
    );

    this.line = make("p", "event-line");
    const panes = make("div", "panes");
    [this.wire, this.wireHead] = this.pane(panes, "on the wire");
    [this.state, this.stateHead] = this.pane(panes, "what the message has become");
    this.said = make("div", "unseen");
    this.said.setAttribute("role", "status");
    root.append(head, picture, bar, this.line, panes, this.said);
    // On each element that can have the focus: those above it are looked at only after it.
    for (const element of root.querySelectorAll("button, input, select, pre")) {
      element.dataset.lmSuppressShortcuts = "true";
    }
  }

  button(sign, label, act) {
    const button = make("button", "control", sign);
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", act);
    return button;
  }

  pane(panes, words) {
    const pane = make("div", "pane");
    const title = make("div", "pane-head", words);
    const body = make("pre", "json");
    body.tabIndex = 0;
    body.setAttribute("role", "region");
    body.setAttribute("aria-label", words);
    pane.append(title, body);
    panes.append(pane);
    return [body, title];
  }

  // --- what came ---------------------------------------------------------------------------

  /** Take in what is new. */
  grow() {
    const stream = this.stream;
    const { steps, facts } = stream;
    const count = facts.count;
    const said = [`${count.toLocaleString("en")} ${count === 1 ? "event" : "events"}`];
    if (count > steps.length) said[0] += ` (the first ${steps.length.toLocaleString("en")} here)`;
    if (stream.firstEvent !== null) said.push(`first event ${seconds(stream.firstEvent)}`);
    if (stream.firstText !== null) said.push(`first text ${seconds(stream.firstText)}`);
    if (count > 1) said.push(`${facts.done ? "total " : ""}${seconds(stream.duration)}`);
    this.figures.textContent = ` · ${said.join(" · ")}`;
    const badges = ["simulated", "replayed"].filter((name) => facts[name]);
    this.badges.replaceChildren(...badges.map((name) => make("span", "badge", name)));
    this.dot.hidden = facts.done;
    this.root.classList.toggle("claude-nb-done", facts.done);
    this.root.setAttribute("aria-busy", String(!facts.done));
    this.canvas.setAttribute("aria-label", `Timeline: ${said.join(", ")}`);
    this.slider.max = String(Math.max(0, steps.length - 1));
    this.slider.disabled = !steps.length;
    this.draw();
    if (this.follows && !this.playing) this.go(steps.length - 1);
  }

  /** The lanes that are drawn: of very many blocks, the last share one. */
  get rows() {
    const lanes = this.stream.facts.lanes.map(([label, colour], number) => ({
      label,
      colour,
      steps: this.stream.byLane[number] ?? [],
      numbers: [number],
    }));
    const most = 12;
    if (lanes.length > most) {
      const rest = lanes.splice(most - 1);
      const steps = rest.flatMap((lane) => lane.steps).sort((a, b) => a - b);
      const numbers = rest.flatMap((lane) => lane.numbers);
      lanes.push({ label: `${rest.length} more blocks`, colour: "other", steps, numbers });
    }
    return lanes.filter((lane) => lane.steps.length);
  }

  // --- the picture -------------------------------------------------------------------------

  x(time) {
    const duration = this.stream.duration || 1;
    return 1 + (time / duration) * (this.width - 4);
  }

  draw() {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const rows = this.rows;
    const names = [...rows.map((row) => row.label), "characters/s"];
    const tokens = this.stream.facts.tokens;
    const spread = tokens && this.stream.characters ? tokens / this.stream.characters : 0;
    if (spread) names[rows.length] = "tokens/s";
    if (this.names !== names.join("\n")) {
      this.names = names.join("\n");
      this.labels.replaceChildren(...names.map((name) => make("div", "lane-label", name)));
      this.labels.lastChild.title = spread
        ? "The count of tokens comes at the end; here it is spread over the characters."
        : "The count of tokens comes at the end.";
    }
    this.width = this.tracks.clientWidth;
    this.height = rows.length * ROW + RATE + AXIS;
    if (!this.width) return;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = this.width * scale;
    this.canvas.height = this.height * scale;
    this.canvas.style.height = `${this.height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(this.root);
    const colour = (name) => style.getPropertyValue(`--claude-nb-${name}`).trim() || "#8a8f98";
    this.axis(pen, style, rows.length * ROW + RATE, colour("line"));
    const spans = this.spans();
    for (const [number, row] of rows.entries()) {
      const top = number * ROW + 3;
      const own = colour(row.colour);
      const block = (from, to, shade, alpha) => {
        pen.globalAlpha = alpha;
        pen.fillStyle = shade;
        pen.fillRect(this.x(from), top, Math.max(2, this.x(to) - this.x(from) + 2), BAND);
        pen.globalAlpha = 1;
      };
      pen.fillStyle = colour("line");
      pen.fillRect(0, top + BAND, this.width, 1);
      const at = (step) => this.stream.steps[step][0];
      if (!row.numbers.includes(0)) block(at(row.steps[0]), at(row.steps.at(-1)), own, 0.18);
      for (const [lane, from, to, shade] of spans) {
        if (row.numbers.includes(lane)) block(from, to, colour(shade), 0.5);
      }
      this.marks(pen, row, top, own, colour);
    }
    this.rate(pen, rows.length * ROW, colour("other"), spread || 1);
    this.move();
  }

  /** A mark for each event; those that share a pixel are one, the darker the more there are. */
  marks(pen, row, top, own, colour) {
    const special = { waiting: "wait", resumed: "wait", stopped: "wait", failed: "error" };
    const columns = new Map();
    for (const number of row.steps) {
      const step = this.stream.steps[number];
      const x = Math.round(this.x(step[0]));
      const found = columns.get(x) ?? { count: 0, shade: own };
      found.count += 1;
      if (special[step[3]]) found.shade = colour(special[step[3]]);
      columns.set(x, found);
    }
    let most = 1;
    for (const { count } of columns.values()) most = Math.max(most, count);
    for (const [x, { count, shade }] of columns) {
      pen.globalAlpha = most > 2 ? 0.5 + (0.5 * count) / most : 1;
      pen.fillStyle = shade;
      pen.fillRect(x, top, 1.5, BAND);
    }
    pen.globalAlpha = 1;
  }

  /** Waits, and runs of tools: the lane, from when to when, the colour. */
  spans() {
    const found = [];
    const ran = new Map();
    let waits = null;
    for (const [time, , lane, kind] of this.stream.steps) {
      if (kind === "waiting") waits = time;
      else if (waits !== null && ["request_sent", "stopped", "failed"].includes(kind)) {
        found.push([0, waits, time, "wait"]);
        waits = null;
      } else if (kind === "tool_started") ran.set(lane, time);
      else if (kind === "tool_ran" && ran.has(lane)) {
        found.push([lane, ran.get(lane), time, "result"]);
        ran.delete(lane);
      }
    }
    if (waits !== null) found.push([0, waits, this.stream.duration, "wait"]);
    return found;
  }

  rate(pen, top, shade, spread) {
    const duration = this.stream.duration;
    const count = Math.max(1, Math.floor(this.width / 8));
    const bars = new Array(count).fill(0);
    for (const step of this.stream.steps) {
      if (step[4]) bars[Math.min(count - 1, Math.floor((step[0] / duration) * count))] += step[4].length;
    }
    const highest = Math.max(...bars);
    pen.fillStyle = shade;
    const size = (this.width - 2) / count;
    for (const [number, bar] of bars.entries()) {
      if (!bar || !highest) continue;
      const height = Math.max(1, (bar / highest) * (RATE - 6));
      pen.fillRect(1 + number * size, top + RATE - 2 - height, size - 1, height);
    }
    const fastest = ((highest / duration) * count * spread).toFixed(0);
    this.labels.lastChild.dataset.most = highest && duration ? ` ≤ ${Number(fastest).toLocaleString("en")}` : "";
  }

  axis(pen, style, top, line) {
    pen.fillStyle = line;
    pen.fillRect(0, top, this.width, 1);
    const duration = this.stream.duration;
    pen.font = `${parseFloat(style.fontSize) * 0.85}px ${style.fontFamily}`;
    pen.textBaseline = "top";
    const step = duration ? tick(duration, Math.max(2, this.width / 90)) : 1;
    for (let number = 0; number * step <= duration; number += 1) {
      const words = `${Number((number * step).toPrecision(6))} s`;
      const x = this.x(number * step);
      pen.fillStyle = line;
      pen.fillRect(x, top, 1, 4);
      if (x + pen.measureText(words).width > this.width) break;
      pen.globalAlpha = 0.7;
      pen.fillStyle = style.color;
      pen.fillText(words, x + (number ? 3 : 0), top + 5);
      pen.globalAlpha = 1;
    }
    const first = this.stream.firstText;
    if (first === null) return;
    pen.globalAlpha = 0.6;
    pen.fillStyle = style.color;
    for (let y = 0; y < top; y += 5) pen.fillRect(this.x(first), y, 1, 2.5);
    pen.globalAlpha = 1;
  }

  // --- where the reader is -----------------------------------------------------------------

  /** The event that is nearest to a place on the picture: of its lane, if it is in one. */
  nearest(event) {
    const box = this.canvas.getBoundingClientRect();
    const row = this.rows[Math.floor((event.clientY - box.top) / ROW)];
    const candidates = row ? row.steps : null;
    const wanted = ((event.clientX - box.left - 1) / (this.width - 4)) * this.stream.duration;
    const count = candidates ? candidates.length : this.stream.steps.length;
    const time = (n) => this.stream.steps[candidates ? candidates[n] : n]?.[0];
    let low = 0;
    for (let high = count; low < high; ) {
      const middle = (low + high) >> 1;
      if (time(middle) < wanted) low = middle + 1;
      else high = middle;
    }
    if (low && (low === count || wanted - time(low - 1) < time(low) - wanted)) low -= 1;
    return candidates ? candidates[low] : low;
  }

  hover(event) {
    if (!this.stream.steps.length) return;
    this.writeEvent(this.nearest(event), true);
  }

  pick(event) {
    if (!this.stream.steps.length) return;
    this.step(this.nearest(event) - this.at);
    this.slider.focus({ preventScroll: true });
  }

  /** Go `by` events on from here, by the reader's hand. */
  step(by) {
    this.pause();
    this.go(this.at + by);
    this.follows = this.at === this.stream.steps.length - 1;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => (this.said.textContent = this.slider.getAttribute("aria-valuetext")), 300);
  }

  /** Make event number `at` the one that is shown. */
  go(at) {
    const steps = this.stream.steps;
    this.at = Math.max(0, Math.min(steps.length - 1, at));
    if (!steps.length) return;
    if (this.at < this.applied) {
      this.message = null;
      this.applied = -1;
    }
    while (this.applied < this.at) {
      this.applied += 1;
      for (const change of changesOf(steps[this.applied])) this.message = apply(this.message, change);
    }
    this.slider.value = String(this.at);
    this.move();
    this.show();
  }

  move() {
    const step = this.stream.steps[this.at];
    this.head.hidden = !step;
    if (!step || !this.width) return;
    const time = this.playing ? Math.min(this.clock, this.stream.duration) : step[0];
    this.head.style.transform = `translateX(${this.x(time)}px)`;
    this.head.style.height = `${this.height - AXIS}px`;
  }

  /** Show the event where the reader is, and the message as it was then. */
  show() {
    if (!this.stream.steps.length) return;
    this.writeEvent(this.at, false);
    this.state.replaceChildren();
    write(this.state, this.message, placesOf(changesOf(this.stream.steps[this.at])));
    const mark = this.state.querySelectorAll("mark");
    const last = mark[mark.length - 1];
    if (last) {
      const below = last.offsetTop + last.offsetHeight;
      this.state.scrollTop = Math.max(0, below - this.state.clientHeight + 24);
    }
  }

  writeEvent(number, hovered) {
    const { steps, facts, about } = this.stream;
    const step = steps[number];
    const [time, since, lane, kind] = step;
    const place = `event ${(number + 1).toLocaleString("en")} of ${steps.length.toLocaleString("en")}`;
    const where = lane ? ` · ${facts.lanes[lane][0]}` : "";
    const when = `${time.toFixed(3)} s (${gap(since)})`;
    this.line.replaceChildren(make("b", "", kind), make("span", "quiet", `${where} · ${when}`));
    if (about[kind]) this.line.append(make("span", "about", about[kind]));
    this.wireHead.textContent = hovered ? `on the wire · ${place}, under the pointer` : `on the wire · ${place}`;
    this.wire.replaceChildren();
    const event = eventOf(step, facts.lanes);
    if (typeof event === "string") this.wire.textContent = event;
    else write(this.wire, event, new Map());
    if (!hovered) this.slider.setAttribute("aria-valuetext", `${place}, ${kind}${where}, ${when}`);
  }

  // --- time --------------------------------------------------------------------------------

  setSpeed(speed) {
    this.speed = speed;
    this.choice.value = String(speed);
  }

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
    this.clock += ((now - this.then) / 1000) * this.speed;
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
    this.play.textContent = this.playing ? "❚❚" : "▶";
    this.play.title = label;
    this.play.setAttribute("aria-label", label);
  }

  key(event) {
    // What is typed here is not for the notebook, which has commands on single keys.
    event.stopPropagation();
    if (event.target === this.choice || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 10 : 1;
    const steps = { ArrowLeft: -far, ArrowRight: far, Home: -Infinity, End: Infinity };
    const scrolls = event.target === this.wire || event.target === this.state;
    if (event.key in steps && !(scrolls && ["Home", "End"].includes(event.key))) this.step(steps[event.key]);
    else if (event.key === " " && event.target.tagName !== "BUTTON") this.toggle();
    else return;
    event.preventDefault();
  }

  /** Go away; the plain timeline stands there again. */
  close() {
    this.pause();
    clearTimeout(this.telling);
    cancelAnimationFrame(this.drawing);
    this.resize.disconnect();
    this.host.replaceChildren(...this.plain);
  }
}

// A function, so that each model has an `inspector` of its own.
export default () => {
  let inspector;
  return {
    initialize({ model }) {
      inspector = new Inspector(model);
      return () => inspector.close();
    },
  };
};
