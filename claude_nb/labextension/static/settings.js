// The settings of the extension, as the settings editor keeps them.

export class Settings {
  /** @type {object} What is set, by name: schemas/claude-nb/plugin.json has the names. */
  values = {};

  /**
   * Read the settings now and whenever they change.
   * @param {object | null} registry The host's ISettingRegistry.
   * @param {string} id The plugin's id.
   */
  async load(registry, id) {
    const settings = await registry?.load(id);
    const read = () => {
      this.values = settings.composite;
      document.body.classList.toggle("claude-nb-no-error-button", !this.values.errorButton);
    };
    settings?.changed.connect(read);
    if (settings) read();
  }
}
