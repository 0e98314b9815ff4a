// Shows the kernel what cells display, when the cell that runs asks for it.

import { recordOf } from "./page.js";

const TARGET = "claude_nb.page"; // Python opens it: claude_nb/views/page_outputs.py
const MOST = 2_000_000; // bytes of an answer
const LONG = 200_000; // characters of a text: of a longer one both ends are sent
const LONG_OF_MANY = 20_000; // likewise where all cells are asked for
const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const TEXTS = ["text/markdown", "text/latex", "text/html", "text/plain"];

/**
 * Answer the kernel of a notebook: {cells: number[]} asks for the outputs of these executions, and
 * {figure_above: id, execution: number} for the newest image above the cell that asks. With
 * {around: id, above: boolean} all cells but one are asked for, or those above it.
 * @param {object} context The notebook's, from the host.
 * @param {object} tracker The host's INotebookTracker.
 */
export function answerKernel({ sessionContext }, tracker) {
  const register = (kernel) => {
    kernel?.registerCommTarget(TARGET, (comm) => {
      comm.onMsg = ({ parent_header: { session }, content: { data } }) => {
        // Of all notebooks with this kernel, the host lets one receive. Another page may be meant.
        const asking = tracker.find((panel) => kernelOf(panel)?.clientId === session);
        // Not awaited: the host handles no other message before this one is done.
        if (asking) answer(comm, asking, data).catch(console.error);
      };
    });
  };
  sessionContext.kernelChanged.connect((_, { newValue }) => register(newValue));
  register(sessionContext.session?.kernel);
  sessionContext.iopubMessage.connect((_, { header, content }) => {
    if (header.msg_type !== "comm_open" || content.target_name !== TARGET) return;
    opened.set(sessionContext, content.comm_id);
  });
}

const opened = new WeakMap(); // session context -> the id of the comm of which it heard last

function kernelOf({ sessionContext }) {
  return sessionContext.session?.kernel;
}

/** Wait until a notebook has heard of the comm on its own connection, and of all outputs before. */
async function heard({ sessionContext }, id) {
  if (opened.get(sessionContext) === id) return;
  await new Promise((resolve) => {
    const listen = (_, { content }) => {
      if (content.comm_id !== id) return;
      sessionContext.iopubMessage.disconnect(listen);
      resolve();
    };
    sessionContext.iopubMessage.connect(listen);
  });
}

async function answer(comm, panel, question) {
  await heard(panel, comm.commId);
  const content = answerTo(question, [...panel.context.model.cells]);
  // Before that, a message would go to the main thread, which is busy with the cell.
  if (comm.commsOverSubshells !== "disabled") await comm.subshellStarted;
  if (!comm.isDisposed) comm.send({ method: "custom", content });
}

function answerTo({ cells: numbers, figure_above: below, execution, around, above }, cells) {
  if (around !== undefined) {
    const at = cells.findIndex(({ id }) => id === around);
    if (at < 0) return { cells: null };
    return newest(cells.filter((_, place) => place < at || (!above && place > at)).map(whole));
  }
  const code = cells.filter(({ type }) => type === "code");
  return numbers
    ? { cells: fitting(code.filter((cell) => numbers.includes(cell.executionCount)), outputsOf) }
    : { cells: fitting(newestFigure(code, below, execution), (cell) => [imageOf(cell)]) };
}

function outputsOf(cell) {
  // Replies of Claude have a record; the kernel has them, and an error too.
  return cell.outputs
    .toJSON()
    .filter((output) => output.output_type !== "error" && !recordOf(output));
}

/** All that is sent of a cell, whatever the others hold. */
function whole(cell) {
  const outputs = cell.type === "code" ? outputsOf(cell) : [];
  const fits = limit();
  return {
    id: cell.id,
    kind: cell.type,
    source: cell.sharedModel.getSource(),
    tags: [cell.getMetadata("tags") ?? []].flat().map(String),
    execution: cell.executionCount ?? 0,
    error: errorOf(cell),
    outputs: outputs.map((output) => within(readable(output, LONG_OF_MANY), fits)),
  };
}

function errorOf(cell) {
  const all = cell.type === "code" ? cell.outputs.toJSON() : [];
  const found = all.find(({ output_type: type }) => type === "error");
  return found ? `${found.ename}: ${found.evalue}` : "";
}

/**
 * The cells without the oldest, if they are more than an answer may have: then half goes at once,
 * so that the next answer begins with the same cell.
 */
function newest(cells) {
  const sizes = cells.map(sizeOf);
  let first = 0;
  let total = 0;
  sizes.forEach((size, at) => {
    total += size;
    if (total <= MOST) return;
    for (; total > MOST / 2 && first < at; first += 1) total -= sizes[first];
  });
  return { cells: cells.slice(first), left: first };
}

function sizeOf(part) {
  return new TextEncoder().encode(JSON.stringify(part)).length;
}

/** Tells of each part whether it fits into what is left of an answer. */
function limit() {
  let left = MOST;
  return (part) => {
    const size = sizeOf(part);
    if (size > left) return false;
    left -= size;
    return true;
  };
}

function within(part, fits) {
  return fits(part) ? part : { ...part, data: {}, large: true };
}

/** The last output of a cell that is an image, or undefined. */
function imageOf(cell) {
  return outputsOf(cell).findLast(({ data = {} }) => IMAGES.some((kind) => kind in data));
}

/** The cell with the newest image above the one with this id, in a list; an empty one for none. */
function newestFigure(code, below, execution) {
  const above = code.slice(0, Math.max(0, code.findIndex(({ id }) => id === below)));
  // A larger number is of an earlier kernel. Of the same age, the nearest.
  const age = ({ executionCount: count }) => (count < execution ? (count ?? 0) : 0);
  return above.filter(imageOf).sort((a, b) => age(a) - age(b)).slice(-1);
}

/** The outputs of cells as far as they fit into an answer, those of the newest first. */
function fitting(cells, outputs) {
  const fits = limit();
  const found = [];
  for (const cell of [...cells].sort((a, b) => b.executionCount - a.executionCount)) {
    const head = { execution: cell.executionCount ?? 0, source: cell.sharedModel.getSource() };
    if (!fits(head)) continue;
    const parts = outputs(cell).map((output) => within(readable(output, LONG), fits));
    found.push({ ...head, outputs: parts });
  }
  return found;
}

/** What Python reads of an output: its image, or else its texts; and the kinds that it has. */
function readable({ output_type: type, text, data = {} }, long) {
  const all = type === "stream" ? { "text/plain": text } : data;
  const image = IMAGES.find((kind) => kind in all);
  const part = { kinds: Object.keys(all), data: {}, dropped: 0, large: false };
  for (const kind of image ? [image] : TEXTS.filter((each) => each in all)) {
    const value = [all[kind]].flat().join("");
    if (image || value.length <= (kind === "text/html" ? LONG : long)) {
      part.data[kind] = value;
    } else if (kind !== "text/html") {
      part.data[kind] = value.slice(0, long / 2) + value.slice(-long / 2);
      part.dropped = value.length - long;
    }
  }
  return part;
}
