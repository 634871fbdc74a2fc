// The hierarchy at work: both sides of (2.1) and (2.2) along the training of one network.

import { Chart, decades, padded } from "./chart.js";
import { COLOURS, shaded } from "./elements.js";
import { hasKernel, refusal, renderWith } from "./frame.js";
import { fixed, floats, readable, subscript, superscript } from "./numbers.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ order: number, entry: string, width: number, time: number }} State */

const OFF_GRID = [32, 128, 512]; // widths to be had from Python alone
const ORDERS_SHOWN = [1, 2, 3];
const SHADES = [0.35, 0.65, 1]; // of ink, for the sizes of K^(2), K^(3), K^(4): colours belong to the levels

/**
 * All index tuples of K^(k) over n points, one of each pair that the symmetry of the first two slots makes equal.
 *
 * @param {number} order
 * @param {number} n
 */
export function entriesOf(order, n) {
  /** @type {number[][]} */
  let entries = [[]];
  for (let k = 0; k < order; k++) entries = entries.flatMap((entry) => Array.from({ length: n }, (_, i) => [...entry, i + 1]));
  return entries.filter((entry) => order === 1 || entry[0] <= entry[1]).map((entry) => entry.join(","));
}

/** The run of one width, read from its flat rows (see ntkbook.widgets.along_training). */
export class TrainingRun {
  /**
   * @param {Float32Array} flat
   * @param {number[]} times
   * @param {number} n
   */
  constructor(flat, times, n) {
    this.times = times;
    this.n = n;
    this.length = flat.length / times.length;
    this.flat = flat;
    const sizes = [n, n ** 2, n ** 3, n ** 4, n, n ** 2, n ** 3];
    this.starts = sizes.map((_, k) => sizes.slice(0, k).reduce((sum, size) => sum + size, 0));
  }

  /** @type {(k: number, part: number, index: number) => number} */
  at(k, part, index) {
    return this.flat[k * this.length + this.starts[part] + index];
  }

  /** @param {string} entry */
  index(entry) {
    return entry.split(",").reduce((sum, i) => sum * this.n + Number(i) - 1, 0);
  }

  /**
   * The terms -(1/n) K^(order+1)(entry, x_b) r_b, b = 1..n, at time k; with the kernel of time `from`.
   *
   * @type {(k: number, order: number, entry: string, from?: number) => number[]}
   */
  terms(k, order, entry, from = k) {
    const first = this.index(entry) * this.n;
    return Array.from({ length: this.n }, (_, b) => (-1 / this.n) * this.at(from, order, first + b) * this.at(k, 0, b));
  }

  /** @type {(k: number, order: number, entry: string, from?: number) => number} */
  rate(k, order, entry, from = k) {
    return this.terms(k, order, entry, from).reduce((sum, term) => sum + term, 0);
  }

  /** @type {(k: number, order: number, entry: string) => number} */
  difference(k, order, entry) {
    return this.at(k, 3 + order, this.index(entry));
  }

  /** @type {(k: number, order: number) => number} */
  size(k, order) {
    let largest = 0;
    for (let i = 0; i < this.n ** order; i++) largest = Math.max(largest, Math.abs(this.at(k, order - 1, i)));
    return largest;
  }
}

/** @param {Frame<State>} frame */
function buildHierarchy(frame) {
  const { model, state } = frame;
  /**
   * @type {{
   *   widths: number[], times: number[], points: number, depth: number, activation: string, initial: Partial<State>
   * }}
   */
  const { widths, times, points: n, depth, activation, initial: wanted } = model.get("meta");
  const all = floats(model.get("data"));
  const block = all.length / widths.length;
  /** @type {Map<number, TrainingRun>} */
  const runs = new Map();
  widths.forEach((width, k) => runs.set(width, new TrainingRun(all.slice(k * block, (k + 1) * block), times, n)));
  const offered = hasKernel(model) ? [...new Set([...widths, ...OFF_GRID])].sort((a, b) => a - b) : widths;
  /** @type {(order: number | string, below?: string) => string} */
  const kernelName = (order, below = "t") => `<i>K</i><sup>(${order})</sup><sub>${below === "t" ? "<i>t</i>" : below}</sub>`;
  /** @param {number} order */
  const nameOf = (order) => (order === 1 ? "<i>f</i>" : kernelName(order));
  /** @param {string} entry */
  const letters = (entry) => `(${entry.split(",").map((i) => `x${subscript(i)}`).join(", ")})`;

  const initial = { order: 2, width: widths[0], entry: "1,2", time: times[9], ...wanted };
  frame.select("order", {
    label: "Equation for", initial: initial.order,
    choices: () => ORDERS_SHOWN, format: (order) => (order === 1 ? "outputs f, (2.1)" : `K\u207d${superscript(order)}\u207e, (2.2)`),
  });
  frame.range("entry", {
    label: "Entry", initial: initial.entry, choices: () => entriesOf(state.order, n), format: letters,
  });
  frame.range("width", { label: "Width <i>m</i>", initial: initial.width, choices: () => offered });
  frame.range("time", { label: "Time <i>t</i>", initial: initial.time, choices: () => times.slice(1), format: (t) => fixed(t, 1) });
  frame.mend = () => {
    const entries = entriesOf(state.order, n);
    frame.set("entry", entries.includes(state.entry) ? state.entry : entries[Math.min(1, entries.length - 1)]);
  };
  frame.restore();

  const rate = new Chart({ title: "" });
  const parts = new Chart({ title: "" });
  const gap = new Chart({ title: "Distance from the measured derivative" });
  const size = new Chart({ title: `Largest entries of ${kernelName("<i>k</i>")} along training` });
  for (const chart of [rate, parts, gap, size]) frame.panel(chart);

  /** @type {(run: TrainingRun, aloud: boolean) => void} */
  function draw(run, aloud) {
    const { order, entry, time } = state;
    const now = times.indexOf(time);
    const level = COLOURS[order + 1];
    const name = `${nameOf(order)}${letters(entry)}`;
    const exact = times.map((_, k) => run.rate(k, order, entry));
    const measured = exact.map((value, k) => value + run.difference(k, order, entry));
    const frozen = times.map((_, k) => run.rate(k, order, entry, 0));
    const x = { min: 0, max: times[times.length - 1], label: "time *t*" };

    rate.title(`Rate of change of ${name}`);
    rate.setAxes({ x, y: padded([...exact, ...frozen, 0]) });
    rate.line("zero", [0, x.max], [0, 0], { colour: COLOURS.guide, width: 0.7 });
    rate.line("frozen", times, frozen, { colour: level, width: 2.4, opacity: 0.8 });
    rate.line("formula", times, exact);
    rate.dots("measured", times, measured, { hollow: true, size: 2.6 });
    rate.cursor("now", time, { dash: "2 3" });
    rate.dots("at cursor", [time], [measured[now]], { size: 4 });

    const terms = run.terms(now, order, entry);
    const bars = [...terms, exact[now]];
    parts.title(`Its terms at <i>t</i> = ${fixed(time, 1)}: \u2212<sup>1</sup>\u2044<sub><i>n</i></sub> ${kernelName(order + 1)}(\u2026, <i>x<sub>b</sub></i>) <i>r<sub>b</sub></i>`);
    parts.setAxes({
      x: { ...padded([...bars, 0]), label: "" },
      y: { min: n + 1.6, max: 0.4, ticks: bars.map((_, k) => ({ value: k + 1, text: k < n ? `b = ${k + 1}` : "sum" })) },
    });
    bars.forEach((value, k) => parts.line(`term ${k}`, [0, value], [k + 1, k + 1], { width: 11, opacity: k < n ? 0.5 : 1 }));
    parts.cursor("zero", 0);

    const misses = times.map((_, k) => Math.abs(run.difference(k, order, entry)));
    const frozenMisses = times.map((_, k) => Math.abs(frozen[k] - measured[k]));
    gap.setAxes({ x, y: decades([...misses, ...frozenMisses]) });
    gap.line("frozen", times, frozenMisses, { colour: level, width: 2.4, opacity: 0.8 });
    gap.line("formula", times, misses);
    gap.cursor("now", time, { dash: "2 3" });

    const orders = [2, 3, 4];
    const sizes = orders.map((each) => times.map((_, k) => run.size(k, each)));
    const bounds = orders.map((each) => state.width ** (1 - each / 2));
    size.setAxes({ x, y: decades([...sizes.flat(), ...bounds]) });
    orders.forEach((each, i) => {
      size.line(`bound ${each}`, [0, x.max], [bounds[i], bounds[i]], { width: 1.1, opacity: SHADES[i], dash: "5 4" });
      size.line(`size ${each}`, times, sizes[i], { width: 1.4 + 0.5 * i, opacity: SHADES[i] });
    });
    size.cursor("now", time, { dash: "2 3" });

    frame.legend([
      { label: "measured d/d<i>t</i>", colour: COLOURS.exact, marker: "o", hollow: true },
      { label: `from ${kernelName(order + 1)}, ${order === 1 ? "(2.1)" : "(2.2)"}`, colour: COLOURS.exact },
      { label: `from ${kernelName(order + 1, "0")}, frozen: level ${order + 1}`, colour: level },
      ...orders.map((each, i) => ({ label: `max |${kernelName(each)}|`, colour: shaded(SHADES[i]), width: 1.4 + 0.5 * i })),
      { label: "their orders <i>m</i><sup>1 \u2212 <i>k</i>/2</sup> in (2.4)", colour: COLOURS.exact, width: 1.1, dash: "5 4" },
    ]);
    describe({ name, now, order, terms, exact, measured, frozen, misses, sizes, aloud });
  }

  /**
   * @param {{
   *   name: string, now: number, order: number, terms: number[], exact: number[], measured: number[], frozen: number[],
   *   misses: number[], sizes: number[][], aloud: boolean
   * }} seen
   */
  function describe({ name, now, order, terms, exact, measured, frozen, misses, sizes, aloud }) {
    const { time, width, entry } = state;
    const origin = hasKernel(model) ? "" : ` <span class="ntk-quiet">Precomputed.</span>`;
    frame.summarise(
      `At <i>t</i> = ${fixed(time, 1)}, width ${width}: d/d<i>t</i> ${name} = ${readable(measured[now], 3)}. The kernel one order up gives it ` +
        `to within ${readable(misses[now], 1)}; frozen at its start, it misses by ${readable(Math.abs(frozen[now] - measured[now]), 2)}.${origin}`,
      { aloud },
    );
    const setting = `${activation}, ${depth} hidden layers, width ${width}, entry ${entry} of order ${order}`;
    rate.describe(`Rate of change against time, measured and from the kernel of order ${order + 1}: the two curves coincide. At time ${fixed(time, 1)} both are ${readable(exact[now], 3)}; with that kernel frozen ${readable(frozen[now], 3)}. ${setting}.`);
    parts.describe(`The terms of the sum at time ${fixed(time, 1)}: ${terms.map((v) => readable(v, 2)).join(", ")}; sum ${readable(exact[now], 3)}. ${setting}.`);
    gap.describe(`Distance from the measured derivative on a logarithmic axis: ${readable(misses[now], 1)} for the kernel along training, ${readable(Math.abs(frozen[now] - measured[now]), 2)} for the frozen kernel. ${setting}.`);
    size.describe(`Largest entries along training on a logarithmic axis; at time ${fixed(time, 1)}: ${sizes.map((s, k) => `order ${k + 2}: ${readable(s[now], 2)}`).join(", ")}. ${setting}.`);
  }

  // Python

  let seed = 0;
  const asked = new Set(); // widths that Python is computing

  /**
   * Show a width that only Python has; the pictures are empty until it answers.
   *
   * @param {number} width
   * @param {number} patience
   */
  async function showFromPython(width, patience) {
    for (const chart of [rate, parts, gap, size]) chart.remove();
    frame.summarise(`Python computes width ${width} \u2026`, { aloud: true });
    await new Promise((wait) => setTimeout(wait, patience));
    if (width !== state.width || asked.has(width)) return; // the slider was only passing by
    asked.add(width);
    try {
      const { buffers } = await frame.ask({ width, seed });
      runs.set(width, new TrainingRun(floats(buffers[0]), times, n));
      asked.delete(width);
      if (width === state.width) show(true);
    } catch (error) {
      asked.delete(width);
      if (width === state.width) frame.summarise(refusal(error), { aloud: true });
    }
  }

  if (hasKernel(model)) {
    frame.button("New weights from Python", () => {
      seed += 1;
      showFromPython(state.width, 0);
    });
  }

  /** @param {boolean} aloud */
  function show(aloud) {
    const run = runs.get(state.width);
    if (run) draw(run, aloud);
    else showFromPython(state.width, 400);
  }

  frame.changed = () => show(true);
  show(false);
}

export default {
  render: renderWith({
    name: "hierarchy-at-work",
    question: "Is the rate of change of each kernel really the next kernel times the residual?",
    tries: [
      "Follow the difference: what is left is the error of the measurement, at every order and width.",
      "Compare widths 16 and 1024. How much does freezing the next kernel (the coloured curve) cost at each order?",
      "The dashed lines are the orders of magnitude of (2.4). Which kernel lies far below its line, and why?",
    ],
    build: buildHierarchy,
  }),
};
