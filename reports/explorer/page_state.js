// What the three views share: the data, the state in the address, colours, and SVG elements.
"use strict";

const explorer = JSON.parse(document.getElementById("explorer-data").textContent);

// The state is in the address, so that a view can be sent. Plain anchors have no "=".
const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
const listeners = [];
const started = [];  // a promise of each view that takes time to show

/** Changes the state and tells every view; a value of null removes its key. The last key is the one last changed. */
const setState = (changes) => {
  for (const [key, value] of Object.entries(changes)) {
    state.delete(key);
    if (value !== null && value !== undefined && value !== "") state.set(key, String(value));
  }
  history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
  for (const listener of listeners) listener(changes);
};

const onState = (listener) => listeners.push(listener);

/** Returns the bytes of base64 of gzip. */
const unpackedBytes = async (text) => {
  const zipped = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

const halfToNumber = (bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};

/** Returns numbers packed as float16, first all low bytes and then all high bytes. */
const unpackedNumbers = async (text) => {
  const bytes = await unpackedBytes(text);
  const number = bytes.length / 2;
  return Float64Array.from({ length: number }, (_, i) =>
    halfToNumber(bytes[i] | (bytes[number + i] << 8)));
};

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const onThemeChange = (redraw) =>
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

/** Returns a new element; attributes whose value is null are left out. */
const element = (name, attributes = {}, ...children) => {
  const svg = ["svg", "g", "line", "circle", "rect", "path", "text", "title"].includes(name);
  const made = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

const shortNumber = (value) => {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const digits = value !== 1 && Math.abs(value - 1) < 0.01 ? 5 : 3;  // near 1 the first digits say nothing
  if (value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(2).replaceAll("-", "−");
  const text = Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−");
};

/** Returns a table with a heading row; cells are texts or numbers. */
const tableOf = (headings, rows) =>
  element("table", {},
    element("thead", {}, element("tr", {},
      ...headings.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {},
      ...row.map((cell) => element("td", {}, typeof cell === "number" || cell === null ? shortNumber(cell) : String(cell)))))));

/** Fills a details element when it is opened, because a table of all runs is large. */
const fillWhenOpened = (details, table) => {
  const fill = () => {
    if (details.open) details.querySelector(".scroll").replaceChildren(table());
  };
  details.addEventListener("toggle", fill);
  return fill;
};
