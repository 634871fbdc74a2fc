// Orders of magnitude: the size of K^(k) at the random start against the width, (2.3).

import { Chart, decades } from "./chart.js";
import { COLOURS, element } from "./elements.js";
import { hasKernel, renderWith } from "./frame.js";
import { fixed, floats } from "./numbers.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ orders: number[], depth: number, activation: string, fit_from: number }} State */
/** @typedef {{ widths: number[], values: Record<number, number[][]> }} Sizes By order: [seed][width] */

/** @type {Record<number, string>} */
const MARKER_OF = { 2: "o", 3: "s", 4: "^", 5: "D" };
const FIT_FROM = 256; // at first: on the left K^(4) has not come to its power
const NEW_DRAWS = 8;
const NEW_DRAWS_UP_TO = 256; // a wider network would keep the reader waiting

/**
 * The exponent that (2.3) predicts for max|K^(k)|: 0, -1, -1, -2, -2, ... from k = 2 on.
 *
 * @param {number} order
 */
export const predictedSlope = (order) => 1 - Math.ceil(order / 2);

/**
 * Least squares of log(value) on log(width), logarithms averaged over seeds.
 *
 * @param {number[]} widths
 * @param {number[][]} values [seed][width]
 */
export function fitPowerLaw(widths, values) {
  const x = widths.map(Math.log);
  /** @param {number[]} list */
  const mean = (list) => list.reduce((sum, v) => sum + v, 0) / list.length;
  const centre = mean(x);
  const square = x.reduce((sum, v) => sum + (v - centre) ** 2, 0);
  const slopes = values.map((row) => row.reduce((sum, v, k) => sum + Math.log(v) * (x[k] - centre), 0) / square);
  const slope = mean(slopes);
  const level = mean(values.map((row) => mean(row.map(Math.log))));
  const spread = Math.sqrt(slopes.reduce((sum, s) => sum + (s - slope) ** 2, 0) / (slopes.length - 1) / slopes.length);
  return { slope, centre: Math.exp(centre), level: Math.exp(level), error: spread };
}

/** @param {number[]} list */
const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : Math.sqrt(sorted[half - 1] * sorted[half]);
};

/** @param {Frame<State>} frame */
function buildOrders(frame) {
  const { model, state } = frame;
  /**
   * @type {{
   *   orders: number[], depths: number[], activations: string[], widths: number[], seeds: number, initial: Partial<State>
   * }}
   */
  const meta = model.get("meta");
  const table = floats(model.get("data"));
  /** @param {number | string} order */
  const kernelName = (order) => `<i>K</i><sup>(${order})</sup>`;

  const starts = meta.widths.slice(0, -2);
  const initial = { orders: [2, 3, 4], depth: 2, activation: "tanh", fit_from: starts.findLast((m) => m <= FIT_FROM) ?? starts[0], ...meta.initial };
  frame.checks("orders", {
    label: "Kernels", initial: initial.orders.filter((order) => meta.orders.includes(order)),
    options: meta.orders.map((order) => ({ value: order, label: kernelName(order), colour: COLOURS[order] })),
  });
  frame.select("depth", {
    label: "Hidden layers", initial: initial.depth, choices: () => meta.depths,
  });
  frame.select("activation", {
    label: "Activation", initial: initial.activation, choices: () => meta.activations,
  });
  frame.range("fit_from", {
    label: "Fit from width", initial: initial.fit_from, choices: () => starts,
  });

  frame.restore();

  const chart = new Chart({ title: `Largest entry of ${kernelName("<i>k</i>")}<sub>0</sub> against the width <i>m</i>`, ratio: 0.72 });
  const slopes = element("table", { class: "ntk-table ntk-answer" });
  frame.panelWithAside(chart, slopes);
  frame.legend([
    { label: "one draw of the weights", colour: "var(--ntk-quiet)", marker: "o", small: true },
    { label: "their median", colour: "var(--ntk-quiet)", marker: "o" },
    { label: "fitted power of <i>m</i>", colour: "var(--ntk-quiet)" },
    { label: "predicted power, (2.3)", colour: "var(--ntk-quiet)", width: 1, dash: "4 3" },
  ]);

  /** @type {Sizes | null} draws that Python has just made */
  let fresh = null;

  /**
   * The sizes of the network chosen.
   *
   * @returns {Sizes}
   */
  function sample() {
    if (fresh) return fresh;
    const { widths, orders, seeds } = meta;
    const network = meta.activations.indexOf(state.activation) * meta.depths.length + meta.depths.indexOf(state.depth);
    return { widths, values: unpack(table, network * orders.length * seeds * widths.length, orders, seeds, widths) };
  }

  /** @type {(array: Float32Array, start: number, orders: number[], seeds: number, widths: number[]) => Sizes["values"]} */
  function unpack(array, start, orders, seeds, widths) {
    /** @type {(k: number, seed: number) => number[]} */
    const row = (k, seed) => {
      const at = start + (k * seeds + seed) * widths.length;
      return Array.from(array.slice(at, at + widths.length));
    };
    return Object.fromEntries(orders.map((order, k) => [order, Array.from({ length: seeds }, (_, seed) => row(k, seed))]));
  }

  /** @param {boolean} aloud */
  function draw(aloud) {
    const { widths, values } = sample();
    const shown = state.orders.filter((order) => values[order]);
    const all = shown.flatMap((order) => values[order].flat());
    chart.setAxes({
      x: {
        min: widths[0] / 1.3, max: widths[widths.length - 1] * 1.3, log: true, label: "width *m*",
        ticks: widths.map((m) => ({ value: m, text: String(m) })),
      },
      y: all.length ? decades(all, -0.1) : {},
    });
    const first = Math.min(widths.indexOf(state.fit_from), widths.length - 2);
    const fitted = widths.slice(Math.max(0, first));
    const ends = [chart.axes.x.min, chart.axes.x.max];
    chart.remove();
    chart.cursor("fit from", fitted[0] / 1.08, { dash: "1 3" });
    const rows = shown.map((order) => {
      const law = fitPowerLaw(fitted, values[order].map((row) => row.slice(-fitted.length)));
      /** @type {(slope: number, at: number[]) => number[]} */
      const along = (slope, at) => at.map((m) => law.level * (m / law.centre) ** slope);
      const style = { colour: COLOURS[order], marker: MARKER_OF[order] };
      chart.line(`predicted ${order}`, ends, along(predictedSlope(order), ends), { colour: COLOURS.guide, width: 1.2, dash: "5 4" });
      chart.line(`fitted ${order}`, fitted, along(law.slope, fitted), { colour: COLOURS[order], width: 1.8 });
      chart.dots(`draws ${order}`, values[order].flatMap(() => widths), values[order].flat(), { ...style, size: 1.8, opacity: 0.3 });
      chart.dots(`median ${order}`, widths, widths.map((_, k) => median(values[order].map((row) => row[k]))), { ...style, size: 4.2 });
      return { order, ...law };
    });
    tabulate(rows);
    const network = `${state.activation}, ${state.depth} hidden layer${state.depth > 1 ? "s" : ""}`;
    const drawn = `${Object.values(values)[0].length} draws a width`;
    const origin = fresh ? `${drawn}, computed just now by Python` : hasKernel(model) ? drawn : `${drawn}, precomputed`;
    frame.describe(
      chart,
      `Sizes of kernels at the start against the width, both axes logarithmic; orders ${shown.join(", ") || "none"}. ${network}.`,
      rows.map(({ order, slope }) => `Order ${order}: fitted slope ${fixed(slope, 2)}, predicted ${fixed(predictedSlope(order), 0)}.`).join(" "),
    );
    const reading = rows.map(({ order, slope }) => `${kernelName(order)} \u221d <i>m</i><sup>${fixed(slope, 2)}</sup>`).join(", ");
    frame.summarise(`${reading || "No kernel is chosen"}. <span class="ntk-quiet">${network}; ${origin}.</span>`, { aloud });
  }

  /** @param {{ order: number, slope: number, error: number }[]} rows */
  function tabulate(rows) {
    /** @type {(order: number, slope: number, error: number) => string} */
    const cells = (order, slope, error) =>
      `<tr style="--ntk-row: ${COLOURS[order]}"><th scope="row">${kernelName(order)}</th><td>${fixed(slope, 2)} \u00b1 ${fixed(error, 2)}</td>` +
      `<td>${fixed(predictedSlope(order), 0)}</td></tr>`;
    slopes.innerHTML =
      "<caption>Slopes</caption><thead><tr><td></td><th scope=col>fitted</th><th scope=col>predicted</th></tr></thead>" +
      `<tbody>${rows.map(({ order, slope, error }) => cells(order, slope, error)).join("")}</tbody>`;
  }

  frame.changed = (key) => {
    if (["depth", "activation", "address"].includes(key)) fresh = null;
    const values = fresh?.values;
    if (values && state.orders.some((order) => !values[order])) fresh = null;
    draw(true);
  };

  let firstSeed = meta.seeds;
  const request = () => {
    const { activation, depth, orders } = state;
    return { activation, depth, orders, first_seed: firstSeed, count: NEW_DRAWS, up_to: NEW_DRAWS_UP_TO };
  };
  frame.askButton("New draws from Python", request, ({ content, buffers }, { orders }) => {
    firstSeed += NEW_DRAWS;
    const { widths } = content.meta;
    fresh = { widths, values: unpack(floats(buffers[0]), 0, orders, NEW_DRAWS, widths) };
    draw(true);
  });

  draw(false);
}

export default {
  render: renderWith({
    name: "orders-of-magnitude",
    question: "By what power of the width do the higher kernels vanish?",
    tries: [
      "Before you switch on <i>K</i><sup>(5)</sup>, guess its slope from those of the others.",
      "With one hidden layer, move the start of the fit. From which width on does <i>K</i><sup>(5)</sup> follow its power?",
      "Choose relu, whose second derivative is zero but for a kink: the theorem does not cover it. Do its slopes at the start tell?",
    ],
    build: buildOrders,
  }),
};
