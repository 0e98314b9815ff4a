// The plugin: what the host gives it, and the parts that it starts.

import { Buttons } from "./buttons.js";
import { Errors } from "./errors.js";
import { keepHeights } from "./height.js";
import { major, shared } from "./host.js";
import { answerKernel } from "./outputs.js";
import { addStyle, clear } from "./page.js";
import { ChatPanel } from "./panel.js";
import { announce } from "./presence.js";
import { addPrompts } from "./prompts.js";
import { Settings } from "./settings.js";
import { settle } from "./settle.js";

const ID = "claude-nb:plugin";
const LOWEST = 4; // JupyterLab 4.0 and Notebook 7.0

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <path class="jp-icon3" fill="#616161" d="M3 2h10a1.5 1.5 0 0 1 1.5 1.5v6A1.5 1.5 0 0 1 13 11H8.5L5
    14.2V11H3a1.5 1.5 0 0 1-1.5-1.5v-6A1.5 1.5 0 0 1 3 2zm1.5 2.5v1h7v-1zm0 2.5v1h5V7z"/>
</svg>`;

/**
 * Make the plugin from the packages that the host shares. In a host that is too old for it, or that
 * lacks a package, it does nothing.
 * @returns {Promise<object>} A JupyterFrontEndPlugin.
 */
export async function plugin(scope) {
  const idle = { id: ID, activate() {} };
  if (major(scope, "@jupyterlab/notebook") < LOWEST) return idle;
  const packages = await shared(scope, [
    "@jupyterlab/notebook",
    "@jupyterlab/settingregistry",
    "@jupyterlab/ui-components",
    "@lumino/widgets",
    "@jupyterlab/cells",
    "@jupyterlab/outputarea",
    "@jupyterlab/codemirror",
    "@codemirror/view",
    "@codemirror/state",
    "@jupyterlab/completer",
    "@jupyterlab/apputils",
    "@jupyterlab/services",
  ]);
  if (packages.includes(undefined)) return idle;
  const [notebook, settingregistry, icons, widgets, cells, outputarea, ...editor] = packages;
  const [codemirror, view, state, completer, apputils, services] = editor;
  const icon = new icons.LabIcon({ name: "claude-nb:chat", svgstr: ICON });
  return {
    id: ID,
    description: "Claude in notebooks.",
    autoStart: true,
    requires: [
      notebook.INotebookTracker,
      codemirror.IEditorExtensionRegistry,
      codemirror.IEditorLanguageRegistry,
    ],
    optional: [
      settingregistry.ISettingRegistry,
      completer.ICompletionProviderManager,
      apputils.ICommandPalette,
    ],
    async activate(app, tracker, editors, languages, registry, completion, palette) {
      addStyle();
      const settings = new Settings();
      const chat = new ChatPanel(app, tracker, { widgets, cells, outputarea, icon });
      const buttons = new Buttons(app, tracker, chat, { notebook, icons, widgets });
      const errors = new Errors(tracker, notebook.NotebookActions);
      const followed = new WeakSet();
      const isNew = (object) => !followed.has(object) && followed.add(object);
      // The views of one notebook share its context, and mostly its renderers.
      const follow = ({ context, content: { rendermime }, disposed, node }) => {
        disposed.connect(() => clear(node));
        if (isNew(context)) {
          announce(context, settings);
          answerKernel(context, tracker);
          settle(context, tracker, services.KernelMessage, app.serviceManager.kernels);
        }
        if (isNew(rendermime)) {
          buttons.follow(context, rendermime);
          errors.follow(context, rendermime);
        }
      };
      const complete = () => completion?.invoke(tracker.currentWidget?.id);
      addPrompts({ codemirror, view, state }, editors, languages, settings, complete);
      buttons.followChats();
      keepHeights(notebook.NotebookActions);
      tracker.forEach(follow);
      tracker.widgetAdded.connect((_, panel) => follow(panel));
      app.commands.addCommand("claude-nb:chat", {
        label: "Claude: Chat Beside the Notebook",
        caption: "Open a chat with Claude beside the notebook",
        icon,
        isEnabled: () => tracker.currentWidget !== null,
        execute: () => chat.open(),
        describedBy: { args: { type: "object", properties: {} } },
      });
      app.commands.addCommand("claude-nb:move-chat", {
        label: "Claude: Move the Chat",
        caption: "Move the chat between the side and the main area",
        isVisible: () => app.name === "JupyterLab", // Notebook 7 shows one document
        execute: () => chat.move(),
        describedBy: { args: { type: "object", properties: {} } },
      });
      for (const command of ["claude-nb:chat", "claude-nb:move-chat"]) {
        palette?.addItem({ command, category: "Claude" });
      }
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
