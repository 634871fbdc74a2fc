// The kernel in motion: m (K_t - K_0) along training at several widths, beside the limit of its mean.

import { Chart, HeatMap, decades, padded } from "./chart.js";
import { COLOURS, shaded } from "./elements.js";
import { hasKernel, renderWith } from "./frame.js";
import { fixed, floats, readable, subscript } from "./numbers.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ time: number, seed: number, count: number, twins: "yes" | "no", entry: string }} State */
/** @typedef {{ widths: number[], seeds: number, times: number[], points: number, initial: Partial<State> }} Meta */

/** The motion of many networks and their mirror twins, from the flat table of ntkbook.widgets.KernelInMotion. */
export class Motion {
  /**
   * @param {Float32Array} flat
   * @param {Meta} meta
   */
  constructor(flat, { seeds, times, points }) {
    this.flat = flat;
    this.seeds = seeds;
    this.points = points;
    this.length = times.length;
    this.entries = (points * (points + 1)) / 2;
  }

  /**
   * The place of the entry (a, b), counted from 0, among those on and above the diagonal.
   *
   * @param {number} a
   * @param {number} b
   */
  place(a, b) {
    const [low, high] = a < b ? [a, b] : [b, a];
    return low * this.points - (low * (low - 1)) / 2 + high - low;
  }

  /**
   * At each time the entries of the mean over `count` networks from `seed` on (counted from 1, in a ring).
   *
   * @param {number} w
   * @param {{ seed: number, count: number, twins: boolean }} chosen
   */
  mean(w, { seed, count, twins }) {
    const block = this.length * this.entries;
    const sum = new Float64Array(block);
    for (let k = 0; k < count; k++) {
      const start = (w * this.seeds + ((seed - 1 + k) % this.seeds)) * 2 * block;
      for (let i = 0; i < block; i++) {
        sum[i] += twins ? (this.flat[start + i] + this.flat[start + block + i]) / 2 : this.flat[start + i];
      }
    }
    return this.byTime(sum.map((v) => v / count));
  }

  /** @param {Float32Array | Float64Array} block */
  byTime(block) {
    return Array.from({ length: this.length }, (_, k) => Array.from(block.slice(k * this.entries, (k + 1) * this.entries)));
  }

  /** @param {number[]} row */
  matrix(row) {
    return Array.from({ length: this.points ** 2 }, (_, i) => row[this.place(Math.floor(i / this.points), i % this.points)]);
  }
}

/** @param {Frame<State>} frame */
function buildMotion(frame) {
  const { model, state } = frame;
  /** @type {Meta} */
  const meta = model.get("meta");
  const { widths, times, seeds, points: n } = meta;
  const all = floats(model.get("data"));
  const limitSize = (times.length * n * (n + 1)) / 2;
  let motion = new Motion(all.slice(limitSize), meta);
  const limit = motion.byTime(all.slice(0, limitSize));
  const counts = [1, 2, 4, 8, 16].filter((count) => count < seeds);
  const entries = Array.from({ length: n * n }, (_, i) => [Math.floor(i / n) + 1, (i % n) + 1]).filter(([a, b]) => a <= b).map((pair) => pair.join());
  const moved = "<i>K<sub>t</sub></i> \u2212 <i>K</i><sub>0</sub>";

  /** @type {State} */
  const initial = { time: times[times.length - 5], entry: "2,2", twins: "no", count: 1, seed: 1, ...meta.initial };
  frame.range("time", { label: "Time <i>t</i>", initial: initial.time, choices: () => times.slice(1), format: (t) => fixed(t, 1) });
  frame.range("seed", {
    label: "First network", initial: initial.seed, choices: () => Array.from({ length: seeds }, (_, k) => k + 1),
  });
  frame.range("count", { label: "Networks averaged", initial: initial.count, choices: () => counts });
  frame.check("twins", { label: "Mirror twins", text: "averaged in", initial: initial.twins });
  frame.select("entry", {
    label: "Entry", initial: initial.entry, choices: () => entries,
    format: (entry) => `(${entry.split(",").map((a) => `x${subscript(a)}`).join(", ")})`,
  });

  frame.restore();

  const maps = widths.map((width) => new HeatMap({ title: `<i>m</i> = ${width}`, size: n }));
  const limitMap = new HeatMap({ title: "mean, <i>m</i> \u2192 \u221e", size: n });
  const curve = new Chart({ title: "" });
  const size = new Chart({ title: `Largest entry of |${moved}|` });
  frame.row(`The matrix <i>m</i> (${moved})`, ...maps, limitMap);
  frame.panel(curve);
  frame.panel(size);
  /** @param {number} w */
  const shade = (w) => 0.3 + (0.7 * (w + 1)) / widths.length;
  frame.legend([
    ...widths.map((width, w) => ({ label: `<i>m</i> = ${width}`, colour: shaded(shade(w)), width: 1 + w / 2 })),
    { label: "limit of the mean", colour: COLOURS.limit, dash: "5 4" },
  ]);

  let origin = hasKernel(model) ? "" : "Precomputed.";

  /** @param {boolean} aloud */
  function draw(aloud) {
    const { time, entry, seed, count } = state;
    const twins = state.twins === "yes";
    const now = times.indexOf(time);
    const [a, b] = entry.split(",").map(Number);
    const place = motion.place(a - 1, b - 1);
    const means = widths.map((_, w) => motion.mean(w, { seed, count, twins }));
    /** @param {number[]} row */
    const largest = (row) => Math.max(...row.map(Math.abs));
    const range = Math.max(...[...means, limit].flat().map(largest));
    maps.forEach((map, w) => map.update(motion.matrix(means[w][now]), range));
    limitMap.update(motion.matrix(limit[now]), range);
    for (const map of [...maps, limitMap]) map.choose([[a - 1, b - 1], [b - 1, a - 1]]);

    const x = { min: 0, max: times[times.length - 1], label: "time *t*" };
    const values = [...means, limit].flatMap((rows) => rows.map((row) => row[place]));
    curve.title(`The outlined entry (<i>x</i><sub>${a}</sub>, <i>x</i><sub>${b}</sub>) of <i>m</i> (${moved})`);
    curve.setAxes({ x, y: padded(values) });
    curve.line("zero", [0, x.max], [0, 0], { colour: COLOURS.guide, width: 0.7 });
    const sizes = means.map((rows, w) => rows.map((row) => largest(row) / widths[w]));
    size.setAxes({ x, y: decades(sizes.flatMap((row) => row.slice(1)), 0) });
    means.forEach((rows, w) => {
      const style = { opacity: shade(w), width: 1 + w / 2 };
      curve.line(`m ${w}`, times, rows.map((row) => row[place]), style);
      size.line(`m ${w}`, times, sizes[w], style);
    });
    curve.line("limit", times, limit.map((row) => row[place]), { colour: COLOURS.limit, width: 2.2, dash: "5 4" });
    for (const chart of [curve, size]) chart.cursor("now", time, { dash: "2 3" });
    describe({ now, place, means, largest, twins, aloud });
  }

  /**
   * @param {{
   *   now: number, place: number, means: number[][][], largest: (row: number[]) => number, twins: boolean, aloud: boolean
   * }} seen
   */
  function describe({ now, place, means, largest, twins, aloud }) {
    const { time, seed, count, entry } = state;
    const who = `${count === 1 ? `network ${seed}` : `mean over ${count} networks from number ${seed} on`}${twins ? ", averaged with mirror twins" : ""}`;
    const tops = widths.map((width, w) => `${readable(largest(means[w][now]), 2)} at width ${width}`).join(", ");
    frame.summarise(
      `At <i>t</i> = ${fixed(time, 1)} the largest entry of <i>m</i> |${moved}| is ${tops}; in the limit of the mean ${readable(largest(limit[now]), 2)}. ` +
        `<span class="ntk-quiet">${who[0].toUpperCase() + who.slice(1)}. ${origin}</span>`,
      { aloud },
    );
    const setting = `Time ${fixed(time, 1)}, ${who}`;
    /** @param {number[]} row */
    const read = (row) => motion.matrix(row).map((v) => readable(v, 2)).join(", ");
    maps.forEach((map, w) => map.describe(`m times the motion of the kernel at width ${widths[w]}, row by row: ${read(means[w][now])}. ${setting}.`));
    limitMap.describe(`The limit of the mean as the width grows, row by row: ${read(limit[now])}. ${setting}.`);
    curve.describe(`Entry ${entry} of m times the motion against time, now ${widths.map((width, w) => `${readable(means[w][now][place], 2)} at width ${width}`).join(", ")}; limit of the mean ${readable(limit[now][place], 2)}. ${setting}.`);
    size.describe(`Largest entry of the motion without the factor m against time on a logarithmic axis, now ${widths.map((width, w) => `${readable(largest(means[w][now]) / width, 2)} at width ${width}`).join(", ")}. ${setting}.`);
  }

  frame.changed = () => draw(true);

  let first = seeds;
  frame.askButton("New networks from Python", () => ({ first_seed: first }), ({ buffers }) => {
    motion = new Motion(floats(buffers[0]), meta);
    first += seeds;
    origin = "Computed just now by Python.";
    draw(true);
  });

  draw(false);
}

export default {
  render: renderWith({
    name: "kernel-in-motion",
    question: "How far does the kernel move, once the factor 1/m is taken out?",
    tries: [
      "Go through the networks. At which width is the matrix <i>m</i> (<i>K<sub>t</sub></i> \u2212 <i>K</i><sub>0</sub>) largest?",
      "Take the mean over more networks. Does it settle on the limit? Average the mirror twins in: the readout <i>a</i> becomes \u2212<i>a</i>, the residuals stay.",
      "With one network and its twin, which width is wide enough to agree with the limit?",
    ],
    build: buildMotion,
  }),
};
