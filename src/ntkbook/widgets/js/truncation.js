// The truncation explorer: the exact flow against the hierarchy cut off at a level, in time and over widths.

import { Chart, decades, padded } from "./chart.js";
import { COLOURS } from "./elements.js";
import { hasKernel, renderWith } from "./frame.js";
import { fixed, floats, readable, subscript } from "./numbers.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ data: string, level: number, width: number, time: number, entry: string }} State */
/**
 * @typedef {{
 *   data: { name: string, points: number }[], widths: number[], times: number[], levels: number[], seeds: number,
 *   initial: Partial<State>
 * }} Meta
 */
/** @typedef {{ points: number, runs: TruncationRuns, errors: ErrorTable, origin: string | null }} DataSet */

/** @type {Record<number, string>} */
const LEVEL_MARKER = { 2: "o", 3: "s", 4: "^", 5: "D" };

/**
 * The exponent of m in the error of level p: -floor(p/2).
 *
 * @param {number} level
 */
export const errorPower = (level) => -Math.floor(level / 2);

/** The rows of ntkbook.widgets.truncation_run for one network at every width of a data set. */
export class TruncationRuns {
  /**
   * @param {Float32Array} flat
   * @param {{ points: number, levels: number[], times: number[] }} about
   */
  constructor(flat, { points, levels, times }) {
    this.flat = flat;
    this.points = points;
    this.levels = levels;
    this.length = times.length;
    this.numbers = points + (points * (points + 1)) / 2;
  }

  /**
   * Part 0 is the exact flow, part 1 + k the error of level number k.
   *
   * @type {(w: number, part: number, index: number) => number[]}
   */
  series(w, part, index) {
    const start = (w * (1 + this.levels.length) + part) * this.length;
    return Array.from({ length: this.length }, (_, t) => this.flat[(start + t) * this.numbers + index]);
  }

  /**
   * The place of K(x_a, x_b), a <= b counted from 1, in a row: after the outputs, on and above the diagonal.
   *
   * @type {(a: number, b: number) => number}
   */
  place(a, b) {
    const n = this.points;
    return n + (a - 1) * n - ((a - 1) * (a - 2)) / 2 + (b - a);
  }

  /**
   * The largest error of the outputs (what = 0) or of the kernel (1) of level number k, at each time. NaN stays NaN.
   *
   * @type {(w: number, k: number, what: 0 | 1) => number[]}
   */
  largest(w, k, what) {
    const [from, to] = what === 0 ? [0, this.points] : [this.points, this.numbers];
    const sizes = Array.from({ length: to - from }, (_, i) => this.series(w, 1 + k, from + i).map(Math.abs));
    return sizes[0].map((_, t) => sizes.reduce((top, row) => (Number.isNaN(row[t]) ? NaN : Math.max(top, row[t])), 0));
  }
}

/** The largest errors of several networks, from the table (seeds, widths, levels, times, 2). */
export class ErrorTable {
  /**
   * @param {Float32Array} flat
   * @param {Pick<Meta, "seeds" | "widths" | "levels" | "times">} meta
   */
  constructor(flat, { seeds, widths, levels, times }) {
    this.flat = flat;
    this.seeds = seeds;
    this.sizes = [widths.length, levels.length, times.length, 2];
  }

  /** @type {(seed: number, w: number, k: number, t: number, what: 0 | 1) => number} */
  at(seed, w, k, t, what) {
    const [W, L, T, Q] = this.sizes;
    return this.flat[(((seed * W + w) * L + k) * T + t) * Q + what];
  }

  /**
   * Of all seeds, at one width, level and time.
   *
   * @type {(w: number, k: number, t: number, what: 0 | 1) => number[]}
   */
  sample(w, k, t, what) {
    return Array.from({ length: this.seeds }, (_, seed) => this.at(seed, w, k, t, what));
  }

  /**
   * The geometric mean over seeds; NaN where a level has blown up for one of them.
   *
   * @type {(w: number, k: number, t: number, what: 0 | 1) => number}
   */
  mean(w, k, t, what) {
    return Math.exp(this.sample(w, k, t, what).reduce((sum, v) => sum + Math.log(v), 0) / this.seeds);
  }
}

/** @param {Frame<State>} frame */
function buildTruncation(frame) {
  const { model, state } = frame;
  /** @type {Meta} */
  const meta = model.get("meta");
  const { widths, times, levels } = meta;
  const all = floats(model.get("data"));
  /** @type {Record<string, DataSet>} */
  const sets = {};
  let start = 0;
  for (const { name, points } of meta.data) {
    /** @param {number} size */
    const take = (size) => all.slice(start, (start += size));
    const runs = take(widths.length * (1 + levels.length) * times.length * (points + (points * (points + 1)) / 2));
    const errors = take(meta.seeds * widths.length * levels.length * times.length * 2);
    sets[name] = { points, runs: new TruncationRuns(runs, { ...meta, points }), errors: new ErrorTable(errors, meta), origin: null };
  }
  /** @param {string} name */
  const entriesFor = (name) => {
    const n = sets[name].points;
    const pairs = Array.from({ length: n * n }, (_, i) => [Math.floor(i / n) + 1, (i % n) + 1]);
    return pairs.filter(([a, b]) => a <= b).map((pair) => pair.join(","));
  };
  /** @param {string} entry */
  const letters = (entry) => `(${entry.split(",").map((i) => `x${subscript(i)}`).join(", ")})`;
  /** @type {Record<string, string>} */
  const titles = { sphere: "sphere, n = 3", "half circle": "half circle, n = 6", digits: "digits, n = 8" };

  const initial = { data: meta.data[0].name, level: 2, width: widths[0], time: times[8], entry: "2,2", ...meta.initial };
  frame.select("data", {
    label: "Data", initial: initial.data, choices: () => meta.data.map(({ name }) => name), format: (name) => titles[name] ?? name,
  });
  frame.range("level", { label: "Level <i>p</i>", initial: initial.level, choices: () => levels });
  frame.range("width", { label: "Width <i>m</i>", initial: initial.width, choices: () => widths });
  frame.range("time", { label: "Time <i>t</i>", initial: initial.time, choices: () => times.slice(1), format: (t) => fixed(t, 1) });
  frame.range("entry", { label: "Entry", initial: initial.entry, choices: () => entriesFor(state.data), format: letters });
  frame.mend = () => {
    // a data set has entries of its own, and the slider their number
    frame.set("entry", entriesFor(state.data).includes(state.entry) ? state.entry : "1,2");
  };
  frame.restore();

  const output = new Chart({ title: "" });
  const kernel = new Chart({ title: "" });
  const overWidths = new Chart({ title: "" });
  const inTime = new Chart({ title: "" });
  for (const chart of [kernel, output, overWidths, inTime]) frame.panel(chart); // every control moves the first of them

  const widthAxis = {
    min: widths[0] / 1.3, max: widths[widths.length - 1] * 1.3, log: true, label: "width *m*",
    ticks: widths.map((m) => ({ value: m, text: String(m) })).filter((_, k) => widths.length < 7 || k % 2 === 0),
  };
  const timeTicks = [0.5, 1, 2, 4].map((t) => ({ value: t, text: String(t) }));

  /** @param {boolean} aloud */
  function draw(aloud) {
    const { level, width, time, entry } = state;
    const { runs, errors } = sets[state.data];
    const [now, w, k] = [times.indexOf(time), widths.indexOf(width), levels.indexOf(level)];
    const [a, b] = entry.split(",").map(Number);
    const colour = COLOURS[level];
    const x = { min: 0, max: times[times.length - 1], label: "time *t*" };

    // the two curves, exact and truncated; the window is that of the exact curve, with room: a level may blow up
    const curves = [
      { chart: output, place: a - 1, from: 0, title: `Output <i>f</i> at <i>x</i><sub>${a}</sub>` },
      { chart: kernel, place: runs.place(a, b), from: null, title: `Entry (<i>x</i><sub>${a}</sub>, <i>x</i><sub>${b}</sub>) of <i>K<sub>t</sub></i> \u2212 <i>K</i><sub>0</sub>` },
    ].map(({ chart, place, from, title }) => {
      const raw = runs.series(w, 0, place);
      const exact = raw.map((v) => v - (from ?? raw[0]));
      const error = runs.series(w, 1 + k, place);
      const truncated = exact.map((v, t) => v + error[t]);
      const top = Math.max(...exact) - Math.min(...exact);
      const near = truncated.filter((v) => v > Math.min(...exact) - 2 * top && v < Math.max(...exact) + 2 * top);
      chart.title(title);
      chart.setAxes({ x, y: padded([...exact, ...near], 0.08) });
      chart.line("zero", [0, x.max], [0, 0], { colour: COLOURS.guide, width: 0.7 });
      chart.line("exact", times, exact, { width: 2 });
      chart.line("truncated", times, truncated, { colour, width: 2.2, dash: "6 4" });
      chart.cursor("now", time, { dash: "2 3" });
      chart.dots("at cursor", [time], [truncated[now]], { colour, marker: LEVEL_MARKER[level], size: 3.6 });
      return { exact: exact[now], truncated: truncated[now] };
    });

    // the error of the kernel over widths: all levels, the chosen one strong, with its predicted power
    const means = levels.map((_p, j) => widths.map((_m, v) => errors.mean(v, j, now, 1)));
    const last = means[k].map(Number.isFinite).lastIndexOf(true);
    const power = errorPower(level);
    overWidths.title(`Largest error of <i>K</i> at <i>t</i> = ${fixed(time, 1)} against the width`);
    const sample = widths.map((_, v) => errors.sample(v, k, now, 1));
    overWidths.setAxes({ x: widthAxis, y: decades([...means.flat(), ...sample.flat()]) });
    levels.forEach((p, j) => {
      const chosen = p === level;
      overWidths.line(`level ${p}`, widths, means[j], { colour: COLOURS[p], width: chosen ? 2.2 : 1.2, opacity: chosen ? 1 : 0.55 });
      overWidths.dots(`mean ${p}`, widths, means[j], { colour: COLOURS[p], marker: LEVEL_MARKER[p], size: chosen ? 3.8 : 2.2, opacity: chosen ? 1 : 0.55 });
    });
    overWidths.dots("networks", widths.flatMap((m, v) => sample[v].map(() => m)), sample.flat(), { colour, size: 1.6, opacity: 0.35 });
    const guide = widths.map((m) => 0.6 * (last < 0 ? NaN : means[k][last]) * (m / widths[Math.max(last, 0)]) ** power);
    overWidths.line("predicted", widths, guide, { colour: COLOURS.guide, width: 1.3, dash: "5 4" });
    const own = runs.largest(w, k, 1);
    overWidths.dots("this network", [width], [own[now]], { colour, marker: LEVEL_MARKER[level], size: 5, hollow: true });

    // the error of this network in time, with the powers of small times
    const ownOutputs = runs.largest(w, k, 0);
    inTime.title("Largest error of this network against time");
    const later = times.slice(1);
    /** @type {(row: number[], exponent: number) => number[]} */
    const small = (row, exponent) => later.map((t) => row[1] * (t / later[0]) ** exponent);
    const shown = [...ownOutputs.slice(1), ...own.slice(1)];
    inTime.setAxes({ x: { min: later[0] / 1.1, max: x.max * 1.1, log: true, label: "time *t*", ticks: timeTicks }, y: decades(shown) });
    inTime.line("power of f", later, small(ownOutputs, level), { colour: COLOURS.guide, width: 1.2, dash: "5 4" });
    inTime.line("power of K", later, small(own, level - 1), { colour: COLOURS.guide, width: 1.2, dash: "5 4" });
    inTime.line("error of f", times, ownOutputs, { colour, width: 1.4 });
    inTime.line("error of K", times, own, { colour, width: 2.6 });
    inTime.cursor("now", time, { dash: "2 3" });
    const at = own.slice(0, 6).map(Number.isFinite).lastIndexOf(true);
    const side = own[at] > ownOutputs[at] ? 13 : -13; // the names lie outside the two curves
    inTime.label("name of f", times[at], ownOutputs[at], "*f*", { colour, dy: side });
    inTime.label("name of K", times[at], own[at], "*K*", { colour, dy: -side });

    frame.legend([
      { label: "exact flow", colour: COLOURS.exact },
      ...levels.map((p) => ({ label: p === 2 ? "level 2, frozen kernel" : `level ${p}`, colour: COLOURS[p], dash: p === level ? "6 4" : "none", width: p === level ? 2.2 : 1.2 })),
      { label: `predicted powers: <i>m</i><sup>${fixed(power, 0)}</sup>; at small times <i>t</i><sup>${level}</sup> for <i>f</i>, <i>t</i><sup>${level - 1}</sup> for <i>K</i>`, colour: COLOURS.guide, dash: "5 4", width: 1.2, answer: true },
    ]);
    describe({ now, k, curves, own, ownOutputs, means, power, aloud });
  }

  /**
   * @param {{
   *   now: number, k: number, curves: { exact: number, truncated: number }[], own: number[], ownOutputs: number[],
   *   means: number[][], power: number, aloud: boolean
   * }} seen
   */
  function describe({ now, k, curves, own, ownOutputs, means, power, aloud }) {
    const { data, level, width, time, entry } = state;
    const { origin, points } = sets[data];
    const gone = !Number.isFinite(own[now]);
    const from = origin ?? (hasKernel(model) ? "Network 0." : "Network 0, precomputed.");
    const said = gone
      ? `At <i>t</i> = ${fixed(time, 1)}, width ${width}, level ${level} has blown up.`
      : `At <i>t</i> = ${fixed(time, 1)}, width ${width}, level ${level} misses the outputs by at most ${readable(ownOutputs[now], 2)} and the kernel by ${readable(own[now], 2)}.`;
    frame.summarise(
      `${said} Predicted power of the width: <i>m</i><sup>${fixed(power, 0)}</sup>. <span class="ntk-quiet">${(titles[data] ?? data).replace(/^./, (c) => c.toUpperCase())}; ${from[0].toLowerCase()}${from.slice(1)}</span>`,
      { aloud },
    );
    const setting = `Level ${level}, width ${width}, time ${fixed(time, 1)}, ${points} points, data ${data}`;
    const [f, K] = curves;
    /** @param {{ exact: number, truncated: number }} value */
    const told = ({ exact, truncated }) => `exact ${readable(exact, 3)}, truncated ${readable(truncated, 3)}`;
    output.describe(`Output at point ${entry[0]} against time, now ${told(f)}. ${setting}.`);
    kernel.describe(`Change of entry ${entry} of the kernel against time, now ${told(K)}. ${setting}.`);
    frame.describe(overWidths, `Largest error of the kernel against the width on logarithmic axes, geometric mean over ${meta.seeds} networks: ${widths.map((m, v) => `${readable(means[k][v], 2)} at width ${m}`).join(", ")}. ${setting}.`, `Predicted power of the width: ${fixed(power, 0)}.`);
    frame.describe(inTime, `Largest errors of this network against time on logarithmic axes, now ${readable(ownOutputs[now], 2)} for the outputs and ${readable(own[now], 2)} for the kernel. ${setting}.`, `For small times the powers ${level} and ${level - 1} are predicted.`);
  }

  frame.changed = () => draw(true);

  let seed = meta.seeds;
  frame.askButton("Another network from Python", () => ({ data: state.data, seed }), ({ buffers }, asked) => {
    const set = sets[asked.data];
    set.runs = new TruncationRuns(floats(buffers[0]), { ...meta, points: set.points });
    set.origin = `Network ${asked.seed}, computed just now by Python.`;
    seed += 1;
    draw(true);
  });

  draw(false);
}

export default {
  render: renderWith({
    name: "truncation-explorer",
    question: "How much does each level of the hierarchy gain?",
    tries: [
      "Go from level 2 to 3, 4 and 5. At which steps does the line over the widths become steeper?",
      "At level 3 the truncated kernel moves. Why does this not change the power of <i>m</i>?",
      "At the widths 16 and 32 and late times, go through the levels. Is a higher one always better? Is an even one always better than the odd one before it?",
    ],
    build: buildTruncation,
  }),
};
