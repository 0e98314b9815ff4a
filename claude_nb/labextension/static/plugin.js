// The plugin: what the host gives it, and the parts that it starts.

import { Buttons } from "./buttons.js";
import { Errors } from "./errors.js";
import { shared } from "./host.js";
import { addStyle } from "./page.js";
import { announce } from "./presence.js";
import { addPrompts } from "./prompts.js";
import { Settings } from "./settings.js";

const ID = "claude-nb:plugin";

/**
 * Make the plugin from the packages that the host shares.
 * @returns {Promise<object>} A JupyterFrontEndPlugin.
 */
export async function plugin(scope) {
  const [notebook, settingregistry, icons, widgets, codemirror, view, state, completer] =
    await shared(scope, [
      "@jupyterlab/notebook",
      "@jupyterlab/settingregistry",
      "@jupyterlab/ui-components",
      "@lumino/widgets",
      "@jupyterlab/codemirror",
      "@codemirror/view",
      "@codemirror/state",
      "@jupyterlab/completer",
    ]);
  return {
    id: ID,
    description: "Claude in notebooks.",
    autoStart: true,
    requires: [
      notebook.INotebookTracker,
      codemirror.IEditorExtensionRegistry,
      codemirror.IEditorLanguageRegistry,
    ],
    optional: [settingregistry.ISettingRegistry, completer.ICompletionProviderManager],
    async activate(app, tracker, editors, languages, registry, completion) {
      addStyle();
      const settings = new Settings();
      const host = { notebook, icons, widgets };
      const [buttons, errors] = [new Buttons(app, host), new Errors(host)];
      const follow = (panel) => {
        announce(panel, settings);
        buttons.follow(panel);
        errors.follow(panel);
      };
      const complete = () => completion?.invoke(tracker.currentWidget?.id);
      addPrompts({ codemirror, view, state }, editors, languages, settings, complete);
      tracker.forEach(follow);
      tracker.widgetAdded.connect((_, panel) => follow(panel));
      app.commands.addCommand("claude-nb:ask-model", {
        label: ({ model }) => model,
        execute: ({ model, cell, panel: id }) => {
          const panel = tracker.find((each) => each.id === id);
          return panel && buttons.askModel(panel, cell, model);
        },
        describedBy: { args: { type: "object", properties: { model: { type: "string" } } } },
      });
      await settings.load(registry, ID);
    },
  };
}
