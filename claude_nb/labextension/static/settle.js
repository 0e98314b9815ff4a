// Puts replies into the notebook whose cells were run from a page that is gone: the host does not.
//
// Python tells of them by the widget of claude_nb/views/synced_output.py; render/protocol.py has the
// messages. They are sent here without a comm of the host: of several notebooks with one kernel it
// lets only one have comms.

import { make, recordOf } from "./page.js";

const WIDGET = "claude_nb.outputs";
const VIEW = "application/vnd.jupyter.widget-view+json";
// In an output that is not settled: {id, version, kernel, process}.
const MARK = "application/vnd.claude-nb.output+json";
const GONE = ".claude-nb-status, .claude-nb-reserved, .claude-nb-question, button"; // of a live view
const OTHERS = 1500; // ms that other pages of a shared notebook have, before this one does it
const KEY = "claude_nb.sessions";

const sessions = new Set(stored()); // of this tab with kernels, those before a reload too

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
 * @param {object} tracker The host's INotebookTracker.
 * @param {object} messages KernelMessage of the host's @jupyterlab/services.
 * @param {object} kernels The host's Kernel.IManager.
 */
export function settle(context, tracker, messages, kernels) {
  // views/static/output_sync.js then does not. The host imports this file where it is disabled, too.
  document.documentElement.dataset.claudeNbSettles = "true";
  const { sessionContext } = context;
  const outputs = new Outputs(context, tracker, messages, kernels);
  sessionContext.kernelChanged.connect(() => outputs.ask());
  sessionContext.connectionStatusChanged.connect((_, status) => {
    if (status === "connected") outputs.ask(); // what came while it was not may be lost
  });
  sessionContext.iopubMessage.connect((_, { header, content }) => {
    if (header.msg_type !== "comm_msg" || content.comm_id !== WIDGET) return;
    if (content.data.method === "custom") outputs.receive(content.data.content);
  });
  context.model.cells.changed.connect(() => setTimeout(() => outputs.renew()));
  outputs.ask();
}

/** The comms of a kernel's widgets by their id, and its process; nothing where it does not tell. */
async function openComms(kernel) {
  try {
    const { content, header } = await kernel.requestCommInfo({ target_name: "jupyter.widget" });
    return { comms: content.comms, process: header.session };
  } catch {
    return {}; // its connection was closed
  }
}

/** The ids of the server's kernels; undefined where it does not tell. */
async function running(kernels) {
  try {
    await kernels.refreshRunning();
    return [...kernels.running()].map(({ id }) => id);
  } catch {
    return undefined; // it is not reached
  }
}

class Outputs {
  constructor(context, tracker, messages, kernels) {
    Object.assign(this, { context, tracker, messages, kernels });
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
    await this.context.ready;
    const before = new Set(this.marked().map(({ id }) => id));
    const { comms, process } = await openComms(kernel);
    if (!comms) return;
    const { outputs } = WIDGET in comms ? await this.request({ op: "outputs" }) : { outputs: [] };
    if (!outputs) return; // it was asked again
    for (const output of outputs) await this.take(output, true);
    const isLost = (place) =>
      place.widget && before.has(place.id) && !(place.widget in comms) && place.process !== process;
    if (!this.marked().some(isLost)) return;
    const others = (await running(this.kernels))?.filter((id) => id !== kernel.id);
    // A copy of a notebook has what another kernel still writes.
    const hasEnded = (place) => isLost(place) && others && !others.includes(place.kernel);
    if (kernel === this.kernel) this.marked().filter(hasEnded).forEach((place) => this.leave(place));
  }

  receive(message) {
    const { ack, id, session, settled } = message;
    if (ack !== undefined) {
      this.answers.get(ack)?.(message);
      this.answers.delete(ack);
    } else {
      // The host puts in what was run here; not if the cell was moved since, or reverted. What
      // another window runs meanwhile is that window's.
      const isOwn = session === this.kernel?.clientId;
      this.take(message, !isOwn && sessions.has(session));
      if (isOwn && settled) this.send({ op: "has", id });
    }
  }

  /** Bring up to date what has come into the notebook with an old version, such as a reverted one. */
  renew() {
    for (const { id, version } of this.marked()) {
      const newest = this.newest.get(id);
      if (newest?.version > version) this.take(newest, false);
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

  /** The notebook's cells with code. */
  get cells() {
    if (this.context.isDisposed) return [];
    return [...this.context.model.cells].filter(({ type }) => type === "code");
  }

  /** The outputs that are not settled: each {cell, index, widget}, and its mark. */
  marked() {
    const found = [];
    for (const cell of this.cells) {
      for (let index = 0; index < cell.outputs.length; index++) {
        const output = cell.outputs.get(index);
        const { [MARK]: mark, [VIEW]: view } = output.data ?? {};
        if (!mark) continue;
        // What has a record is saved as it is, such as a chat.
        const widget = recordOf(output) ? undefined : view?.model_id;
        found.push({ cell, index, ...mark, widget });
      }
    }
    return found;
  }

  /** Where an output belongs: each place that has an older version, or the {cell} of its own. */
  places(id, placed) {
    const { version, cell: own } = this.newest.get(id);
    const found = this.marked().filter((place) => place.id === id);
    if (found.length || !placed || this.taken.has(id)) {
      return found.filter((place) => place.version < version);
    }
    // What runs now is another execution of the cell.
    const here = this.cells.find((cell) => cell.id === own && cell.executionState !== "running");
    return here ? [{ cell: here }] : [];
  }

  put({ cell, index }, { output, execution }) {
    if (index !== undefined) {
      cell.outputs.set(index, output);
      cell.executionCount ??= execution; // the page does not learn it from the cell's reply
    } else {
      // Those of an earlier execution go.
      if (![null, execution].includes(cell.executionCount)) cell.outputs.clear();
      cell.executionCount = execution;
      cell.outputs.add(output);
    }
    // As a cell that is run here; now all that it shows is this kernel's.
    if (cell.outputs.length === 1) cell.trusted = true;
    this.context.model.dirty = true;
  }

  /** Mark what was being written when its kernel ended; what the page shows of it stays. */
  leave({ cell, index }) {
    const panel = this.tracker.find(({ context }) => context === this.context);
    const widget = panel?.content.widgets.find(({ model }) => model === cell);
    const shown = widget?.outputArea.widgets[index]?.node;
    const parts = [...(shown?.querySelectorAll(".claude-nb-live .claude-nb") ?? [])];
    for (const [n, live] of (parts.length ? parts : [make("div", { class: "claude-nb" })]).entries()) {
      const part = live.cloneNode(true);
      const name = part.querySelector(".claude-nb-status b")?.textContent;
      for (const each of part.querySelectorAll(GONE)) each.remove();
      part.prepend(make("p", {}), "\n");
      part.firstChild.textContent = `${name ? `${name} · not` : "Not"} finished: the kernel ended.`;
      part.removeAttribute("style");
      part.removeAttribute("aria-busy");
      parts[n] = part;
    }
    const html = parts.map(({ outerHTML }) => outerHTML.replaceAll("<!---->", "")).join("\n");
    const plain = parts.map(({ textContent }) => textContent).join("\n");
    cell.outputs.set(index, {
      output_type: "display_data",
      data: { "text/html": html, "text/plain": plain },
      metadata: {},
    });
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
