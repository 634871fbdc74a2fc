// Train it live: a network trained in the page by gradient flow, its kernel beside it.

import { ACTIVATIONS } from "./activations.js";
import { Chart, HeatMap } from "./chart.js";
import { COLOURS } from "./elements.js";
import { reducedMotion, renderWith } from "./frame.js";
import { clamp, fixed, readable } from "./numbers.js";
import { drawNetwork, seedIn } from "./random.js";
import { GradientFlow, evaluate, frozenFlow, makeTangents, predict, tangentKernel } from "./simulation.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ depth: number, width: number, activation: string, speed: number, seed: number }} State */

const STEP = 0.1; // of time, for the Runge-Kutta method
const HORIZON = 60; // the time at which a run ends
const OPENING = 1; // the time shown first
const BUDGET = 6; // milliseconds of a frame for steps; the first step of a frame is always taken
const SLOW = 0.9; // of the speed chosen: below, the reader is told
const CURVE_POINTS = 41;
/** @type {Record<number, number[]>} */
const WIDTHS = { 1: [16, 32, 64, 128, 256, 512, 1024], 2: [16, 32, 64, 128, 256] };
/** @type {Record<number, number[]>} widths whose runs are shown beside the one chosen */
const COMPARED = { 1: [16, 64, 256], 2: [16, 64] };

/** @param {number[]} angles */
const onCircle = (angles) => angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);

/** @type {(kernel: Float64Array, start: Float64Array) => number} */
function relativeDistance(kernel, start) {
  let change = 0;
  let size = 0;
  for (let k = 0; k < start.length; k++) {
    change += (kernel[k] - start[k]) ** 2;
    size += start[k] ** 2;
  }
  return Math.sqrt(change / size);
}

/** One network from its random start: the exact flow, the prediction of the frozen kernel, and what was recorded on the way. */
class Run {
  /** @param {Omit<State, "speed"> & { angles: number[], y: number[], curveAngles: number[] }} setting */
  constructor({ width, depth, activation, seed, angles, y, curveAngles }) {
    this.width = width;
    this.setting = { depth, activation, seed };
    this.net = drawNetwork({ width, depth, inputDim: 2, activation, seed });
    this.flow = new GradientFlow(this.net, onCircle(angles), y);
    this.curvePoints = makeTangents(this.net, onCircle(curveAngles));
    evaluate(this.net, this.curvePoints);
    this.curveTime = 0;
    this.startKernel = this.flow.kernel;
    this.kernel = this.startKernel;
    this.frozen = frozenFlow({
      kernel: this.startKernel,
      testKernel: tangentKernel(this.net, this.curvePoints, this.flow.stages[0]),
      outputs: this.flow.outputs,
      testOutputs: this.curvePoints.outputs.slice(),
      y,
    });
    this.taken = -1; // the frame in which the last step was taken
    this.times = [0];
    this.losses = [this.flow.loss];
    this.distances = [0];
  }

  get time() {
    return this.flow.time;
  }

  get finished() {
    return this.time > HORIZON - STEP / 2;
  }

  /** f at the angles of the curve, now. */
  get curve() {
    if (this.curveTime !== this.time) predict(this.net, this.curvePoints);
    this.curveTime = this.time;
    return this.curvePoints.outputs;
  }

  get distance() {
    return this.distances[this.distances.length - 1];
  }

  get loss() {
    return this.losses[this.losses.length - 1];
  }

  advance() {
    this.flow.step(STEP);
    this.kernel = this.flow.kernel;
    this.times.push(this.time);
    this.losses.push(this.flow.loss);
    this.distances.push(relativeDistance(this.kernel, this.startKernel));
  }
}

/** @param {Frame<State>} frame */
function buildTrain(frame) {
  /** @type {{ angles: number[], y: number[] }} */
  const { angles, y } = frame.model.get("meta");
  const { state } = frame;
  const margin = 0.06 * (Math.max(...angles) - Math.min(...angles));
  const low = Math.min(...angles) - margin;
  const high = Math.max(...angles) + margin;
  const curveAngles = Array.from({ length: CURVE_POINTS }, (_, k) => low + ((high - low) * k) / (CURVE_POINTS - 1));

  const initial = { depth: 1, width: 16, activation: "tanh", speed: 5, seed: 3, ...frame.model.get("meta").initial };
  frame.select("depth", {
    label: "Hidden layers", initial: initial.depth, choices: () => [1, 2],
  });
  frame.range("width", {
    label: "Width <i>m</i>", initial: initial.width, choices: () => WIDTHS[state.depth],
  });
  frame.select("activation", {
    label: "Activation", initial: initial.activation, choices: () => Object.keys(ACTIVATIONS),
  });
  frame.range("speed", {
    label: "Speed", initial: initial.speed, choices: () => [1, 2, 5, 10, 20], format: (v) => `${v} time units/s`,
  });
  frame.control("seed", { initial: initial.seed, read: seedIn });

  const playButton = frame.button("Play", () => (playing ? pause() : play()), { primary: true });
  frame.button("Restart", () => {
    restart();
    draw();
    play();
  });
  frame.button("New weights", () => frame.moved("seed", state.seed + 1));

  const fit = new Chart({ title: "The fit <i>f</i> on the half circle" });
  const loss = new Chart({ title: "The loss <i>L</i>" });
  const kernelMap = new HeatMap({ title: "The kernel <i>K<sub>t</sub></i>", size: y.length });
  const changeMap = new HeatMap({ title: "Change <i>K<sub>t</sub></i> \u2212 <i>K</i><sub>0</sub>", size: y.length });
  const distance = new Chart({ title: "Distance moved: \u2016<i>K<sub>t</sub></i> \u2212 <i>K</i><sub>0</sub>\u2016 / \u2016<i>K</i><sub>0</sub>\u2016" });
  frame.panel(fit);
  frame.panel(loss);
  frame.panel(kernelMap, changeMap);
  frame.panel(distance);
  frame.legend([
    { label: "network, exact", colour: COLOURS.exact },
    { label: "kernel frozen at the start", colour: COLOURS[2] },
    { label: "data", colour: COLOURS.exact, marker: "o", hollow: true },
    { label: "other widths, at the end", colour: COLOURS.guide, width: 1 },
  ]);

  frame.mend = () => {
    const widths = WIDTHS[state.depth];
    frame.set("width", widths.includes(state.width) ? state.width : Math.max(...widths));
  };
  frame.restore();

  let run = newRun(state.width);
  /** @type {Map<number, Run>} width -> a finished run of the same depth, activation and seed */
  let others = new Map();
  /** @type {Run | null} */
  let background = null; // the run of another width under way
  let playing = false;
  let visible = true;
  /** @type {number | null} */
  let target = null; // a time to reach without the reader waiting
  let debt = 0;
  let last = 0;
  let pace = 0; // time units a second that the last second has brought
  /** @type {number | null} */
  let request = null;
  let waiting = false; // for an idle moment
  let stopped = false;
  let frames = 0;
  let described = 0;

  // Drawing

  function setUpAxes() {
    const values = [...y, ...run.frozen.at(0).testOutputs, ...run.frozen.at(HORIZON).testOutputs];
    const bottom = Math.floor(2 * Math.min(...values) - 0.2) / 2;
    const top = Math.ceil(2 * Math.max(...values) + 0.2) / 2;
    const quarter = Math.PI / 4;
    const names = { "-2": "\u2212\u03c0/2", "-1": "\u2212\u03c0/4", 0: "0", 1: "\u03c0/4", 2: "\u03c0/2", 3: "3\u03c0/4", 4: "\u03c0" };
    const ticks = Object.entries(names)
      .map(([k, text]) => ({ value: Number(k) * quarter, text }))
      .filter(({ value }) => value >= low && value <= high);
    fit.setAxes({ x: { min: low, max: high, ticks, label: "angle" }, y: { min: bottom, max: top } });
    const end = run.frozen.at(HORIZON).loss;
    loss.setAxes({
      x: { min: 0, max: HORIZON, label: "time *t*" },
      y: { min: Math.max(1e-8, end / 2), max: 1.6 * run.losses[0], log: true },
    });
    distance.setAxes({ x: { min: 0, max: HORIZON, label: "time *t*" }, y: { min: 1e-3, max: 1, log: true } });
    const times = Array.from({ length: 121 }, (_, k) => (HORIZON * k) / 120);
    loss.line("frozen", times, times.map((t) => run.frozen.at(t).loss), { colour: COLOURS[2], width: 2.6, opacity: 0.75 });
    fit.dots("data", angles, y, { hollow: true, size: 3.6 });
  }

  function drawOthers() {
    distance.remove((key) => key.startsWith("other"));
    if (!run.finished) return; // a guess comes first
    for (const [width, other] of others) {
      if (width === run.width) continue;
      distance.line(`other ${width}`, other.times, other.distances, { colour: COLOURS.guide, width: 1 });
      distance.label(`other name ${width}`, HORIZON, other.distance, `*m* = ${width}`, { anchor: "end", dx: -4, dy: -8 });
    }
  }

  function draw({ curve = true } = {}) {
    const frozen = run.frozen.at(run.time);
    if (curve) {
      fit.line("frozen", curveAngles, frozen.testOutputs, { colour: COLOURS[2], width: 2.6, opacity: 0.75 });
      fit.line("exact", curveAngles, run.curve.slice());
    }
    if (run.loss < loss.axes.y.min) loss.setAxes({ y: { min: run.loss / 3 } });
    loss.line("exact", run.times, run.losses);
    loss.dots("now", [run.time], [run.loss]);
    if (run.distance > distance.axes.y.max) distance.setAxes({ y: { max: 10 } });
    distance.line("exact", run.times, run.distances, { width: 2 });
    distance.dots("now", [run.time], [run.distance]);
    if (run.finished) drawOthers();
    const size = Math.max(...run.startKernel.map(Math.abs));
    kernelMap.update(run.kernel, size);
    changeMap.update(run.kernel.map((k, i) => k - run.startKernel[i]), size / 4);
    describe(frozen);
  }

  /** @param {{ loss: number, outputs: Float64Array }} frozen */
  function describe(frozen) {
    const now = performance.now();
    if (playing && now - described < 250) return;
    described = now;
    const moved = `${readable(100 * run.distance, 2)} %`;
    const late = playing && pace < SLOW * state.speed ? ` <span class="ntk-quiet">This machine reaches ${readable(pace, 2)} time units/s.</span>` : "";
    frame.summarise(
      `At <i>t</i> = ${fixed(run.time, 1)} the kernel of this network of width ${state.width} has moved by ${moved} of its size. ` +
        `Loss ${readable(run.loss, 2)}; with the kernel frozen ${readable(frozen.loss, 2)}.${late}`,
      { aloud: !playing },
    );
    const setting = `width ${state.width}, ${state.depth} hidden layer${state.depth > 1 ? "s" : ""}, ${state.activation}, time ${fixed(run.time, 1)}`;
    const ends = run.finished ? [...others].map(([width, other]) => `Width ${width} ends at ${readable(100 * other.distance, 2)} %.`) : [];
    const gap = Math.max(...run.flow.outputs.map((f, b) => Math.abs(f - frozen.outputs[b])));
    fit.describe(`The function the network computes and the prediction of the frozen kernel; they differ by at most ${readable(gap, 2)} at the data points. ${setting}.`);
    loss.describe(`Loss against time on a logarithmic axis: ${readable(run.loss, 2)}, predicted ${readable(frozen.loss, 2)} by the frozen kernel. ${setting}.`);
    kernelMap.describe(`Neural tangent kernel, ${y.length} by ${y.length}; its largest entry is ${readable(Math.max(...run.kernel), 2)}. ${setting}.`);
    changeMap.describe(`Change of the kernel since the start, relative size ${moved}. ${setting}.`);
    distance.describe(`Relative distance of the kernel from its start against time: ${moved}. ${ends.join(" ")} ${setting}.`);
  }

  // Running

  function restart() {
    const { depth, activation, seed } = run.setting;
    const kin = depth === state.depth && activation === state.activation && seed === state.seed;
    if (!kin) others = new Map();
    else if (run.finished) others.set(run.width, run);
    run = newRun(state.width);
    begin();
  }

  function begin() {
    debt = 0;
    background = null;
    setUpAxes();
    drawOthers();
    later();
  }

  /** @param {number} width */
  function newRun(width) {
    return new Run({ depth: state.depth, activation: state.activation, seed: state.seed, width, angles, y, curveAngles });
  }

  /** In idle moments, runs of other widths to compare with. */
  function later() {
    if (waiting) return;
    waiting = true;
    if ("requestIdleCallback" in window) window.requestIdleCallback(workLater);
    else setTimeout(workLater, 50);
  }

  function workLater() {
    waiting = false;
    const missing = COMPARED[state.depth].filter((width) => width !== run.width && !others.has(width));
    if (stopped || !missing.length) return;
    background ??= newRun(missing[0]);
    for (const start = performance.now(); !background.finished && performance.now() - start < BUDGET; ) background.advance();
    if (background.finished) {
      others.set(background.width, background);
      background = null;
      drawOthers();
    }
    later();
  }

  /** @type {(budget: number, wanted: () => boolean) => void} */
  function steps(budget, wanted) {
    const start = performance.now();
    while (!run.finished && (run.taken !== frames || performance.now() - start < budget) && wanted()) {
      run.advance();
      run.taken = frames;
    }
  }

  /** @param {number} now */
  function tick(now) {
    request = null;
    frames += 1;
    const curve = state.depth === 1 || state.width < 128 || frames % 3 === 0;
    if (target !== null) {
      const near = target - STEP / 2;
      steps(2 * BUDGET, () => run.time < near);
      if (run.finished || run.time >= near) target = null;
      if (target === null || !reducedMotion()) draw({ curve: curve || target === null });
    } else {
      const seconds = (now - last) / 1000;
      const from = run.time;
      debt = Math.min(debt + clamp(seconds, 0, 0.05) * state.speed, 0.05 * state.speed + STEP);
      steps(BUDGET, () => debt >= STEP && (debt -= STEP, true));
      pace = seconds > 0.25 ? state.speed : pace + (run.time - from) - pace * seconds; // after a halt it begins anew
      if (run.finished) pause();
      draw({ curve: curve || run.finished });
    }
    last = now;
    schedule();
  }

  function schedule() {
    const wanted = target !== null || (playing && visible);
    frame.root.setAttribute("aria-busy", String(target !== null));
    if (wanted && request === null) request = requestAnimationFrame(tick);
  }

  function play() {
    if (run.finished) restart();
    target = null;
    playing = true;
    pace = state.speed;
    playButton.textContent = "Pause";
    schedule();
  }

  function pause() {
    playing = false;
    playButton.textContent = "Play";
  }

  frame.changed = (key) => {
    pace = state.speed;
    if (key === "speed") return;
    const shown = target ?? run.time;
    restart();
    target = playing ? null : shown;
    draw();
    requestAnimationFrame(schedule); // the picture first
  };

  begin();
  steps(40, () => run.time < OPENING - STEP / 2);
  draw();
  if (run.time < OPENING - STEP / 2) target = OPENING;

  const observer = new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    schedule();
  }, { threshold: 0.3 });
  observer.observe(frame.panels);
  frame.cleanups.push(() => {
    observer.disconnect();
    if (request !== null) cancelAnimationFrame(request);
    playing = false;
    target = null;
    stopped = true;
  });
}

export default {
  render: renderWith({
    name: "train-live",
    question: "How far does the kernel move while the network learns, and how does that change with the width?",
    tries: [
      "Guess by what factor the distance falls when <i>m</i> grows fourfold. Let the training run to its end: thin lines then show other widths. Choose one more.",
      "At width 16 take new weights a few times. When does the frozen kernel (blue) predict the loss badly?",
      "Choose relu. Does its kernel move as little as that of a smooth activation?",
    ],
    build: buildTrain,
  }),
};
