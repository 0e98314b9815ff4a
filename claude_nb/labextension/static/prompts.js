// Prompts are prose: a cell that begins with %%claude is Markdown to the editor.

const MARKDOWN = "text/x-ipythongfm"; // the host's Markdown, with formulas and coloured fences
export const MAGIC = /^%%claude(?!\w)/;
const LENGTH = "%%claude".length + 1; // characters that it looks at
const VALUE = /(?<!\\)\{\{[^{}\n]+\}\}/g;

/**
 * Have the editors of code cells show prompts as prose.
 * @param {object} host The host's packages: {codemirror, view, state}.
 * @param {object} editors The host's IEditorExtensionRegistry.
 * @param {object} languages The host's IEditorLanguageRegistry.
 * @param {import("./settings.js").Settings} settings
 * @param {() => void} complete Offers completions at the caret.
 */
export function addPrompts({ codemirror, view, state }, editors, languages, settings, complete) {
  const { EditorView, Decoration, ViewPlugin } = view;
  const { Compartment, EditorState, Prec } = state;
  const prose = new Compartment(); // in cells of Python it is empty, and costs nothing
  let markdown = []; // the extension, once it is loaded

  const isPrompt = (doc) => settings.values.promptColours !== false && MAGIC.test(doc.line(1).text);
  const proseOf = (doc) => (isPrompt(doc) ? [Prec.highest(markdown), ...parts] : []);

  // In the same transaction in which the first line becomes the magic, or ceases to be.
  const follow = EditorState.transactionExtender.of((transaction) => {
    if (!transaction.changes.touchesRange(0, LENGTH)) return null;
    const { startState, newDoc } = transaction;
    if (isPrompt(startState.doc) === isPrompt(newDoc)) return null;
    return { effects: prose.reconfigure(proseOf(newDoc)) };
  });

  const magic = Decoration.line({ class: "claude-nb-magic" });
  const value = Decoration.mark({ class: "claude-nb-value" });
  const marks = ViewPlugin.fromClass(
    class {
      constructor(editor) {
        this.editor = editor;
        this.decorations = decorate(editor);
        waiting?.add(editor);
      }

      update(update) {
        if (update.docChanged || update.viewportChanged) this.decorations = decorate(update.view);
        const typed = update.transactions.some((each) => each.isUserEvent("input.type"));
        if (typed) offer(update.state);
      }

      destroy() {
        waiting?.delete(this.editor);
      }
    },
    { decorations: (plugin) => plugin.decorations },
  );

  function decorate({ state: { doc }, visibleRanges }) {
    const found = [magic.range(0)];
    for (const { from, to } of visibleRanges) {
      for (const match of doc.sliceString(from, to).matchAll(VALUE)) {
        const begin = from + match.index;
        found.push(value.range(begin, begin + match[0].length));
      }
    }
    return Decoration.set(found, true);
  }

  function offer({ doc, selection }) {
    const { head } = selection.main;
    if (doc.sliceString(head - 3, head).replace(/^[^\\{]/, "") === "{{") setTimeout(complete);
  }

  const parts = [
    marks,
    EditorView.contentAttributes.of({ class: "cm-lineWrapping", spellcheck: "true" }),
    // No closing brackets and quotes in prose.
    Prec.highest(EditorState.languageData.of(() => [{ closeBrackets: { brackets: [] } }])),
  ];

  let waiting = new Set(); // editors of prompts that were made before the language was there
  const loaded = async () => {
    const { support } = (await languages.getLanguage(MARKDOWN)) ?? {};
    markdown = support ?? [];
    for (const editor of [...waiting]) {
      editor.dispatch({ effects: prose.reconfigure(proseOf(editor.state.doc)) });
    }
    waiting = null;
  };

  const { EditorExtensionRegistry } = codemirror;
  editors.addExtension({
    name: "claude-nb:prompts",
    factory: ({ model }) =>
      model.type === "code"
        ? EditorExtensionRegistry.createImmutableExtension([
            prose.of(proseOf(state.Text.of(model.sharedModel.getSource().split("\n")))),
            follow,
          ])
        : null,
  });
  return loaded();
}
