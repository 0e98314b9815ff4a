// Elements, buttons and announcements; the records of outputs.

const RECORD = "application/vnd.claude-nb+json";

/**
 * The record that a reply has left in an output; undefined for others.
 * Earlier versions left it in the metadata.
 */
export function recordOf({ data, metadata }) {
  return data?.[RECORD] ?? metadata?.claude_nb;
}

/** Make an element with these attributes. */
export function make(tag, attributes) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/**
 * Make a button.
 * @param {string} label What it does; shown where there is no icon.
 * @param {(button: HTMLElement) => unknown} act What it does when it is pressed.
 * @param {object} [icon] A LabIcon of the host.
 */
export function button(label, act, icon) {
  // The notebook's keys (b, a, m, …) do nothing while it is focused.
  const element = make("button", { type: "button", "data-lm-suppress-shortcuts": "true" });
  if (icon) {
    element.setAttribute("aria-label", label);
    element.title = label;
    element.append(drawing(icon));
  } else {
    element.textContent = label;
  }
  element.addEventListener("click", (event) => {
    event.stopPropagation(); // the cell keeps its place, and the notebook its active cell
    act(element);
  });
  return element;
}

const OURS = ".claude-nb-actions, .claude-nb-error, .claude-nb-difference";

/** Take everything of ours out of an element: the host keeps notebooks that are closed. */
export function clear(node) {
  node.querySelectorAll(OURS).forEach((element) => element.remove());
}

const drawings = new WeakMap(); // icon -> its element: the host parses it each time

function drawing(icon) {
  if (!drawings.has(icon)) {
    drawings.set(icon, icon.element({ tag: "span", stylesheet: "menuItem" }));
  }
  return drawings.get(icon).cloneNode(true);
}

/**
 * Have a function called each time an output of a notebook is rendered.
 * @param {object} rendermime The notebook's; its views share it.
 * @param {string} kind The MIME type that the host has rendered.
 * @param {(node: HTMLElement, model: object) => void} act Gets the element and the host's IMimeModel.
 */
export function afterRender(rendermime, kind, act) {
  const plain = rendermime.getFactory(kind);
  if (!plain) return;
  const createRenderer = (options) => {
    const renderer = plain.createRenderer(options);
    const render = renderer.renderModel.bind(renderer);
    renderer.renderModel = async (model) => {
      await render(model);
      act(renderer.node, model);
    };
    return renderer;
  };
  rendermime.addFactory({ ...plain, createRenderer }, plain.defaultRank);
}

/** Load the style sheet. */
export function addStyle() {
  const href = new URL("style.css", import.meta.url);
  document.head.append(Object.assign(make("link", { rel: "stylesheet" }), { href }));
}

/** Put a text on the clipboard. Returns whether that worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const give = (event) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    document.addEventListener("copy", give, { capture: true, once: true });
    const copied = document.execCommand("copy");
    document.removeEventListener("copy", give, { capture: true });
    return copied;
  }
  return true;
}
