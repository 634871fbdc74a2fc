// Elements of the page, and the colours of what is drawn.

const SVG = "http://www.w3.org/2000/svg";

/**
 * The one language of colour: exact in ink, each level its own.
 *
 * @type {Record<string | number, string>}
 */
export const COLOURS = {
  exact: "var(--ntk-ink)",
  guide: "var(--ntk-quiet)",
  limit: "var(--ntk-limit)",
  2: "var(--ntk-level-2)",
  3: "var(--ntk-level-3)",
  4: "var(--ntk-level-4)",
  5: "var(--ntk-level-5)",
};

/**
 * Ink of a lighter shade, from 0 to 1.
 *
 * @param {number} strength
 */
export const shaded = (strength) => `color-mix(in srgb, ${COLOURS.exact} ${Math.round(100 * strength)}%, var(--ntk-paper))`;

/**
 * An element. Attributes that begin with "on" are listeners; "html" is its content; true stands for an empty attribute.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "html") node.innerHTML = value;
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/**
 * An element of a drawing.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.append(...children);
  return node;
}

/**
 * An SVG text whose *starred* parts are in italics, as letters of formulas are.
 *
 * @param {Record<string, string | number>} attributes
 * @param {string} text
 */
export function textWith(attributes, text) {
  const parts = text.split("*").map((part, k) => (k % 2 ? drawn("tspan", { class: "ntk-letter" }, part) : part));
  return drawn("text", attributes, ...parts);
}
