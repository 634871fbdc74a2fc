// Click to differentiate: from a term of K^(2) by the rules (3.1) to terms of K^(4), all from a table made by Python.

import { Chart, padded } from "./chart.js";
import { COLOURS, element } from "./elements.js";
import { renderWith } from "./frame.js";
import { floats, readable, superscript } from "./numbers.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ depth: number, term: number, width: number, path: string }} State */
/** @typedef {[parent: number, factor: number, power: string, rule: string, products: number[]]} Term */
/**
 * The terms of one order that are shown: which of them is followed, and the factor of it that is chosen.
 *
 * @typedef {{ order: number, terms: number[], followed: number, factor: number | undefined }} Row
 */

/** @param {Frame<State>} frame */
function buildDerivation(frame) {
  const { model, state } = frame;
  /**
   * @type {{
   *   depths: number[], widths: number[], orders: number[], activation: string, tables: Term[][][], pairs: string[],
   *   initial: Partial<State>
   * }}
   */
  const { depths, widths, orders, activation, tables, pairs, initial: wanted } = model.get("meta");
  const data = floats(model.get("data"));
  /** @param {number} order */
  const table = (order) => tables[depths.indexOf(state.depth)][order - 2];
  /** @param {number} order */
  const kernelName = (order) => `<i>K</i><sup>(${order})</sup>`;
  /** @param {number} depth */
  const countOf = (depth) => tables[depths.indexOf(depth)][0].length;

  /**
   * The values of all terms of an order and, last, the kernel: blocks by depth, width and order.
   *
   * @param {number} order
   */
  function valuesOf(order) {
    let start = 0;
    for (const depth of depths) {
      for (const width of widths) {
        for (const other of orders) {
          const length = tables[depths.indexOf(depth)][other - 2].length + 1;
          if (depth === state.depth && width === state.width && other === order) return Array.from(data.slice(start, start + length));
          start += length;
        }
      }
    }
    return [];
  }

  /** @type {(order: number, parent: number, factor: number) => number[]} */
  const childrenOf = (order, parent, factor) =>
    table(order).flatMap((term, k) => (term[0] === parent && term[1] === factor ? [k] : []));

  /**
   * The derivation that a path names, or null.
   * A path "1.0.2" reads: factor 1 of the term of K^(2), of the terms that it gives number 0, in that factor 2.
   *
   * @param {string} path
   */
  function derivationOf(path) {
    if (!/^(\d+(\.\d+)*)?$/.test(path)) return null;
    const choices = path === "" ? [] : path.split(".").map(Number);
    /** @type {Row[]} */
    const rows = [{ order: 2, terms: [state.term - 1], followed: 0, factor: choices[0] }];
    for (;;) {
      const { order, terms, followed, factor } = rows[rows.length - 1];
      if (factor === undefined) break;
      const next = order < 4 ? childrenOf(order + 1, terms[followed], factor) : [];
      if (!next.length) return null;
      const [child, deeper] = choices.slice(2 * rows.length - 1);
      if (child !== undefined && (deeper === undefined || next[child] === undefined)) return null;
      rows.push({ order: order + 1, terms: next, followed: child ?? 0, factor: deeper });
    }
    return rows.length === (choices.length + 1) / 2 + 1 || choices.length === 0 ? rows : null;
  }

  const initial = { depth: depths[0], term: 1, width: widths[0], path: "0", ...wanted };
  frame.select("depth", {
    label: "Hidden layers <i>H</i>", initial: initial.depth, choices: () => depths,
  });
  frame.select("term", {
    label: `Term of ${kernelName(2)}`, initial: initial.term, choices: () => Array.from({ length: countOf(state.depth) }, (_, k) => k + 1),
    format: (k) => `G\u207d${superscript(k)}\u207e`,
  });
  frame.select("width", { label: "Width <i>m</i>", initial: initial.width, choices: () => widths });
  frame.control("path", {
    initial: initial.path, read: (text) => (derivationOf(text) === null ? undefined : text),
  });
  frame.mend = (key) => {
    if (key === "depth" || key === "address") frame.set("term", Math.min(state.term, countOf(state.depth)));
    if (derivationOf(state.path) === null) frame.set("path", derivationOf("0") ? "0" : "");
  };
  frame.restore();
  const undo = frame.button("Undo the last replacement", () => {
    frame.moved("path", state.path.split(".").slice(0, -2).join("."));
  });

  const lines = element("div", { class: "ntk-wide ntk-derivation" });
  frame.panels.append(lines);
  const chart = new Chart({ title: "", ratio: 0.4 });
  chart.node.classList.add("ntk-wide", "ntk-answer"); // its axis counts the terms
  frame.panel(chart);

  /** @type {{ key: string, node: HTMLDivElement }[]} what is written of each row; `key` is the path that leads to it */
  let written = [];

  /** @type {(row: Row, path: string[]) => HTMLDivElement} */
  function write(row, path) {
    const many = row.terms.length > 1 ? `${row.terms.length} terms` : "One term";
    const head = path.length === 0 ? `A term of ${kernelName(2)}` : `${many} of ${kernelName(row.order)}`;
    const formulas = row.terms.map((term, which) => formula(row.order, term, path.length === 0 ? [] : [...path, String(which)]));
    return element("div", {}, element("div", { class: "ntk-quiet", html: head }), ...formulas);
  }

  /** @type {(order: number, term: number, prefix: string[]) => HTMLParagraphElement} */
  function formula(order, term, prefix) {
    const [, , power, , products] = table(order)[term];
    const line = element("p", { class: "ntk-term", html: [power, ...products.map((k) => pairs[k])].filter(Boolean).join(" ") });
    line.querySelectorAll("button").forEach((button, factor) => {
      if (order === orders[orders.length - 1]) return button.replaceWith(...button.childNodes); // no next kernel
      button.setAttribute("data-lm-suppress-shortcuts", "true");
      button.addEventListener("click", () => {
        const chosen = button.getAttribute("aria-pressed") === "true";
        frame.moved("path", (chosen ? prefix.slice(0, -1) : [...prefix, factor]).join("."));
      });
    });
    return line;
  }

  /**
   * The rows above the one that changes stay as they are, and so does the focus.
   *
   * @param {Row[]} rows
   */
  function writeRows(rows) {
    const choices = state.path.split(".");
    const old = written;
    written = rows.map((row, level) => {
      const path = choices.slice(0, Math.max(0, 2 * level - 1));
      const key = [state.depth, state.term, ...path].join();
      return old[level]?.key === key ? old[level] : { key, node: write(row, path) };
    });
    for (const { node } of old.filter((row) => !written.includes(row))) node.remove();
    lines.append(...written.filter((row) => !old.includes(row)).map(({ node }) => node));
    rows.forEach(({ followed, factor }, level) => {
      written[level].node.querySelectorAll("p").forEach((line, which) => {
        line.querySelectorAll("button").forEach((button, k) => button.setAttribute("aria-pressed", String(which === followed && k === factor)));
      });
    });
  }

  /** @param {boolean} aloud */
  function draw(aloud) {
    const rows = derivationOf(state.path) ?? [];
    undo.disabled = state.path === "";
    writeRows(rows);

    const { order, terms } = rows[rows.length - 1];
    const values = valuesOf(order);
    const kernel = values.pop() ?? NaN;
    const sums = [0];
    for (const value of values) sums.push(sums[sums.length - 1] + value);
    const part = terms.reduce((sum, k) => sum + values[k], 0);
    chart.title(`The terms of ${kernelName(order)}, added one after the other`);
    chart.setAxes({
      x: { min: 0, max: 1.03 * values.length, label: "terms added" },
      y: padded([...sums, kernel], 0.08),
    });
    const steps = sums.flatMap((sum, k) => [sum, sum].map((y, side) => [k + side, y])).slice(0, -1);
    chart.line("kernel", [0, values.length], [kernel, kernel], { colour: COLOURS[order], dash: "5 4", width: 2 });
    chart.line("sum", steps.map(([x]) => x), steps.map(([, y]) => y));
    chart.line("chosen", terms.flatMap((k) => [k + 1, k + 1, NaN]), terms.flatMap((k) => [sums[k], sums[k + 1], NaN]), {
      colour: COLOURS.limit, width: 5,
    });
    chart.dots("chosen end", terms.map((k) => k + 1), terms.map((k) => sums[k + 1]), { colour: COLOURS.limit, size: 4 });
    frame.legend([
      { label: "sum so far", colour: COLOURS.exact },
      { label: terms.length > 1 ? "the terms above" : "the term above", colour: COLOURS.limit, width: 5 },
      { label: `${kernelName(order)} by automatic differentiation`, colour: COLOURS[order], dash: "5 4" },
    ]);

    const slots = Array.from({ length: order }, (_, k) => `<i>x</i><sub>${k + 1}</sub>`).join(", ");
    const origin = ` <span class="ntk-quiet">Precomputed.</span>`;
    frame.summarise(
      `${terms.length > 1 ? "These terms add" : "This term adds"} ${readable(part, 3)} to ${kernelName(order)}(${slots}). ` +
        `All ${values.length} terms together: ${readable(sums[values.length], 4)}; the kernel by automatic differentiation: ${readable(kernel, 4)}.${origin}`,
      { aloud },
    );
    const from = rows.length > 1 ? ` They replace ${rows.slice(1).map((row) => table(row.order)[row.terms[0]][3]).join(", then ")}.` : "";
    chart.describe(
      `The running sum of the ${values.length} terms of order ${order}, in steps; it ends at ${readable(sums[values.length], 4)}, on the dashed ` +
        `line of the kernel. The ${terms.length} chosen add ${readable(part, 3)}.${from} ${activation}, ${state.depth} hidden layers, term G${state.term}, width ${state.width}.`,
    );
  }

  frame.changed = () => draw(true);
  draw(false);
}

export default {
  render: renderWith({
    name: "click-to-differentiate",
    question: "Which terms does the next kernel get from this one, when you differentiate one factor?",
    tries: [
      "Choose each factor in turn. Every choice costs the same power of <i>m</i>: <i>m</i><sup>\u22121/2</sup>. A second press takes it back.",
      "Go on to <i>K</i><sup>(4)</sup>. Which replacements bring a new inner product, and which a new diag?",
      "Take two hidden layers and choose <i>\u03c3</i><sub>2</sub>\u2032(<i>x</i><sub>1</sub>): why are there two new terms?",
    ],
    build: buildDerivation,
  }),
};
