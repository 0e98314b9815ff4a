// The plugin: what the host gives it, and the parts that it starts.

import { shared } from "./host.js";
import { announce } from "./presence.js";
import { Settings } from "./settings.js";

const ID = "claude-nb:plugin";

/**
 * Make the plugin from the packages that the host shares.
 * @returns {Promise<object>} A JupyterFrontEndPlugin; one that does nothing on a host that is too old.
 */
export async function plugin(scope) {
  const [notebook, settingregistry] = await shared(scope, [
    "@jupyterlab/notebook",
    "@jupyterlab/settingregistry",
  ]);
  return {
    id: ID,
    description: "Claude in notebooks.",
    autoStart: true,
    requires: [notebook.INotebookTracker],
    optional: [settingregistry.ISettingRegistry],
    async activate(_app, tracker, registry) {
      const settings = new Settings();
      announce(tracker, settings);
      await settings.load(registry, ID);
    },
  };
}
