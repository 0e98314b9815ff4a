// Shows the kernel what cells display, when the cell that runs asks for it.

const TARGET = "claude_nb.page"; // Python opens it: claude_nb/views/page_outputs.py
const MOST = 2_000_000; // bytes of an answer
const LONG = 200_000; // characters of a text: of a longer one both ends are sent
const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const TEXTS = ["text/markdown", "text/latex", "text/html", "text/plain"];

/**
 * Answer the kernel of a notebook: {cells: number[]} asks for the outputs of these executions, and
 * {figure_above: id, execution: number} for the newest image above the cell that asks.
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

async function answer(comm, panel, { cells: numbers, figure_above: below, execution }) {
  await heard(panel, comm.commId);
  const code = [...panel.context.model.cells].filter(({ type }) => type === "code");
  const found = numbers
    ? code.filter((cell) => numbers.includes(cell.executionCount))
    : newestFigure(code, below, execution);
  const content = { cells: fitting(found, numbers ? outputsOf : (cell) => [imageOf(cell)]) };
  // Before that, a message would go to the main thread, which is busy with the cell.
  if (comm.commsOverSubshells !== "disabled") await comm.subshellStarted;
  if (!comm.isDisposed) comm.send({ method: "custom", content });
}

function outputsOf(cell) {
  // Replies of Claude have a record; the kernel has them, and an error too.
  return cell.outputs
    .toJSON()
    .filter(({ output_type: type, metadata }) => type !== "error" && !metadata?.claude_nb);
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
  let left = MOST;
  const fits = (part) => {
    const size = new TextEncoder().encode(JSON.stringify(part)).length;
    if (size > left) return false;
    left -= size;
    return true;
  };
  const found = [];
  for (const cell of [...cells].sort((a, b) => b.executionCount - a.executionCount)) {
    const head = { execution: cell.executionCount ?? 0, source: cell.sharedModel.getSource() };
    if (!fits(head)) continue;
    const parts = outputs(cell).map(readable);
    const shown = parts.map((part) => (fits(part) ? part : { ...part, data: {}, large: true }));
    found.push({ ...head, outputs: shown });
  }
  return found;
}

/** What Python reads of an output: its image, or else its texts; and the kinds that it has. */
function readable({ output_type: type, text, data = {} }) {
  const all = type === "stream" ? { "text/plain": text } : data;
  const image = IMAGES.find((kind) => kind in all);
  const part = { kinds: Object.keys(all), data: {}, dropped: 0, large: false };
  for (const kind of image ? [image] : TEXTS.filter((each) => each in all)) {
    const value = [all[kind]].flat().join("");
    if (image || value.length <= LONG) {
      part.data[kind] = value;
    } else if (kind !== "text/html") {
      part.data[kind] = value.slice(0, LONG / 2) + value.slice(-LONG / 2);
      part.dropped = value.length - LONG;
    }
  }
  return part;
}
