// The module-federation container that JupyterLab and Notebook 7 load, written without a bundler.
{
  const folder = new URL(".", document.currentScript.src);
  let scope;
  (window._JUPYTERLAB ??= {})["claude-nb"] = {
    init(shared) {
      scope = shared;
    },
    async get() {
      const { plugin } = await import(new URL("plugin.js", folder));
      const made = await plugin(scope);
      return () => ({ __esModule: true, default: made });
    },
  };
}
