// Linear convergence: the training error beside the three rates of Corollary 2.5, and the least eigenvalue below it.

import { Chart } from "./chart.js";
import { COLOURS } from "./elements.js";
import { hasKernel, renderWith } from "./frame.js";
import { clamp, floats, readable } from "./numbers.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ points: number, width: number, depth: number, activation: string, labels: string }} State */
/**
 * @typedef {{
 *   activations: string[], depths: number[], labels: string[], points: number[], widths: number[], times: number[],
 *   seeds: number, least: number[][][], initial: Partial<State>
 * }} Meta
 */

/** The runs of one setting: S_t / S_0 and lambda_min(K_t) / lambda for each seed, from a flat block of rows. */
export class ConvergenceRuns {
  /**
   * @param {Float32Array} flat
   * @param {number[]} times
   */
  constructor(flat, times) {
    this.times = times;
    /** @type {number[][]} */
    this.errors = [];
    /** @type {number[][]} */
    this.eigenvalues = [];
    for (let start = 0; start < flat.length; start += 2 * times.length) {
      this.errors.push(Array.from(flat.slice(start, start + times.length)));
      this.eigenvalues.push(Array.from(flat.slice(start + times.length, start + 2 * times.length)));
    }
  }

  /** For each network the least of ln(S_0 / S_t) n / (lambda t) over t > 0: it obeys every rate up to this one. */
  slowest() {
    /** @param {number[]} row */
    const rates = (row) => row.map((error, k) => -Math.log(error) / this.times[k]).filter((v, k) => k > 0 && !Number.isNaN(v));
    return this.errors.map((row) => Math.min(...rates(row)));
  }

  lowest() {
    return this.eigenvalues.map((row) => Math.min(...row.filter(Number.isFinite)));
  }
}

/**
 * The place of a setting's block among all, axes in the order in which ntkbook.widgets.LinearConvergence stores them.
 *
 * @param {Meta} meta
 * @param {State} setting
 */
export function placeOf(meta, { activation, depth, labels, points, width }) {
  const axes = [
    { length: meta.activations.length, at: meta.activations.indexOf(activation) },
    { length: meta.depths.length, at: meta.depths.indexOf(depth) },
    { length: meta.labels.length, at: meta.labels.indexOf(labels) },
    { length: meta.points.length, at: meta.points.indexOf(points) },
    { length: meta.widths.length, at: meta.widths.indexOf(width) },
  ];
  return axes.reduce((place, { length, at }) => place * length + at, 0);
}

const RATES = [
  { rate: 0.5, text: "paper", html: "e<sup>\u2212\u03bb<i>t</i>/2<i>n</i></sup>", colour: COLOURS[3], dash: "2 3" },
  { rate: 1, text: "proof", html: "e<sup>\u2212\u03bb<i>t</i>/<i>n</i></sup>", colour: COLOURS[4], dash: "none" },
  { rate: 2, text: "frozen kernel", html: "e<sup>\u22122\u03bb<i>t</i>/<i>n</i></sup>", colour: COLOURS[2], dash: "6 4" },
];

/** @param {Frame<State>} frame */
function buildConvergence(frame) {
  const { model, state } = frame;
  /** @type {Meta} */
  const meta = model.get("meta");
  const { times, seeds } = meta;
  const all = floats(model.get("data"));
  const block = seeds * 2 * times.length;
  /** @type {Map<number, Float32Array>} blocks that Python has computed, by place */
  const fresh = new Map();
  /** @type {Record<string, string>} */
  const names = { hardest: "slowest mode", signs: "random signs" };

  const initial = { points: meta.points[1], width: meta.widths[1], depth: meta.depths[0], activation: meta.activations[0], labels: meta.labels[0], ...meta.initial };
  frame.range("points", { label: "Points <i>n</i>", initial: initial.points, choices: () => meta.points });
  frame.range("width", { label: "Width <i>m</i>", initial: initial.width, choices: () => meta.widths });
  frame.select("depth", { label: "Hidden layers", initial: initial.depth, choices: () => meta.depths });
  frame.select("activation", { label: "Activation", initial: initial.activation, choices: () => meta.activations });
  frame.select("labels", { label: "Residual at the start", initial: initial.labels, choices: () => meta.labels, format: (labels) => names[labels] ?? labels });

  frame.restore();

  const error = new Chart({ title: "Training error <i>S<sub>t</sub></i> / <i>S</i><sub>0</sub> of each network" });
  const low = new Chart({ title: "Least eigenvalue of the kernel, \u03bb<sub>min</sub>(<i>K<sub>t</sub></i>) / \u03bb" });
  frame.panel(error);
  frame.panel(low);
  frame.legend([
    { label: `one of ${seeds} networks`, colour: COLOURS.exact, width: 1.4 },
    ...RATES.map(({ rate, html, colour, dash }) => ({
      label: `${html}${rate === 0.5 ? ", stated in the paper" : rate === 1 ? ", what its proof gives" : ", rate of the frozen kernel: no bound"}`,
      colour, dash, width: 1.6,
    })),
    { label: "\u03bb, of infinite width", colour: COLOURS.limit, dash: "5 4" },
  ]);

  /** @param {boolean} aloud */
  function draw(aloud) {
    const place = placeOf(meta, state);
    const runs = new ConvergenceRuns(fresh.get(place) ?? all.slice(place * block, (place + 1) * block), times);
    const end = times[times.length - 1];
    const x = { min: 0, max: end, label: "*t* in units of *n* / \u03bb" };
    error.setAxes({ x, y: { min: 1e-5, max: 3, log: true } });
    for (const { rate, text, colour, dash } of RATES) {
      error.line(`rate ${rate}`, [0, end], [1, Math.exp(-rate * end)], { colour, dash, width: 1.8 });
      error.label(`name ${rate}`, end, Math.exp(-rate * end), text, { colour, anchor: "end", dx: -4, dy: rate === 2 ? -32 : -14 });
    }
    const top = clamp(1.15 * Math.max(...runs.eigenvalues.flat().filter(Number.isFinite)), 1.4, 4);
    low.setAxes({ x, y: { min: 0, max: top } });
    low.line("lambda", [0, end], [1, 1], { colour: COLOURS.limit, width: 1.6, dash: "5 4" });
    low.line("half", [0, end], [0.5, 0.5], { colour: COLOURS.guide, width: 1.2 });
    low.label("half name", end, 0.5, "\u03bb/2", { anchor: "end", dx: -4, dy: 9 });
    low.label("lambda name", end, 1, "\u03bb", { colour: COLOURS.limit, anchor: "end", dx: -4, dy: 9 });
    for (const chart of [error, low]) chart.remove((key) => key.startsWith("network"));
    runs.errors.forEach((row, k) => {
      error.line(`network ${k}`, times, row, { width: 1.4, opacity: 0.8 });
      low.line(`network ${k}`, times, runs.eigenvalues[k], { width: 1.4, opacity: 0.8 });
    });
    describe({ runs, place, aloud });
  }

  /** @param {{ runs: ConvergenceRuns, place: number, aloud: boolean }} seen */
  function describe({ runs, place, aloud }) {
    const { points, width, depth, activation, labels } = state;
    const least = meta.least[meta.activations.indexOf(activation)][meta.depths.indexOf(depth)][meta.points.indexOf(points)];
    const slowest = runs.slowest();
    const lowest = runs.lowest();
    const obey = RATES.map(({ rate }) => slowest.filter((v) => v >= rate * (1 - 1e-4)).length);
    const wide = lowest.filter((v) => v >= 0.5).length;
    const origin = fresh.has(place) ? "Computed just now by Python." : hasKernel(model) ? "" : "Precomputed.";
    const counts = RATES.map(({ html }, k) => `${obey[k]} for ${html}`).join(", ");
    frame.summarise(
      `\u03bb = ${readable(least, 2)}, <i>n</i>/\u03bb = ${readable(points / least, 2)}. Of ${runs.errors.length} networks ` +
        `${wide} ${wide === 1 ? "keeps" : "keep"} the least eigenvalue above \u03bb/2. Below at all times: ${counts}. <span class="ntk-quiet">${origin}</span>`,
      { aloud },
    );
    const setting = `${points} points, width ${width}, ${depth === 1 ? "one hidden layer" : `${depth} hidden layers`}, ${activation}, residual: ${names[labels] ?? labels}`;
    frame.describe(
      error,
      `Training error against time on a logarithmic axis, with three straight lines for the rates one half, one and two times lambda over n. ${setting}.`,
      `The slowest of the networks reaches ${slowest.map((v) => readable(v, 2)).join(", ")} times lambda over n.`,
    );
    frame.describe(
      low,
      `Least eigenvalue of the kernel over lambda against time; the corollary asks for more than one half. ${setting}.`,
      `Its least values are ${lowest.map((v) => readable(v, 2)).join(", ")}.`,
    );
  }

  frame.changed = () => draw(true);

  let first = seeds;
  frame.askButton("New networks from Python", () => ({ ...state, first_seed: first }), ({ buffers }, asked) => {
    fresh.set(placeOf(meta, asked), floats(buffers[0]));
    first += seeds;
    draw(true);
  });

  draw(false);
}

export default {
  render: renderWith({
    name: "linear-convergence",
    question: "Which of the three rates does a network of this width obey?",
    tries: [
      "Widen the network from <i>m</i> = 2 to 128. Which of the three lines does every network stay below, and which only some?",
      "Set the residual at the start to random signs. Why do the networks run ahead of all three lines?",
      "Add points. At which width does the least eigenvalue at the start come up to \u03bb/2?",
    ],
    build: buildConvergence,
  }),
};
