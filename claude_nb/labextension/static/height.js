// A prompt that is run again keeps the height of its output until the first frame of the new one.

import { MAGIC } from "./prompts.js";

const WORDS = ".jp-RenderedHTMLCommon, .jp-RenderedText"; // a widget has such a class too, if it is ours

/** @param {object} actions The host's NotebookActions. */
export function keepHeights({ executionScheduled, executed }) {
  executionScheduled.connect((_, { cell }) => {
    if (cell.model.type !== "code" || !MAGIC.test(cell.model.sharedModel.getSource())) return;
    const { node } = cell.outputArea;
    const frame = node.parentElement;
    if (!frame) return; // far from what is in view, a cell is not drawn
    const before = node.querySelector(WORDS);
    frame.style.minHeight = `${node.offsetHeight}px`;
    const release = () => {
      frame.style.minHeight = "";
      observer.disconnect();
      executed.disconnect(end);
    };
    const end = (_, ended) => ended.cell === cell && release();
    const observer = new MutationObserver(() => {
      const first = node.querySelector(WORDS);
      if (first !== before && first?.textContent.trim()) release();
    });
    observer.observe(node, { childList: true, subtree: true, characterData: true });
    executed.connect(end);
  });
}
