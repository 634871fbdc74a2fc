// The engine with which Marp makes slides: every formula carries its LaTeX for who hears the slides, and nothing is asked of
// another host.

import { Marp } from "@marp-team/marp-core";

/** @param {string} text */
const quoted = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

/** @param {object} options */
export default (options) => {
  const emoji = /** @type {const} */ ({ shortcode: false, unicode: false });
  const marp = new Marp({ ...options, math: "mathjax", markdown: { breaks: false }, emoji, script: false });
  marp.use((/** @type {any} */ markdown) => {
    markdown.validateLink = () => true; // pictures come as data
    for (const [name, kind] of Object.entries({ marp_math_inline: "formula", marp_math_block: "formula display" })) {
      const drawn = markdown.renderer.rules[name];
      markdown.renderer.rules[name] = (/** @type {any[]} */ tokens, /** @type {number} */ place, /** @type {any[]} */ ...rest) => {
        const formula = quoted(tokens[place].content.trim());
        return `<span role="img" class="${kind}" aria-label="${formula}">${drawn(tokens, place, ...rest)}</span>`;
      };
    }
  });
  return marp;
};
