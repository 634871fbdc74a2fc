// Train it live: a network trained in the page by gradient flow, its kernel beside it. The steps are taken in a worker.

import { ACTIVATIONS } from "./activations.js";
import { Background, serve } from "./background.js";
import { Chart, HeatMap } from "./chart.js";
import { COLOURS } from "./elements.js";
import { reducedMotion, renderWith } from "./frame.js";
import { clamp, fixed, readable } from "./numbers.js";
import { drawNetwork, seedIn } from "./random.js";
import { GradientFlow, evaluate, frozenFlow, makeTangents, predict, tangentKernel } from "./simulation.js";

/** @import { Frame } from "./frame.js" */

/** @typedef {{ depth: number, width: number, activation: string, speed: number, seed: number }} State */
/** @typedef {Omit<State, "speed"> & { angles: number[], y: number[], curveAngles: number[] }} Setting */

/**
 * Go on with run `id` until this time, as far as the budget (milliseconds) reaches. A new id begins at time 0, in place of
 * the run of the same role.
 *
 * @typedef {{ role: string, id: number, setting: Setting, until: number, budget: number }} Question
 */
/** @typedef {ReturnType<Run["report"]>} Report */
/** @typedef {Report & { frozen: ReturnType<typeof frozenFlow> }} Shown */

const STEP = 0.1; // of time, for the Runge-Kutta method
const HORIZON = 60; // the time at which a run ends
const OPENING = 1; // the time shown first
const BUDGET = 10; // milliseconds in which a worker answers; the first step is always taken
const BUDGET_IN_PAGE = 6; // where there is no worker
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

/** One network from its random start: the exact flow, what the frozen kernel is made of, and what was recorded on the way. */
class Run {
  /**
   * @param {number} id
   * @param {Setting} setting
   */
  constructor(id, setting) {
    const { width, depth, activation, seed, angles, y, curveAngles } = setting;
    this.id = id;
    this.setting = setting;
    this.net = drawNetwork({ width, depth, inputDim: 2, activation, seed });
    this.flow = new GradientFlow(this.net, onCircle(angles), y);
    this.curve = makeTangents(this.net, onCircle(curveAngles));
    evaluate(this.net, this.curve);
    this.start = {
      kernel: this.flow.kernel,
      testKernel: tangentKernel(this.net, this.curve, this.flow.stages[0]),
      outputs: this.flow.outputs.slice(),
      testOutputs: this.curve.outputs.slice(),
      y,
    };
    this.times = [0];
    this.losses = [this.flow.loss];
    this.distances = [0];
  }

  get finished() {
    return this.flow.time > HORIZON - STEP / 2;
  }

  advance() {
    this.flow.step(STEP);
    this.times.push(this.flow.time);
    this.losses.push(this.flow.loss);
    this.distances.push(relativeDistance(this.flow.kernel, this.start.kernel));
  }

  /** All that the page shows of it. */
  report() {
    const { id, setting, start, finished, times, losses, distances, flow } = this;
    return {
      id, setting, start, finished, times, losses, distances,
      time: flow.time,
      loss: losses[losses.length - 1],
      distance: distances[distances.length - 1],
      kernel: flow.kernel,
      outputs: flow.outputs.slice(),
      curve: predict(this.net, this.curve).slice(),
    };
  }
}

/** Keeps the runs under way, and takes the steps that it is asked for. */
function trainer() {
  /** @type {Map<string, Run>} */
  const runs = new Map();
  /** @param {Question} question */
  return ({ role, id, setting, until, budget }) => {
    const begun = performance.now();
    let run = runs.get(role);
    if (run?.id !== id) runs.set(role, (run = new Run(id, setting)));
    while (!run.finished && run.flow.time < until - STEP / 2) {
      run.advance();
      if (performance.now() - begun > budget) break;
    }
    return run.report();
  };
}

serve(trainer());

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

  const train = trainer();
  const background = new Background(frame.model.get("_esm"), train);
  frame.cleanups.push(() => background.close());

  let id = 0; // of the run to be shown
  let run = shown(train({ role: "shown", id, setting: setting(state.width), until: OPENING, budget: 40 }));
  /** @type {Map<number, Report>} width -> a finished run of the same depth, activation and seed */
  let others = new Map();
  let playing = false;
  let visible = true;
  /** @type {number | null} */
  let target = run.time < OPENING - STEP / 2 ? OPENING : null; // a time to reach without the reader waiting
  let due = 0; // the time to which playing has come
  let last = 0;
  let pace = 0; // time units a second that the last second has brought
  /** @type {number | null} */
  let request = null;
  let told = 0; // the time of the run at the last frame
  let fresh = false; // whether there is something new to draw
  let described = 0;

  /** @type {(width: number) => Setting} */
  function setting(width) {
    return { width, depth: state.depth, activation: state.activation, seed: state.seed, angles, y, curveAngles };
  }

  /** @type {(report: Report) => Shown} */
  function shown(report) {
    return { ...report, frozen: frozenFlow(report.start) };
  }

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
      if (width === run.setting.width) continue;
      distance.line(`other ${width}`, other.times, other.distances, { colour: COLOURS.guide, width: 1 });
      distance.label(`other name ${width}`, HORIZON, other.distance, `*m* = ${width}`, { anchor: "end", dx: -4, dy: -8 });
    }
  }

  function draw() {
    fresh = false;
    const frozen = run.frozen.at(run.time);
    fit.line("frozen", curveAngles, frozen.testOutputs, { colour: COLOURS[2], width: 2.6, opacity: 0.75 });
    fit.line("exact", curveAngles, run.curve);
    if (run.loss < loss.axes.y.min) loss.setAxes({ y: { min: run.loss / 3 } });
    loss.line("exact", run.times, run.losses);
    loss.dots("now", [run.time], [run.loss]);
    if (run.distance > distance.axes.y.max) distance.setAxes({ y: { max: 10 } });
    distance.line("exact", run.times, run.distances, { width: 2 });
    distance.dots("now", [run.time], [run.distance]);
    if (run.finished) drawOthers();
    const before = run.start.kernel;
    const size = Math.max(...before.map(Math.abs));
    kernelMap.update(run.kernel, size);
    changeMap.update(run.kernel.map((k, i) => k - before[i]), size / 4);
    describe(frozen);
  }

  /** @param {{ loss: number, outputs: Float64Array }} frozen */
  function describe(frozen) {
    const now = performance.now();
    if (playing && now - described < 250) return;
    described = now;
    const { width, depth, activation } = run.setting;
    const moved = `${readable(100 * run.distance, 2)} %`;
    const late = playing && pace < SLOW * state.speed ? ` <span class="ntk-quiet">This machine reaches ${readable(pace, 2)} time units/s.</span>` : "";
    frame.summarise(
      `At <i>t</i> = ${fixed(run.time, 1)} the kernel of this network of width ${width} has moved by ${moved} of its size. ` +
        `Loss ${readable(run.loss, 2)}; with the kernel frozen ${readable(frozen.loss, 2)}.${late}`,
      { aloud: !playing },
    );
    const where = `width ${width}, ${depth} hidden layer${depth > 1 ? "s" : ""}, ${activation}, time ${fixed(run.time, 1)}`;
    const ends = run.finished ? [...others].map(([m, other]) => `Width ${m} ends at ${readable(100 * other.distance, 2)} %.`) : [];
    const gap = Math.max(...run.outputs.map((f, b) => Math.abs(f - frozen.outputs[b])));
    fit.describe(`The function the network computes and the prediction of the frozen kernel; they differ by at most ${readable(gap, 2)} at the data points. ${where}.`);
    loss.describe(`Loss against time on a logarithmic axis: ${readable(run.loss, 2)}, predicted ${readable(frozen.loss, 2)} by the frozen kernel. ${where}.`);
    kernelMap.describe(`Neural tangent kernel, ${y.length} by ${y.length}; its largest entry is ${readable(Math.max(...run.kernel), 2)}. ${where}.`);
    frame.describe(changeMap, `Change of the kernel since the start. ${where}.`, `Its relative size is ${moved}.`);
    frame.describe(distance, `Relative distance of the kernel from its start against time. ${where}.`, `Now ${moved}. ${ends.join(" ")}`);
  }

  // Running

  /** A new run from time 0, shown as soon as it has come to time `until`. */
  function restart(until = 0) {
    const { depth, activation, seed } = run.setting;
    const kin = depth === state.depth && activation === state.activation && seed === state.seed;
    if (!kin) others = new Map();
    else if (run.finished) others.set(run.setting.width, run);
    id += 1;
    due = until;
    target = playing ? null : until;
    advance(until);
  }

  /** @type {(role: string, width: number, until: number, take: (report: Report) => void) => void} */
  function ask(role, width, until, take) {
    const budget = background.worker ? BUDGET : BUDGET_IN_PAGE;
    background.ask({ role, id, setting: setting(width), until, budget }, take);
  }

  /** @param {number} until */
  function advance(until) {
    ask("shown", state.width, until, receive);
    schedule();
  }

  /** @param {Report} report */
  function receive(report) {
    const another = report.id !== run.id;
    run = another ? shown(report) : { ...report, frozen: run.frozen };
    if (another) begin();
    if (target !== null) {
      if (run.finished || run.time >= target - STEP / 2) target = null;
      else advance(target);
    }
    fresh = target === null || !reducedMotion();
    schedule();
  }

  function begin() {
    told = run.time;
    setUpAxes();
    drawOthers();
  }

  /** While nothing else is wanted: runs of other widths to compare with. */
  function compare() {
    if (!background.idle) return;
    const missing = COMPARED[state.depth].find((m) => m !== state.width && !others.has(m));
    if (missing === undefined) return;
    ask(`width ${missing}`, missing, HORIZON, (report) => {
      if (report.finished && report.id === id) others.set(missing, report);
      if (report.finished) drawOthers();
      compare();
    });
  }

  /** @param {number} now */
  function tick(now) {
    request = null;
    if (playing && run.id === id) {
      const seconds = (now - last) / 1000;
      due = Math.min(due + clamp(seconds, 0, 0.05) * state.speed, run.time + 0.1 * state.speed + STEP, HORIZON);
      pace = seconds > 0.25 ? state.speed : pace + (run.time - told) - pace * seconds; // after a halt it begins anew
      told = run.time;
      if (run.finished) pause();
      else if (due > run.time + STEP / 2) advance(due);
    }
    last = now;
    if (fresh) draw();
    schedule();
  }

  function schedule() {
    frame.root.setAttribute("aria-busy", String(target !== null || run.id !== id));
    if ((fresh || (playing && visible)) && request === null) request = requestAnimationFrame(tick);
    compare();
  }

  function play() {
    playing = true;
    playButton.textContent = "Pause";
    pace = state.speed;
    target = null;
    due = run.time;
    if (run.finished) restart();
    schedule();
  }

  function pause() {
    playing = false;
    playButton.textContent = "Play";
  }

  frame.changed = (key) => {
    pace = state.speed;
    if (key !== "speed") restart(target ?? run.time);
  };

  begin();
  draw();
  if (target !== null) advance(target);
  schedule();

  const observer = new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    schedule();
  }, { threshold: 0.3 });
  observer.observe(frame.panels);
  frame.cleanups.push(() => {
    observer.disconnect();
    if (request !== null) cancelAnimationFrame(request);
    playing = false;
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
