// Asks a notebook's kernel something beside its cells.

const ENDED = "The kernel was restarted or has ended.";
const INSTALL = "This kernel does not have claude_nb. In a cell: %pip install claude-nb";
const LOAD = "%load_ext claude_nb";

/**
 * Load claude_nb in a notebook's kernel, if it is not loaded, and ask for a value.
 * @param {object} sessionContext The notebook's.
 * @param {string} [expression] A Python expression that gives JSON.
 * @returns {Promise<{problem?: string, value?: unknown}>} The value; or why there is none, in words.
 *   It is never rejected, and it waits until the kernel is free.
 */
export async function ask({ session }, expression) {
  const { kernel } = session ?? {};
  if (!kernel || kernel.isDisposed) return { problem: "This notebook has no kernel." };
  try {
    const { language_info: language } = await kernel.info;
    if (language.name !== "python") {
      return { problem: `Claude needs a Python kernel; the language of this one is ${language.name}.` };
    }
    return answered(await executed(kernel, expression));
  } catch {
    return { problem: ENDED }; // the host rejects what waits for such a kernel
  }
}

async function executed(kernel, expression) {
  const user_expressions = expression ? { value: expression } : {};
  const content = { code: LOAD, silent: true, store_history: false, user_expressions };
  for (;;) {
    const reply = await kernel.requestExecute(content).done;
    // Where a cell before it fails or is interrupted, what waits is aborted.
    if (reply.content.status !== "aborted") return reply.content;
  }
}

function answered({ status, ename, evalue, user_expressions: { value } = {} }) {
  if (status !== "ok") {
    const missing = ename === "ModuleNotFoundError" && evalue.includes("'claude_nb'");
    return { problem: missing ? INSTALL : `claude_nb cannot be loaded here: ${ename}: ${evalue}` };
  }
  const text = value?.data?.["text/plain"];
  return { value: text && JSON.parse(text.slice(1, -1)) };
}
