// Icons, drawn: characters that look like icons are empty boxes where no font has them.

// Each in a square of 16, as a path; those in FILLED are filled, the others are lines.
const ICONS = {
  plus: "M8 3v10M3 8h10",
  send: "M8 13V3.5M3.8 7.4 8 3.2l4.2 4.2",
  stop: "M5.5 4h5A1.5 1.5 0 0 1 12 5.5v5a1.5 1.5 0 0 1-1.5 1.5h-5A1.5 1.5 0 0 1 4 10.5v-5A1.5 1.5 0 0 1 5.5 4z",
  close: "M4.2 4.2l7.6 7.6M11.8 4.2l-7.6 7.6",
  more: "M3.2 6.8a1.2 1.2 0 1 0 0 2.4 1.2 1.2 0 0 0 0-2.4zM8 6.8a1.2 1.2 0 1 0 0 2.4 1.2 1.2 0 0 0 0-2.4zM12.8 6.8a1.2 1.2 0 1 0 0 2.4 1.2 1.2 0 0 0 0-2.4z",
  down: "M4 6.2 8 10.2l4-4",
  left: "M9.8 4 5.8 8l4 4",
  right: "M6.2 4l4 4-4 4",
  latest: "M8 3v9.4M3.9 8.4 8 12.5l4.1-4.1",
  edit: "M3 13l.7-2.9 7.2-7.2a1.2 1.2 0 0 1 1.7 0l.5.5a1.2 1.2 0 0 1 0 1.7L5.9 12.3zM9.8 4l2.2 2.2",
  tools: "M2.5 5h5M10.5 5h3M9 3.5v3M2.5 11h2M7.5 11h6M6 9.5v3",
  box: "M3.5 3.5h9v9h-9z",
  boxed: "M3.5 3.5h9v9h-9zM5.6 8.1l1.8 1.8 3.2-3.6",
  check: "M3.2 8.6l3 3 6.6-7",
  play: "M5 3.2v9.6L12.6 8z",
  pause: "M4.6 3.4h2.2v9.2H4.6zM9.2 3.4h2.2v9.2H9.2z",
  back: "M10.6 3.6v8.8L4.4 8z",
  on: "M5.4 3.6v8.8L11.6 8z",
  first: "M3.4 3.4h1.8v9.2H3.4zM12.6 3.4v9.2L5.8 8z",
  last: "M10.8 3.4h1.8v9.2h-1.8zM3.4 3.4v9.2L10.2 8z",
};
const FILLED = new Set(["stop", "more", "play", "pause", "back", "on", "first", "last"]);

/** An icon, in the colour of the text around it. @param {keyof typeof ICONS} name */
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const look = { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" };
  for (const [key, value] of Object.entries(look)) svg.setAttribute(key, value);
  svg.classList.add("claude-nb-icon");
  svg.classList.toggle("claude-nb-filled", FILLED.has(name));
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
