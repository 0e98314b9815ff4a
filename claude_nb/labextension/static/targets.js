// What the buttons in a live chat act on.

import { Rendered, placeOf } from "./cells.js";

/** A chat in a cell: as other outputs, the cells around it. */
export class InCell extends Rendered {
  get cell() {
    const cells = this.panel?.content.widgets ?? [];
    return cells.find(({ node }) => node.contains(this.node))?.model.id;
  }
}

/** A chat beside the notebook: the active cell, in a notebook with the chat's kernel. */
export class Active {
  label = "Replace the active cell";

  constructor(tracker, kernel) {
    this.tracker = tracker;
    this.kernel = kernel;
  }

  /** The notebook, or undefined; of several with this kernel, the active one. */
  get panel() {
    const has = (panel) => panel?.sessionContext.session?.kernel?.id === this.kernel;
    const { currentWidget: current } = this.tracker;
    return has(current) ? current : this.tracker.find(has);
  }

  get context() {
    return this.panel?.context;
  }

  get index() {
    return this.panel?.content.activeCellIndex ?? -1;
  }

  get replaced() {
    return this.panel?.content.activeCell?.model;
  }

  /** Make what was inserted the active cell, so that what is inserted next comes below it. */
  inserted(id, undo) {
    const { content, context } = this.panel;
    const before = content.activeCell?.model.id;
    const activate = (cell) => {
      const place = placeOf(context, cell);
      if (place >= 0) content.activeCellIndex = place;
    };
    activate(id);
    content.scrollToItem(content.activeCellIndex);
    return () => {
      const undone = undo();
      if (undone) activate(before);
      return undone;
    };
  }
}
