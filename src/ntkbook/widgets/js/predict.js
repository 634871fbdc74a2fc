// Predicting new points: a network trained in the page, beside the limiting kernel, the frozen kernel and levels 3 and 4.
//
// What is shown is g = f_t - f_0; the labels are f_0 + z with the targets z. One hidden layer of tanh.

import { Chart, padded } from "./chart.js";
import { COLOURS } from "./elements.js";
import { renderWith } from "./frame.js";
import { decimal, fixed, floats, readable } from "./numbers.js";
import { drawPredictor, exactFlow, hierarchyFlow, kernelTable } from "./prediction.js";
import { seedIn } from "./random.js";

/** @import { Frame } from "./frame.js" */
/** @import { KernelTable } from "./prediction.js" */
/** @import { Network } from "./random.js" */

/**
 * @typedef {{
 *   angle: number, label: number, value: number, width: number, time: number, seed: number, targets: number[]
 * }} State
 */
/** @typedef {Record<string, Float64Array[]>} Records By predictor, and "exact": what is learned at times 0, 1, ... */

const WIDTHS = [32, 64, 128, 256];
const LARGEST_TARGET = 8;
const PREDICTORS = [
  { key: "limit", name: "limiting kernel", colour: COLOURS.limit, dash: "2 3" },
  { key: "2", name: "frozen kernel", colour: COLOURS[2], dash: "7 3" },
  { key: "3", name: "level 3", colour: COLOURS[3], dash: "none" },
  { key: "4", name: "level 4", colour: COLOURS[4], dash: "none" },
];

/** @param {number[]} angles */
const circle = (angles) => Float64Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));

/** @param {Frame<State>} frame */
function buildPredict(frame) {
  const { model, state } = frame;
  /**
   * @type {{
   *   angles: number[], grid: number[], horizon: number, w_std: number, targets: number[], initial: Partial<State>
   * }}
   */
  const meta = model.get("meta");
  const { angles, grid, horizon, w_std: wStd } = meta;
  const [train, points] = [circle(angles), circle(grid)];
  const rows = angles.map((angle) => grid.findIndex((other) => Math.abs(other - angle) < 1e-9));
  const limit = { 2: floats(model.get("data")) };
  const degrees = grid.map((angle) => Math.round((180 * angle) / Math.PI));
  const heights = Array.from({ length: 20 * LARGEST_TARGET + 1 }, (_, k) => (k - 10 * LARGEST_TARGET) / 10);
  const times = Array.from({ length: horizon + 1 }, (_, k) => k);

  const initial = { angle: 65, label: 2, width: 64, time: 16, seed: 3, targets: meta.targets, ...meta.initial };
  frame.range("angle", { label: "Test point <i>x</i>", initial: initial.angle, choices: () => degrees, format: (v) => `${v}\u00b0` });
  frame.select("label", {
    label: "Training point", initial: initial.label,
    options: angles.map((angle, b) => ({ value: b + 1, label: `${b + 1}, at ${Math.round((180 * angle) / Math.PI)}\u00b0` })),
  });
  frame.range("value", {
    label: "Its target <i>z</i>", initial: initial.targets[initial.label - 1], choices: () => heights, format: (v) => fixed(v, 1),
  });
  frame.range("width", { label: "Width <i>m</i>", initial: initial.width, choices: () => WIDTHS });
  frame.range("time", { label: "Time <i>t</i>", initial: initial.time, choices: () => times.slice(1) });
  frame.control("targets", {
    initial: initial.targets,
    read: (text) => {
      const z = text.split(",").map(decimal);
      return z.length === angles.length && z.every((v) => heights.includes(v)) ? z : undefined;
    },
  });
  frame.control("seed", { initial: initial.seed, read: seedIn });
  frame.mend = (key) => {
    if (key === "value") frame.set("targets", state.targets.map((z, b) => (b === state.label - 1 ? state.value : z)));
    frame.set("value", state.targets[state.label - 1]);
  };
  frame.restore();

  const doubleButton = frame.button("Double all targets", () => {
    if (state.targets.every((z) => Math.abs(2 * z) <= LARGEST_TARGET)) frame.moved("targets", state.targets.map((z) => 2 * z));
  });
  frame.button("Reset targets", () => frame.moved("targets", initial.targets));
  frame.button("New weights", () => frame.moved("seed", state.seed + 1));

  const learnedChart = new Chart({ title: "What is learned, <i>f<sub>t</sub></i> \u2212 <i>f</i><sub>0</sub>" });
  const errorChart = new Chart({ title: "Prediction minus exact network" });
  const bendChart = new Chart({ title: "What is learned, minus twice that with half the targets" });
  const timeChart = new Chart({ title: "Prediction minus exact network, at the test point" });
  for (const chart of [learnedChart, errorChart, bendChart, timeChart]) frame.panel(chart);
  frame.legend([
    { label: "network, exact", colour: COLOURS.exact },
    ...PREDICTORS.map(({ name, colour, dash }) => ({ label: name, colour, dash })),
    { label: "targets <i>z</i>", colour: COLOURS.exact, marker: "o", hollow: true },
  ]);

  /** @type {{ width: number, seed: number, net: Network, table: KernelTable } | null} */
  let start = null;
  /** @type {Records[]} */
  let runs = []; // with all targets, and with half of them

  function compute() {
    const { width, seed, targets } = state;
    if (!start || start.width !== width || start.seed !== seed) {
      const net = drawPredictor({ width, seed, wStd });
      start = { width, seed, net, table: kernelTable(net, points, train) };
    }
    const { net, table } = start;
    runs = [1, 0.5].map((scale) => {
      const z = targets.map((v) => scale * v);
      /** @type {Records} */
      const run = { exact: exactFlow(net, points, train, z, horizon), limit: hierarchyFlow(limit, rows, z, 2, horizon) };
      for (const level of [2, 3, 4]) run[level] = hierarchyFlow(table, rows, z, level, horizon);
      return run;
    });
  }

  /** @type {(u: Float64Array, v: Float64Array, factor?: number) => number[]} */
  const minus = (u, v, factor = 1) => Array.from(u, (value, k) => value - factor * v[k]);
  /** @type {(values: number[], floor: number) => { min: number, max: number }} */
  const around = (values, floor) => padded([-floor, floor, ...values]); // curves that blow up leave it

  /** @param {boolean} aloud */
  function draw(aloud) {
    const { time, targets } = state;
    const at = degrees.indexOf(state.angle);
    /** @type {(key: string, half?: number) => Float64Array} */
    const now = (key, half = 0) => runs[half][key][time];
    const exact = now("exact");
    /** @param {string} key */
    const bend = (key) => minus(now(key), now(key, 1), 2);
    const errors = Object.fromEntries(PREDICTORS.map(({ key }) => [key, minus(now(key), exact)]));
    const inTime = Object.fromEntries(PREDICTORS.map(({ key }) => [key, times.map((t) => runs[0][key][t][at] - runs[0].exact[t][at])]));
    const size = Math.max(0.1, ...exact.map(Math.abs), ...targets.map(Math.abs));
    /** @param {number[]} values */
    const near = (values) => values.filter((v) => Math.abs(v) < size / 2);

    const ticks = [0, 45, 90, 135, 180].map((value) => ({ value, text: `${value}\u00b0` }));
    const x = { min: 0, max: 180, ticks, label: "angle" };
    learnedChart.setAxes({ x, y: around([...exact, ...targets], 0.5) });
    errorChart.setAxes({ x, y: around(near(Object.values(errors).flat()), 1e-4) });
    bendChart.setAxes({ x, y: around(near(["exact", "3", "4"].flatMap(bend)), 1e-4) });
    timeChart.setAxes({ x: { min: 0, max: horizon, label: "time *t*" }, y: around(near(Object.values(inTime).flat()), 1e-4) });
    for (const chart of [learnedChart, errorChart, bendChart]) chart.cursor("x", state.angle, { dash: "2 3" });
    timeChart.cursor("now", time, { dash: "2 3" });
    errorChart.line("zero", [0, 180], [0, 0], { colour: COLOURS.exact, width: 1 });
    timeChart.line("zero", [0, horizon], [0, 0], { colour: COLOURS.exact, width: 1 });
    bendChart.line("exact", degrees, bend("exact"), { width: 2.2 });
    learnedChart.line("exact", degrees, exact, { width: 2.2 });
    for (const { key, colour, dash } of PREDICTORS) {
      learnedChart.line(key, degrees, now(key), { colour, dash });
      errorChart.line(key, degrees, errors[key], { colour, dash });
      bendChart.line(key, degrees, bend(key), { colour, dash });
      timeChart.line(key, times, inTime[key], { colour, dash });
      errorChart.dots(`at ${key}`, [state.angle], [errors[key][at]], { colour });
    }
    const trained = angles.map((_, b) => degrees[rows[b]]);
    learnedChart.dots("targets", trained, targets, { hollow: true, size: 4.2 });
    learnedChart.dots("chosen", [trained[state.label - 1]], [targets[state.label - 1]], { size: 4.2 });
    learnedChart.dots("x", [state.angle], [exact[at]], { marker: "D", size: 4 });
    doubleButton.disabled = targets.some((z) => Math.abs(2 * z) > LARGEST_TARGET);
    describe({ at, exact, errors, bend, inTime, aloud });
  }

  /**
   * @param {{
   *   at: number, exact: Float64Array, errors: Record<string, number[]>, bend: (key: string) => number[],
   *   inTime: Record<string, number[]>, aloud: boolean
   * }} seen
   */
  function describe({ at, exact, errors, bend, inTime, aloud }) {
    const { angle, time, width } = state;
    /** @param {(key: string) => number} of */
    const list = (of) => PREDICTORS.map((p) => `${p.name} ${readable(of(p.key), 2)}`).join(", ");
    const half = runs[1].exact[time][at];
    /** @param {string} key */
    const factor = (key) => runs[0][key][time][at] / runs[1][key][time][at];
    const doubled =
      Math.abs(half) < 1e-3
        ? ""
        : ` Doubling the targets from half their size multiplies it by ${readable(factor("exact"), 4)}: a kernel that is fixed says 2, level 3 ` +
          `${readable(factor("3"), 4)}, level 4 ${readable(factor("4"), 4)}.`;
    frame.summarise(
      `At ${angle}\u00b0 and <i>t</i> = ${time} the network of width ${width} has learned ${readable(exact[at])}. ` +
        `Errors of the predictions: ${list((key) => errors[key][at])}.${doubled} <span class="ntk-quiet">Computed in the page.</span>`,
      { aloud },
    );
    const setting = `Width ${width}, time ${time}, test point at ${angle} degrees, targets ${state.targets.map((z) => fixed(z, 1)).join(", ")}`;
    /** @param {number[]} values */
    const largest = (values) => Math.max(...values.map(Math.abs));
    learnedChart.describe(`What the network has learned against the angle: ${readable(exact[at])} at the test point. ${setting}.`);
    errorChart.describe(`Prediction minus exact network against the angle; largest: ${list((key) => largest(errors[key]))}. ${setting}.`);
    bendChart.describe(
      `What is learned minus twice that with half the targets, at the test point: exact ${readable(bend("exact")[at], 2)}, ` +
        `${list((key) => bend(key)[at])}. ${setting}.`,
    );
    timeChart.describe(`Prediction minus exact network at the test point against time, at the end ${list((key) => inTime[key][horizon])}. ${setting}.`);
  }

  frame.changed = (key) => {
    if (!["angle", "label", "time"].includes(key)) compute();
    draw(true);
  };

  // Dragging: a target up and down, or the test point to and fro.

  /** @param {PointerEvent} event */
  function dataAt(event) {
    const box = learnedChart.svg.getBoundingClientRect();
    const [u, v] = [event.clientX - box.left, event.clientY - box.top].map((length) => (length * learnedChart.width) / box.width);
    const { left, right, top, bottom } = learnedChart.box;
    const { x, y } = learnedChart.axes;
    return {
      x: x.min + ((u - left) / (right - left)) * (x.max - x.min), y: y.min + ((bottom - v) / (bottom - top)) * (y.max - y.min), u, v,
    };
  }

  /** @type {"x" | number | null} */
  let grip = null; // "x", or the number of a training point
  /** @type {{ x: number, y: number } | null} */
  let wanted = null;
  /** @type {(list: number[], value: number) => number} */
  const nearest = (list, value) => list.reduce((best, other) => (Math.abs(other - value) < Math.abs(best - value) ? other : best));

  /** @param {{ x: number, y: number }} to */
  function drag(to) {
    const { x, y } = to;
    wanted = null;
    if (grip === "x") frame.moved("angle", nearest(degrees, x));
    else if (nearest(heights, y) !== state.value) frame.moved("value", nearest(heights, y));
  }

  /** @type {Record<string, (event: PointerEvent) => void>} */
  const pointer = {
    pointerdown: (event) => {
      event.preventDefault(); // else text is selected, and the browser drags the selection the next time
      const { u, v, x } = dataAt(event);
      /** @param {number} b */
      const distance = (b) => Math.hypot(learnedChart.toX(degrees[rows[b]]) - u, learnedChart.toY(state.targets[b]) - v);
      const b = angles.findIndex((_, k) => distance(k) < 14);
      grip = b < 0 ? "x" : b + 1;
      learnedChart.svg.setPointerCapture(event.pointerId);
      if (b >= 0) frame.moved("label", b + 1);
      else frame.moved("angle", nearest(degrees, x));
      wanted = null;
    },
    pointermove: (event) => {
      if (grip === null) return;
      if (wanted === null) requestAnimationFrame(() => wanted && grip !== null && drag(wanted));
      wanted = dataAt(event);
    },
    pointerup: () => (grip = null),
    pointercancel: () => (grip = null),
  };
  for (const [event, handler] of Object.entries(pointer)) frame.listen(learnedChart.svg, event, handler);
  learnedChart.svg.style.touchAction = "pan-y";
  learnedChart.svg.style.userSelect = "none";
  learnedChart.svg.style.cursor = "pointer";

  compute();
  draw(false);
}

export default {
  render: renderWith({
    name: "predict-new-point",
    question: "Which predictor knows what the network will say at a point it has not seen?",
    tries: [
      "Drag the test point from one end to the other. Where are the errors largest, at training points, between them, or beyond them?",
      "Double all targets. The limiting and the frozen kernel say that the answer doubles. Does the network's? Which level sees it?",
      "Change the width. By what factor does each error fall when <i>m</i> grows fourfold? Then take targets so large, or a width so small, that a level does harm.",
    ],
    build: buildPredict,
  }),
};
