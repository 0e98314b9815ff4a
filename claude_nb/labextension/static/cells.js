// What the extension does to a notebook's cells: each change comes with the step that undoes it.

/** The place among the cells of the one that shows an element, or -1. */
export function indexOf(panel, element) {
  return panel.content.widgets.findIndex((cell) => cell.node.contains(element));
}

/** The cell's place by its id, or -1 if it was deleted. */
export function placeOf(panel, id) {
  return panel.content.widgets.findIndex((cell) => cell.model.id === id);
}

/** Why nothing may be written, or an empty string. */
export function readOnly(panel, cell) {
  if (panel.context.model.readOnly) return "This notebook is read-only.";
  return cell?.model.getMetadata("editable") === false ? "That cell is read-only." : "";
}

/**
 * Insert a code cell below the one at an index.
 * @returns {{id: string, undo: () => boolean}} Its id, and what takes it out again: false if it was
 *   changed since, and stays.
 */
export function insertBelow(panel, index, source, metadata = {}) {
  const { sharedModel } = panel.content.model;
  const own = { trusted: false, ...metadata };
  const cell = { cell_type: "code", source, metadata: own, outputs: [], execution_count: null };
  const { id } = sharedModel.insertCell(index + 1, cell);
  const undo = () => {
    const place = sharedModel.cells.findIndex((each) => each.getId() === id);
    if (place < 0 || sharedModel.cells[place].getSource() !== source) return false;
    sharedModel.deleteCell(place);
    return true;
  };
  return { id, undo };
}

/** Add a code cell at the notebook's end. */
export function appendCell(panel, source, metadata) {
  const { sharedModel } = panel.content.model;
  const cell = { cell_type: "code", source, metadata, outputs: [], execution_count: null };
  sharedModel.insertCell(sharedModel.cells.length, cell);
}

/**
 * Replace the text of a cell.
 * @returns {() => boolean} What brings the old text back: false if the new one was changed since.
 */
export function replace(cell, source) {
  const { sharedModel } = cell.model;
  const before = sharedModel.getSource();
  sharedModel.setSource(source);
  return () => {
    if (cell.isDisposed || sharedModel.getSource() !== source) return false;
    sharedModel.setSource(before);
    return true;
  };
}

/** Run the cell with this id, and show it. */
export async function run(panel, id, NotebookActions) {
  const index = placeOf(panel, id);
  if (index < 0) return;
  panel.content.activeCellIndex = index;
  panel.content.deselectAll();
  await NotebookActions.run(panel.content, panel.sessionContext);
}
