// Predicting new points: a network trained in the page, beside the limiting kernel, the frozen kernel and levels 3 and 4.
//
// What is shown is g = f_t - f_0; the labels are f_0 + z with the targets z. One hidden layer of tanh.

import { Background, serve } from "./background.js";
import { Chart, padded } from "./chart.js";
import { COLOURS } from "./elements.js";
import { renderWith } from "./frame.js";
import { decimal, fixed, floats, readable } from "./numbers.js";
import { drawPredictor, exactFlow, hierarchyFlow, kernelTable } from "./prediction.js";
import { seedIn } from "./random.js";

/** @import { Frame } from "./frame.js" */
/** @import { KernelTable, Learned } from "./prediction.js" */

/**
 * @typedef {{
 *   angle: number, label: number, value: number, width: number, time: number, seed: number, targets: number[]
 * }} State
 */
/** @typedef {Record<string, Learned>} Run By predictor, and "exact": what is learned */

const WIDTHS = [32, 64, 128, 256];
const LARGEST_TARGET = 8;
const PREDICTORS = [
  { key: "limit", name: "limiting kernel", colour: COLOURS.limit, dash: "2 3" },
  { key: "2", name: "frozen kernel", colour: COLOURS[2], dash: "7 3" },
  { key: "3", name: "level 3", colour: COLOURS[3], dash: "none" },
  { key: "4", name: "level 4", colour: COLOURS[4], dash: "none" },
];

/**
 * @typedef {{
 *   width: number, seed: number, targets: number[], wStd: number, angles: number[], grid: number[], horizon: number,
 *   limit: KernelTable
 * }} Question
 */
/** @typedef {Record<string, Float64Array>[]} Reply For all targets and for half of them: by predictor, at all times and angles */

/** @param {number[]} angles */
const circle = (angles) => Float64Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));

/** @type {(grid: number[], angles: number[]) => number[]} */
const placesIn = (grid, angles) => angles.map((angle) => grid.findIndex((other) => Math.abs(other - angle) < 1e-9));

/** @type {{ network: string, table: KernelTable }} */
let last = { network: "", table: {} };

/**
 * What the predictors say; and the network with half the targets.
 *
 * @param {Question} question
 * @returns {Reply}
 */
function predictions({ width, seed, targets, wStd, angles, grid, horizon, limit }) {
  const [train, points, rows] = [circle(angles), circle(grid), placesIn(grid, angles)];
  const net = drawPredictor({ width, seed, wStd });
  const network = `${width} ${seed}`;
  if (last.network !== network) last = { network, table: kernelTable(net, points, train) };
  /** @param {Learned} learned */
  const tabulated = (learned) =>
    Float64Array.from({ length: (horizon + 1) * grid.length }, (_, k) => learned(Math.floor(k / grid.length), k % grid.length));
  return [1, 0.5].map((scale) => {
    const z = targets.map((v) => scale * v);
    /** @type {Record<string, Float64Array>} */
    const run = { limit: tabulated(hierarchyFlow(limit, rows, z, 2, horizon)) };
    for (const level of [2, 3, 4]) run[level] = tabulated(hierarchyFlow(last.table, rows, z, level, horizon));
    if (scale !== 1) run.exact = tabulated(exactFlow(net, points, train, z, horizon));
    return run;
  });
}

serve(predictions);

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
  const rows = placesIn(grid, angles);
  const limit = { 2: floats(model.get("data")) };
  const degrees = grid.map((angle) => Math.round((180 * angle) / Math.PI));
  const heights = Array.from({ length: 20 * LARGEST_TARGET + 1 }, (_, k) => (k - 10 * LARGEST_TARGET) / 10);
  const times = Array.from({ length: horizon + 1 }, (_, k) => k);

  const initial = { angle: 65, label: 2, width: 64, time: 16, seed: 3, targets: meta.targets, ...meta.initial };
  frame.range("angle", { label: "Test point <i>x</i>", initial: initial.angle, choices: () => degrees, format: (v) => `${v}\u00b0` });
  frame.select("label", {
    label: "Training point", initial: initial.label,
    choices: () => angles.map((_, b) => b + 1), format: (b) => `${b}, at ${Math.round((180 * angles[b - 1]) / Math.PI)}\u00b0`,
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
  bendChart.node.classList.add("ntk-answer"); // does the network double with its targets?
  for (const chart of [learnedChart, errorChart, bendChart, timeChart]) frame.panel(chart);
  frame.legend([
    { label: "network, exact", colour: COLOURS.exact },
    ...PREDICTORS.map(({ name, colour, dash }) => ({ label: name, colour, dash })),
    { label: "targets <i>z</i>", colour: COLOURS.exact, marker: "o", hollow: true },
  ]);

  const background = new Background(model.get("_esm"), predictions);
  frame.cleanups.push(() => background.close());

  /** @returns {Question} */
  const question = () => ({ width: state.width, seed: state.seed, targets: state.targets, wStd, angles, grid, horizon, limit });
  const exactRun = () => exactFlow(drawPredictor({ width: state.width, seed: state.seed, wStd }), points, train, state.targets, horizon);
  /** @type {(reply: Reply, exact: Learned) => Run[]} */
  const runsOf = (reply, exact) =>
    reply.map((tables) => ({ exact, ...Object.fromEntries(Object.entries(tables).map(([key, table]) => [key, (time, x) => table[time * grid.length + x]])) }));

  let exact = exactRun();
  let runs = runsOf(predictions(question()), exact); // with all targets, and with half of them
  let computing = false;
  let patience = 0;

  /** The network at once, its predictors when they are computed. */
  function compute() {
    exact = exactRun();
    computing = true;
    frame.root.setAttribute("aria-busy", "true");
    clearTimeout(patience);
    patience = window.setTimeout(() => frame.summarise("<span class=\"ntk-quiet\">Computing \u2026</span>"), 150);
    background.ask(question(), (reply) => {
      clearTimeout(patience);
      computing = false;
      frame.root.setAttribute("aria-busy", "false");
      runs = runsOf(reply, exact);
      draw(true);
    });
  }

  /** @type {(u: number[], v: number[], factor?: number) => number[]} */
  const minus = (u, v, factor = 1) => u.map((value, k) => value - factor * v[k]);
  /** @type {(values: number[], floor: number) => { min: number, max: number }} */
  const around = (values, floor) => padded([-floor, floor, ...values]); // curves that blow up leave it

  const ticks = [0, 45, 90, 135, 180].map((value) => ({ value, text: `${value}\u00b0` }));
  const angleAxis = { min: 0, max: 180, ticks, label: "angle" };

  /** @param {boolean} aloud */
  function draw(aloud) {
    const { targets } = state;
    const learned = degrees.map((_, x) => exact(state.time, x));
    learnedChart.setAxes({ x: angleAxis, y: around([...learned, ...targets], 0.5) });
    learnedChart.cursor("x", state.angle, { dash: "2 3" });
    learnedChart.line("exact", degrees, learned, { width: 2.2 });
    const trained = rows.map((x) => degrees[x]);
    learnedChart.dots("targets", trained, targets, { hollow: true, size: 4.2 });
    learnedChart.dots("chosen", [trained[state.label - 1]], [targets[state.label - 1]], { size: 4.2 });
    learnedChart.dots("x", [state.angle], [learned[degrees.indexOf(state.angle)]], { marker: "D", size: 4 });
    doubleButton.disabled = targets.some((z) => Math.abs(2 * z) > LARGEST_TARGET);
    if (!computing) drawPredictors(aloud);
  }

  /** @param {boolean} aloud */
  function drawPredictors(aloud) {
    const { time, targets } = state;
    const at = degrees.indexOf(state.angle);
    const keys = ["exact", ...PREDICTORS.map(({ key }) => key)];
    const [whole, half] = runs.map((run) => Object.fromEntries(keys.map((key) => [key, degrees.map((_, x) => run[key](time, x))])));
    const bend = Object.fromEntries(keys.map((key) => [key, minus(whole[key], half[key], 2)]));
    const errors = Object.fromEntries(PREDICTORS.map(({ key }) => [key, minus(whole[key], whole.exact)]));
    const exactInTime = times.map((t) => runs[0].exact(t, at));
    const inTime = Object.fromEntries(PREDICTORS.map(({ key }) => [key, minus(times.map((t) => runs[0][key](t, at)), exactInTime)]));
    const size = Math.max(0.1, ...whole.exact.map(Math.abs), ...targets.map(Math.abs));
    /** @param {number[]} values */
    const near = (values) => values.filter((v) => Math.abs(v) < size / 2);

    const x = angleAxis;
    errorChart.setAxes({ x, y: around(near(Object.values(errors).flat()), 1e-4) });
    bendChart.setAxes({ x, y: around(near([...bend.exact, ...bend[3], ...bend[4]]), 1e-4) });
    timeChart.setAxes({ x: { min: 0, max: horizon, label: "time *t*" }, y: around(near(Object.values(inTime).flat()), 1e-4) });
    for (const chart of [errorChart, bendChart]) chart.cursor("x", state.angle, { dash: "2 3" });
    timeChart.cursor("now", time, { dash: "2 3" });
    errorChart.line("zero", [0, 180], [0, 0], { colour: COLOURS.exact, width: 1 });
    timeChart.line("zero", [0, horizon], [0, 0], { colour: COLOURS.exact, width: 1 });
    bendChart.line("exact", degrees, bend.exact, { width: 2.2 });
    for (const { key, colour, dash } of PREDICTORS) {
      learnedChart.line(key, degrees, whole[key], { colour, dash });
      errorChart.line(key, degrees, errors[key], { colour, dash });
      bendChart.line(key, degrees, bend[key], { colour, dash });
      timeChart.line(key, times, inTime[key], { colour, dash });
      errorChart.dots(`at ${key}`, [state.angle], [errors[key][at]], { colour });
    }
    describe({ at, learned: whole.exact[at], half, errors, bend, inTime, aloud });
  }

  /**
   * @param {{
   *   at: number, learned: number, half: Record<string, number[]>, errors: Record<string, number[]>,
   *   bend: Record<string, number[]>, inTime: Record<string, number[]>, aloud: boolean
   * }} seen
   */
  function describe({ at, learned, half, errors, bend, inTime, aloud }) {
    const { angle, time, width } = state;
    /** @param {(key: string) => number} of */
    const list = (of) => PREDICTORS.map((p) => `${p.name} ${readable(of(p.key), 2)}`).join(", ");
    /** @param {string} key */
    const factor = (key) => 2 + bend[key][at] / half[key][at];
    const doubled =
      Math.abs(half.exact[at]) < 1e-3
        ? ""
        : ` Doubling the targets from half their size multiplies it by ${readable(factor("exact"), 4)}: a kernel that is fixed says 2, level 3 ` +
          `${readable(factor("3"), 4)}, level 4 ${readable(factor("4"), 4)}.`;
    frame.summarise(
      `At ${angle}\u00b0 and <i>t</i> = ${time} the network of width ${width} has learned ${readable(learned)}. ` +
        `Errors of the predictions: ${list((key) => errors[key][at])}.${doubled} <span class="ntk-quiet">Computed in the page.</span>`,
      { aloud },
    );
    const setting = `Width ${width}, time ${time}, test point at ${angle} degrees, targets ${state.targets.map((z) => fixed(z, 1)).join(", ")}`;
    /** @param {number[]} values */
    const largest = (values) => Math.max(...values.map(Math.abs));
    learnedChart.describe(`What the network has learned against the angle: ${readable(learned)} at the test point. ${setting}.`);
    errorChart.describe(`Prediction minus exact network against the angle; largest: ${list((key) => largest(errors[key]))}. ${setting}.`);
    bendChart.describe(
      `What is learned minus twice that with half the targets, at the test point: exact ${readable(bend.exact[at], 2)}, ` +
        `${list((key) => bend[key][at])}. ${setting}.`,
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
  /** @type {(list: number[], value: number) => number} */
  const nearest = (list, value) => list.reduce((best, other) => (Math.abs(other - value) < Math.abs(best - value) ? other : best));

  /** @param {{ x: number, y: number }} to */
  function drag({ x, y }) {
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
    },
    pointermove: (event) => {
      if (grip !== null) drag(dataAt(event));
    },
    pointerup: () => (grip = null),
    pointercancel: () => (grip = null),
  };
  for (const [event, handler] of Object.entries(pointer)) frame.listen(learnedChart.svg, event, handler);
  learnedChart.svg.style.touchAction = "pan-y";
  learnedChart.svg.style.userSelect = "none";
  learnedChart.svg.style.cursor = "pointer";

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
