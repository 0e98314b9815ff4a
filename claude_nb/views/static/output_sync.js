// Puts into the notebook the outputs that an update of Python does not reach: synced_output.py says
// which these are. The widget has no view of its own. Where claude_nb's JupyterLab extension is, that
// does it (labextension/static/settle.js), and has said so on the page.

// What an output has of its id and version.
const MARK = "application/vnd.claude-nb.output+json";
const UPDATED = 1500; // ms after which an output that Python has replaced must have changed

class OutputSync {
  constructor(model) {
    this.model = model;
    this.newest = new Map(); // the versions that must be there by now
    this.given = new Map(); // how often an output was given to a page, when this one last asked
    this.checking = new Set();
    this.answers = new Map();
    this.timers = new Set();
    model.on("msg:custom", (message) => this.receive(message));
    model.on("change:snapshot", () => this.expectAll());
    this.expectAll();
    for (const output of this.outputs) if (output.cell) this.check(output);
  }

  get outputs() {
    return this.model.get("snapshot").outputs ?? [];
  }

  get cells() {
    return [...(this.model.widget_manager?.context?.model?.cells ?? [])];
  }

  receive(message) {
    if (message.ack !== undefined) {
      this.answers.get(message.ack)?.(message);
      this.answers.delete(message.ack);
    } else {
      this.expect(message);
    }
  }

  expectAll() {
    for (const output of this.outputs) this.expect(output);
  }

  /** Look in a moment whether an output has changed: another page may bring that about. */
  expect({ id, version, given }) {
    this.given.set(id, given);
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.newest.set(id, Math.max(version, this.newest.get(id) ?? 0));
      this.check({ id });
    }, UPDATED);
    this.timers.add(timer);
  }

  /** Replace an output where it is old, or put it into its cell. */
  async check(output) {
    const { id } = output;
    if (this.checking.has(id)) return;
    this.checking.add(id);
    while (!this.closed && this.placesOf(output).length) {
      const answer = await this.ask(id);
      if (answer.given === undefined) break;
      this.given.set(id, answer.given);
      if (answer.output) {
        for (const put of this.placesOf(output)) put(answer);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, UPDATED));
    }
    this.checking.delete(id);
  }

  /** The places in the notebook for an output, each as a function that takes Python's answer. */
  placesOf({ id, cell: place }) {
    const places = [];
    let found = false;
    for (const cell of this.cells) {
      const count = cell.outputs?.length ?? 0;
      for (let i = 0; i < count; i++) {
        const mark = cell.outputs.get(i).data?.[MARK];
        if (mark?.id !== id) continue;
        found = true;
        if (mark.version >= (this.newest.get(id) ?? 0)) continue;
        places.push(({ output, execution }) => {
          cell.outputs.set(i, output);
          cell.executionCount ??= execution; // the page does not learn it from the cell's reply
        });
      }
    }
    const cell = !found && place && this.cells.find(({ id }) => id === place);
    if (cell?.outputs) places.push((answer) => putInto(cell, answer));
    return places;
  }

  /** Ask the kernel for an output, as it is now. */
  ask(id) {
    return new Promise((resolve) => {
      const n = Math.random();
      this.answers.set(n, resolve);
      this.model.send({ op: "output", id, given: this.given.get(id), n });
    });
  }

  close() {
    this.closed = true;
    for (const timer of this.timers) clearTimeout(timer);
    for (const answer of this.answers.values()) answer({});
  }
}

/** Add an output to its cell, in place of those of an earlier execution. */
function putInto(cell, { output, execution }) {
  if (![null, execution].includes(cell.executionCount)) cell.outputs.clear();
  cell.executionCount = execution;
  cell.outputs.add(output);
}

export default () => ({
  initialize({ model }) {
    model.send({ op: "here" });
    if (document.documentElement.dataset.claudeNbSettles) return undefined;
    const sync = new OutputSync(model);
    return () => sync.close();
  },
});
