// The packages of the host application, which it shares with its extensions.

/**
 * Take packages from the scope that all extensions share.
 * @param {object} scope For each package, for each version: {get, loaded, from}.
 * @param {string[]} names
 * @returns {Promise<object[]>} The packages, or undefined for one that the host does not have.
 */
export function shared(scope, names) {
  return Promise.all(names.map(async (name) => (await chosen(scope[name])?.[1].get())?.()));
}

/** The major version of a package of the host, or 0. */
export function major(scope, name) {
  return parseInt(chosen(scope[name])?.[0] ?? 0, 10);
}

/** The host's own version, with its number: another copy would have other classes and tokens. */
function chosen(versions = {}) {
  const all = Object.entries(versions);
  const which = (test) => all.find(([, version]) => test(version));
  return which(({ loaded }) => loaded) ?? which(({ from }) => /CORE/.test(from)) ?? all[0];
}
