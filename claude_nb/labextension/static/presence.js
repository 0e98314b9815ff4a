// Tells the kernel, with each execution, that this page has the extension, and what it can do.

const PROTOCOL = 1; // Python reads it: claude_nb/request/page.py
const VERSION = "0.1.0";

const announced = new WeakSet(); // kernel connections

/**
 * Announce the extension in the metadata of each execution that a notebook of this page starts.
 * @param {object} tracker The host's INotebookTracker.
 * @param {import("./settings.js").Settings} settings
 */
export function announce(tracker, settings) {
  const follow = ({ sessionContext }) => {
    sessionContext.kernelChanged.connect((_, { newValue }) => wrap(newValue));
    wrap(sessionContext.session?.kernel);
  };
  const wrap = (kernel) => {
    if (!kernel || announced.has(kernel)) return;
    announced.add(kernel);
    const request = kernel.requestExecute.bind(kernel);
    kernel.requestExecute = (content, disposeOnDone, metadata) =>
      request(content, disposeOnDone, { ...metadata, claude_nb: facts() });
  };
  const facts = () => ({ protocol: PROTOCOL, version: VERSION, settings: settings.values });
  tracker.forEach(follow);
  tracker.widgetAdded.connect((_, panel) => follow(panel));
}
