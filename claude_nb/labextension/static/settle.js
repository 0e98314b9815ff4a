// Puts replies into the notebook whose cells were run from a page that is gone: the host does not.
//
// Python tells of them by the widget of claude_nb/views/synced_output.py; views/protocol.py has the
// messages. They are sent here without a comm of the host: of several notebooks with one kernel it
// lets only one have comms.

const WIDGET = "claude_nb.outputs";
const MARK = "claude_nb_output"; // in the metadata of an output that is not settled: {id, version}
const OTHERS = 1500; // ms that other pages of a shared notebook have, before this one does it
const KEY = "claude_nb.sessions";

const sessions = new Set(stored()); // of this tab with kernels, those before a reload too

document.documentElement.dataset.claudeNbSettles = "true"; // so views/static/output_sync.js does not
addEventListener("pagehide", () => {
  sessionStorage.setItem(KEY, JSON.stringify([...sessions].slice(-100)));
});

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return []; // the browser lets the page store nothing
  }
}

/**
 * Keep the outputs of a notebook up to date.
 * @param {object} context The notebook's, from the host.
 * @param {object} messages KernelMessage of the host's @jupyterlab/services.
 */
export function settle(context, messages) {
  const { sessionContext } = context;
  const outputs = new Outputs(context, messages);
  sessionContext.kernelChanged.connect(() => outputs.ask());
  sessionContext.connectionStatusChanged.connect((_, status) => {
    if (status === "connected") outputs.ask(); // what came while it was not may be lost
  });
  sessionContext.iopubMessage.connect((_, { header, content }) => {
    if (header.msg_type !== "comm_msg" || content.comm_id !== WIDGET) return;
    if (content.data.method === "custom") outputs.receive(content.data.content);
  });
  outputs.ask();
}

class Outputs {
  constructor(context, messages) {
    this.context = context;
    this.messages = messages;
    this.answers = new Map();
    this.newest = new Map(); // id -> the last that Python has told of an output
    this.taking = new Set(); // ids
    this.taken = new Set(); // ids
  }

  get kernel() {
    return this.context.sessionContext.session?.kernel;
  }

  /** Ask the kernel which outputs there are, and take those that the notebook does not have. */
  async ask() {
    const { kernel } = this;
    if (!kernel) return;
    sessions.add(kernel.clientId);
    for (const answer of this.answers.values()) answer({}); // it may have been lost
    this.answers.clear();
    try {
      await this.context.ready;
      const { content } = await kernel.requestCommInfo({ target_name: "jupyter.widget" });
      if (!(WIDGET in (content.comms ?? {}))) return;
    } catch {
      return; // the kernel or the notebook is gone
    }
    const { outputs = [] } = await this.request({ op: "outputs" });
    for (const output of outputs) await this.take(output, true);
  }

  receive(message) {
    const { ack, id, session, settled } = message;
    if (ack !== undefined) {
      this.answers.get(ack)?.(message);
      this.answers.delete(ack);
    } else if (session !== this.kernel?.clientId) {
      // What another window runs meanwhile is that window's.
      this.take(message, sessions.has(session));
    } else if (settled) {
      this.send({ op: "has", id }); // the host put it in: the cell was run here
    }
  }

  /**
   * Bring an output up to date.
   * @param {{id: string, version: number, given: number, cell: string}} output
   * @param {boolean} placed Whether to put it into its cell if the notebook does not have it.
   */
  async take(output, placed) {
    const { id } = output;
    this.newest.set(id, output);
    if (this.taking.has(id)) return;
    this.taking.add(id);
    const { collaborative } = this.context.model;
    while (this.places(id, placed).length) {
      if (collaborative) await new Promise((resolve) => setTimeout(resolve, OTHERS));
      if (!this.places(id, placed).length) break;
      const given = collaborative ? this.newest.get(id).given : null;
      const answer = await this.request({ op: "output", id, given });
      if (answer.given === undefined) break;
      this.newest.get(id).given = answer.given;
      if (!answer.output) continue; // another page was given it
      for (const place of this.places(id, placed && answer.cell)) this.put(place, answer);
      this.taken.add(id);
      if (answer.settled) this.send({ op: "has", id });
    }
    this.taking.delete(id);
  }

  /** Where an output belongs: each {cell, index} that has an older version, or the {cell} of its own. */
  places(id, placed) {
    if (this.context.isDisposed) return [];
    const { version, cell: own } = this.newest.get(id);
    const cells = [...this.context.model.cells].filter(({ type }) => type === "code");
    const found = [];
    for (const cell of cells) {
      for (let index = 0; index < cell.outputs.length; index++) {
        const mark = cell.outputs.get(index).metadata?.[MARK];
        if (mark?.id === id) found.push({ cell, index, version: mark.version });
      }
    }
    if (found.length || !placed || this.taken.has(id)) {
      return found.filter((place) => place.version < version);
    }
    // What runs now is another execution of the cell.
    return cells.filter((cell) => cell.id === own && cell.executionState !== "running").map((cell) => ({ cell }));
  }

  put({ cell, index }, { output, execution }) {
    if (index !== undefined) {
      cell.outputs.set(index, output);
      cell.executionCount ??= execution; // the page does not learn it from the cell's reply
    } else {
      if (![null, execution].includes(cell.executionCount)) cell.outputs.clear(); // of an earlier execution
      cell.executionCount = execution;
      cell.outputs.add(output);
    }
    this.context.model.dirty = true;
  }

  /** Ask the kernel something; it answers while a cell runs, too. */
  request(message) {
    return new Promise((resolve) => {
      const n = Math.random();
      this.answers.set(n, resolve);
      this.send({ ...message, n });
    });
  }

  send(content) {
    const { kernel } = this;
    if (!kernel || kernel.isDisposed) return;
    const { clientId: session, username } = kernel;
    const message = this.messages.createMessage({
      ...{ msgType: "comm_msg", channel: "shell", session, username },
      content: { comm_id: WIDGET, data: { method: "custom", content } },
    });
    kernel.sendShellMessage(message, false, true);
  }
}
