// Tells the kernel, with each execution, that this page has the extension, and its settings.

const PROTOCOL = 1; // Python reads it: claude_nb/request/page.py
const VERSION = "0.1.0";

const announced = new WeakSet(); // kernel connections

/**
 * Announce the extension in the metadata of each execution that a notebook starts.
 * @param {object} panel The host's NotebookPanel.
 * @param {import("./settings.js").Settings} settings
 */
export function announce({ sessionContext }, settings) {
  const wrap = (kernel) => {
    if (!kernel || announced.has(kernel)) return;
    announced.add(kernel);
    const request = kernel.requestExecute.bind(kernel);
    kernel.requestExecute = (content, disposeOnDone, metadata) => {
      const page = { protocol: PROTOCOL, version: VERSION, settings: settings.values };
      return request(content, disposeOnDone, { ...metadata, claude_nb: page });
    };
  };
  sessionContext.kernelChanged.connect((_, { newValue }) => wrap(newValue));
  wrap(sessionContext.session?.kernel);
}
