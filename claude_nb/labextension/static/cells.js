// What the extension does to a notebook's cells: each change comes with the step that undoes it.

export const GONE = "The cell no longer exists.";

/**
 * An output as it is rendered: it finds its cell and its notebook when they are asked for. What is
 * inserted from it comes below its cell, and the next cell is what it replaces.
 */
export class Rendered {
  label = "Replace the next cell";

  /**
   * @param {object} tracker The host's INotebookTracker.
   * @param {object} context The notebook's; all its views have the same.
   * @param {HTMLElement} node Where it is.
   * @param {object} model The host's IOutputModel.
   */
  constructor(tracker, context, node, model) {
    Object.assign(this, { tracker, context, node, model });
  }

  /** The view of the notebook that shows it. An output that has a tab of its own is in none. */
  get panel() {
    const views = this.tracker.filter(({ context }) => context === this.context);
    return views.find(({ node }) => node.contains(this.node)) ?? views[0];
  }

  /** The id of its cell, or undefined if that, or the output, is not there any more. */
  get cell() {
    const outputs = ({ outputs: list }) => Array.from(list ?? [], (_, i) => list.get(i));
    const cells = [...(this.context.model.cells ?? [])];
    return cells.find((cell) => outputs(cell).includes(this.model))?.id;
  }

  /** The place of its cell in the notebook, or -1. */
  get index() {
    return placeOf(this.context, this.cell);
  }

  /** The cell that is replaced, or undefined. */
  get replaced() {
    return this.index < 0 ? undefined : this.context.model.cells.get(this.index + 1);
  }

  /** Show what was inserted; returns what takes it out again. */
  inserted(_, undo) {
    return undo;
  }
}

/** The place of a cell in a notebook by its id, or -1 if it was deleted. */
export function placeOf({ model }, id) {
  return model.sharedModel.cells.findIndex((cell) => cell.getId() === id);
}

/** A cell of a notebook by its id, or undefined: the host's ICellModel. */
export function cellOf({ model }, id) {
  return [...(model.cells ?? [])].find((cell) => cell.id === id);
}

/** Why nothing may be written into a notebook, or into one of its cells; or an empty string. */
export function readOnly({ model }, cell) {
  if (model.readOnly) return "This notebook is read-only.";
  return cell?.getMetadata("editable") === false ? "That cell is read-only." : "";
}

/**
 * Insert a code cell into a notebook.
 * @returns {{id: string, undo: () => boolean}} Its id, and what takes it out again: false if it was
 *   changed since, and stays.
 */
export function insertCell({ model: { sharedModel } }, index, source, metadata) {
  const cell = { cell_type: "code", source, metadata, outputs: [], execution_count: null };
  const { id } = sharedModel.insertCell(index, cell);
  const undo = () => {
    const place = sharedModel.cells.findIndex((each) => each.getId() === id);
    if (place < 0 || sharedModel.cells[place].getSource() !== source) return false;
    sharedModel.deleteCell(place);
    return true;
  };
  return { id, undo };
}

/**
 * Replace the text of the cell with this id.
 * @returns {() => boolean} What brings the old text back: false if the new one was changed since.
 */
export function replace(context, id, source) {
  const { sharedModel } = cellOf(context, id);
  const before = sharedModel.getSource();
  sharedModel.setSource(source);
  return () => {
    const cell = cellOf(context, id); // another object if the cell was moved
    if (cell?.sharedModel.getSource() !== source) return false;
    cell.sharedModel.setSource(before);
    return true;
  };
}

/** Run the cell with this id, and show it. */
export async function run(panel, id, NotebookActions) {
  const index = placeOf(panel.context, id);
  if (index < 0) return;
  panel.content.activeCellIndex = index;
  panel.content.deselectAll();
  await NotebookActions.run(panel.content, panel.sessionContext);
}
