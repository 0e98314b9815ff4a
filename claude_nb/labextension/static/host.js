// The packages of the host application, which it shares with its extensions.

/**
 * Take packages from the scope that all extensions share.
 * @param {object} scope For each package, for each version: {get, loaded, from}.
 * @param {string[]} names
 * @returns {Promise<object[]>} The packages, or undefined for one that the host does not have.
 */
export function shared(scope, names) {
  return Promise.all(names.map(async (name) => (await chosen(scope[name])?.get())?.()));
}

/** The host's own version: another copy would have other classes and tokens. */
function chosen(versions = {}) {
  const all = Object.values(versions);
  return all.find(({ loaded }) => loaded) ?? all.find(({ from }) => /CORE/.test(from)) ?? all[0];
}
