// A page that plays replies without a kernel, by the live view and the inspector of the notebook.
//
// It stands in the kernel's place: Python has written the steps of each reply and its frames, a list
// of operations for each event, into the page (render/page.py). Where the inspector goes, the live
// view is sent the frames up to there. Its clock is that of the recording.

const NEAR = 30; // events that are drawn one after another; for more, what they come to

/** The model of a widget whose state stays as it is. */
class Model {
  constructor(state) {
    this.state = state;
    this.listeners = {};
  }

  get(name) {
    return this.state[name];
  }

  on(event, listener) {
    this.listeners[event] = listener;
  }

  off() {}

  send() {} // nobody is there
}

/** A reply on the page. */
class Player {
  constructor(article, { frames, data }, number, facts) {
    this.article = article;
    this.frames = frames;
    const { steps, count } = JSON.parse(data);
    this.steps = steps;
    this.isCut = steps.length < count;
    this.time = 0; // in seconds
    this.sent = 0;
    this.at = -1;
    const now = () => this.time * 1000;
    this.reply = new Reply(null, null, now); // as it is at this event

    this.final = article.querySelector(".claude-nb-final");
    const shown = make("div");
    this.screen = make("div", { class: "claude-nb-screen" }, shown);
    for (const place of [this.final, this.screen]) {
      place.tabIndex = 0; // who cannot use a mouse scrolls it by the keyboard
      place.setAttribute("role", "group");
      place.setAttribute("aria-label", "The reply");
    }
    this.final.after(this.screen);
    this.model = new Model({ columns: 1, kernel_id: "", below: "", snapshot: {} });
    this.model.now = now;
    const widget = live();
    widget.initialize({ model: this.model });
    widget.render({ model: this.model, el: shown });

    const mark = `claude-nb-stepper-${number}`;
    article.append(make("div", { class: `claude-nb ${mark}` }));
    article.classList.add("claude-nb-plays");
    article.addEventListener("claude-nb-moved", (event) => this.show(event.detail));
    const snapshot = { from: 0, reset: true, data };
    inspector.initialize({ model: new Model({ mark, ...facts, snapshot }) });
  }

  /** Show the reply as it was at an event, or between it and the next. */
  show({ at, time }) {
    if (at !== this.at) this.go(at);
    this.time = time;
    const isOver = at === this.steps.length - 1 && !this.isCut;
    if (isOver === this.article.classList.contains("claude-nb-over")) return;
    this.article.classList.toggle("claude-nb-over", isOver);
    if (isOver) this.final.scrollTop = this.screen.scrollTop;
  }

  go(at) {
    const isNear = at > this.at && at - this.at <= NEAR;
    if (at < this.at) {
      this.reply.clear();
      this.at = -1;
    }
    while (this.at < at) {
      this.at += 1;
      const ops = this.frames[this.at];
      [this.time] = this.steps[this.at];
      if (!ops.length) continue;
      this.reply.receive({ frame: this.reply.frame + 1, ops });
      if (isNear) this.send({ ops });
    }
    if (!isNear) this.send({ reset: true, ops: [...this.reply.whole(), ...this.state()] });
  }

  /** The operations for the state of the reply. */
  *state() {
    const { status, since, waitUntil, done, said } = this.reply;
    const now = this.reply.now();
    const wait = status?.wait === undefined ? {} : { wait: (waitUntil - now) / 1000 };
    if (status) yield { ...status, elapsed: done ? status.elapsed : (now - since) / 1000, ...wait };
    if (done) yield { op: "done", said };
  }

  send(message) {
    if (message.reset) this.screen.querySelector(".claude-nb").style.minHeight = "";
    this.sent += 1;
    this.model.listeners["msg:custom"]({ frame: this.sent, ...message });
  }
}

/** Let the keys of the inspector work wherever the reader is, if there is only one. */
function listen(slider) {
  document.addEventListener("keydown", (event) => {
    const { key, shiftKey } = event;
    if (event.target !== document.body || event.ctrlKey || event.metaKey || event.altKey) return;
    if (![" ", "ArrowLeft", "ArrowRight"].includes(key)) return;
    event.preventDefault();
    slider.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
  });
}

/** What Python has written into the page: JSON, compressed. */
async function read() {
  const text = atob(document.getElementById("claude-nb-data").textContent);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// Where a browser cannot read it, the plain timelines stay.
const { replies, ...facts } = await read();
const articles = document.querySelectorAll(".claude-nb-played");
for (const [number, reply] of replies.entries()) new Player(articles[number], reply, number, facts);
if (replies.length === 1) listen(document.querySelector('.claude-nb-controls input[type="range"]'));
