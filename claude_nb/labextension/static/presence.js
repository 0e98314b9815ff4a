// Tells the kernel, with each execution, that this page has the extension, what it can do, and its settings.

import { errorOf } from "./errors.js";

const PROTOCOL = 1; // Python reads it: claude_nb/request/page.py
const VERSION = "0.2.0";

const announced = new WeakSet(); // kernel connections

/**
 * Announce the extension in the metadata of each execution that a notebook starts.
 * @param {object} context The notebook's, from the host.
 * @param {import("./settings.js").Settings} settings
 */
export function announce(context, settings) {
  const { sessionContext } = context;
  const wrap = (kernel) => {
    if (!kernel || announced.has(kernel)) return;
    announced.add(kernel);
    const request = kernel.requestExecute.bind(kernel);
    kernel.requestExecute = (content, disposeOnDone, metadata) => {
      const error = errorOf(context, metadata);
      const page = {
        ...{ protocol: PROTOCOL, version: VERSION, settings: settings.values, error },
        // Without subshells, no message arrives while a cell runs.
        capabilities: ["settle", ...(kernel.supportsSubshells ? ["outputs"] : [])],
      };
      return request(content, disposeOnDone, { ...metadata, claude_nb: page });
    };
  };
  sessionContext.kernelChanged.connect((_, { newValue }) => wrap(newValue));
  wrap(sessionContext.session?.kernel);
}
