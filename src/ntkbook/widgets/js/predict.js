// Predicting new points: a network trained in the page, beside the limiting kernel, the frozen kernel and levels 3 and 4.
//
// What is shown is g = f_t - f_0; the labels are f_0 + z with the targets z. One hidden layer of tanh.

const PREDICT_WIDTHS = [32, 64, 128, 256];
// The residuals move fastest at the start.
const stepsBefore = (record) => (record <= 8 ? 5 : 3); // of the Runge-Kutta method, from one unit of time to the next
const NUDGE = 0.01; // how far the parameters are moved along grad f_d to difference K^(3)
const BLOWN_UP = 1e4;
const LARGEST_TARGET = 8;
const PREDICTORS = [
  { key: "limit", name: "limiting kernel", colour: COLOURS.limit, dash: "2 3" },
  { key: "2", name: "frozen kernel", colour: COLOURS[2], dash: "7 3" },
  { key: "3", name: "level 3", colour: COLOURS[3], dash: "none" },
  { key: "4", name: "level 4", colour: COLOURS[4], dash: "none" },
];

const circle = (angles) => Float64Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));

/** The network of a seed; the first layer has entries of standard deviation `wStd`. */
function drawPredictor({ width, seed, wStd }) {
  const net = drawNetwork({ width, depth: 1, inputDim: 2, activation: "tanh", seed });
  net.weights[0] = net.weights[0].map((w) => wStd * w);
  return net;
}

/** theta + size * grad f(point), as a new network. */
function nudged(net, point, size) {
  const { width: m, inputDim: d } = net;
  const [W, a] = [Float64Array.from(net.weights[0]), Float64Array.from(net.readout)];
  for (let i = 0; i < m; i++) {
    const s = Math.tanh(dot(net.weights[0], i * d, point, 0, d));
    const factor = size / Math.sqrt(m);
    a[i] += factor * s;
    addScaled(W, i * d, factor * net.readout[i] * (1 - s * s), point, 0, d);
  }
  return { ...net, weights: [W], readout: a };
}

/** sigma, sigma' and sigma'' at every point: flat, a stretch of m for each point. */
function slopesAt(net, points) {
  const { width: m, inputDim: d } = net;
  const count = points.length / d;
  const value = new Float64Array(count * m);
  product(net.weights[0], m, d, points, count, value);
  const [first, second] = [new Float64Array(count * m), new Float64Array(count * m)];
  for (let i = 0; i < value.length; i++) {
    const s = Math.tanh(value[i]);
    value[i] = s;
    first[i] = 1 - s * s;
    second[i] = -2 * s * first[i];
  }
  return { count, value, first, second };
}

/** K^(2)(x, b), flat: (1/m) sum_i s_x s_b + a^2 s'_x s'_b <x, b>. */
function secondKernel(net, left, right) {
  const { width: m, inputDim: d, readout: a } = net;
  const [X, B] = [slopesAt(net, left), slopesAt(net, right)];
  const K = new Float64Array(X.count * B.count);
  for (let x = 0; x < X.count; x++) {
    for (let b = 0; b < B.count; b++) {
      const inner = dot(left, x * d, right, b * d, d);
      let sum = 0;
      for (let i = 0; i < m; i++) {
        const [p, q] = [x * m + i, b * m + i];
        sum += X.value[p] * B.value[q] + a[i] * a[i] * inner * X.first[p] * B.first[q];
      }
      K[x * B.count + b] = sum / m;
    }
  }
  return K;
}

/** K^(3)(x, b, c) = <grad K^(2)(x, b), grad f_c>, flat. */
function thirdKernel(net, left, right) {
  const { width: m, inputDim: d, readout: a } = net;
  const [X, B] = [slopesAt(net, left), slopesAt(net, right)];
  const n = B.count;
  const K = new Float64Array(X.count * n * n);
  const [byX, byB, byReadout] = [new Float64Array(m), new Float64Array(m), new Float64Array(m)];
  for (let x = 0; x < X.count; x++) {
    for (let b = 0; b < n; b++) {
      const xb = dot(left, x * d, right, b * d, d);
      for (let i = 0; i < m; i++) {
        const [p, q, A] = [x * m + i, b * m + i, a[i]];
        const A3 = xb * A * A * A;
        byX[i] = A * X.first[p] * B.value[q] + A3 * X.second[p] * B.first[q];
        byB[i] = A * X.value[p] * B.first[q] + A3 * X.first[p] * B.second[q];
        byReadout[i] = 2 * xb * A * X.first[p] * B.first[q];
      }
      for (let c = 0; c < n; c++) {
        const [xc, bc] = [dot(left, x * d, right, c * d, d), dot(right, b * d, right, c * d, d)];
        const moved = xc * dot(byX, 0, B.first, c * m, m) + bc * dot(byB, 0, B.first, c * m, m);
        K[(x * n + b) * n + c] = (moved + dot(byReadout, 0, B.value, c * m, m)) / m ** 1.5;
      }
    }
  }
  return K;
}

/** Outputs and kernels of orders 2 to 4 at the start; the first slot runs over the grid, all others over the training points. */
function kernelTable(net, grid, train) {
  const d = net.inputDim;
  const n = train.length / d;
  const fourth = new Float64Array((grid.length / d) * n ** 3);
  for (let e = 0; e < n; e++) {
    const point = train.slice(e * d, (e + 1) * d);
    const [up, down] = [1, -1].map((sign) => thirdKernel(nudged(net, point, sign * NUDGE), grid, train));
    for (let k = 0; k < up.length; k++) fourth[k * n + e] = (up[k] - down[k]) / (2 * NUDGE);
  }
  return { n, 2: secondKernel(net, grid, train), 3: thirdKernel(net, grid, train), 4: fourth };
}

/**
 * (2.7) and (2.11) at a level: what is learned at every point of the grid, at times 0, 1, ...
 * With r the residual over n, R_b, S_bc, T_bce the integrals of r_b, R_c dR_b, S_ce dR_b, it is -K^(2) R + K^(3) S - K^(4) T.
 * `rows` are the places of the training points in the grid.
 */
function hierarchyFlow(table, rows, targets, level, horizon) {
  const n = targets.length;
  const size = n + n * n + n ** 3;
  const learned = (state, x) => {
    let g = -dot(table[2], x * n, state, 0, n);
    if (level > 2) g += dot(table[3], x * n * n, state, n, n * n);
    if (level > 3) g -= dot(table[4], x * n ** 3, state, n + n * n, n ** 3);
    return g;
  };
  const field = (state, out) => {
    for (let b = 0; b < n; b++) {
      const slope = (learned(state, rows[b]) - targets[b]) / n;
      out[b] = slope;
      for (let c = 0; c < n; c++) out[n + b * n + c] = slope * state[c];
      for (let ce = 0; ce < n * n; ce++) out[n + n * n + b * n * n + ce] = slope * state[n + ce];
    }
  };
  const state = new Float64Array(size);
  const slopes = Array.from({ length: 4 }, () => new Float64Array(size));
  const moved = new Float64Array(size);
  const k = table[2].length / n;
  const records = [new Float64Array(k)];
  for (let record = 1; record <= horizon; record++) {
    const step = 1 / stepsBefore(record);
    for (let done = 0; done < stepsBefore(record); done++) {
      field(state, slopes[0]);
      [0.5, 0.5, 1].forEach((part, j) => {
        for (let i = 0; i < size; i++) moved[i] = state[i] + part * step * slopes[j][i];
        field(moved, slopes[j + 1]);
      });
      for (let i = 0; i < size; i++) {
        state[i] += (step / 6) * (slopes[0][i] + 2 * slopes[1][i] + 2 * slopes[2][i] + slopes[3][i]);
      }
    }
    const now = Float64Array.from({ length: k }, (_, x) => learned(state, x));
    if (now.some((g) => !(Math.abs(g) < BLOWN_UP))) break;
    records.push(now);
  }
  while (records.length <= horizon) records.push(new Float64Array(k).fill(NaN));
  return records;
}

/** The exact flow of the network: what it learns at every point of the grid, at times 0, 1, ... */
function exactFlow(start, grid, train, targets, horizon) {
  const net = { ...start, weights: [Float64Array.from(start.weights[0])], readout: Float64Array.from(start.readout) };
  const points = makeTangents(net, grid);
  const outputs = Float64Array.from(predict(net, points));
  const y = predict(net, makeTangents(net, train)).map((f, b) => f + targets[b]);
  const flow = new GradientFlow(net, train, y);
  const records = [new Float64Array(outputs.length)];
  for (let record = 1; record <= horizon; record++) {
    for (let done = 0; done < stepsBefore(record); done++) flow.step(1 / stepsBefore(record));
    records.push(predict(net, points).map((f, k) => f - outputs[k]));
  }
  return records;
}

function buildPredict(frame) {
  const { model, state } = frame;
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
  frame.range("width", { label: "Width <i>m</i>", initial: initial.width, choices: () => PREDICT_WIDTHS });
  frame.range("time", { label: "Time <i>t</i>", initial: initial.time, choices: () => times.slice(1) });
  frame.control("targets", {
    initial: initial.targets,
    write: () => {},
    read: (text) => text.split(",").map(Number),
    accepts: (z) => z.length === angles.length && z.every((v) => heights.includes(v)),
  });
  frame.control("seed", { initial: initial.seed, write: () => {}, read: Number, accepts: Number.isInteger });

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

  let start = null; // { width, seed, net, table }
  let runs = null; // with all targets and with half of them: predictor -> records; "exact" too

  function compute() {
    const { width, seed, targets } = state;
    if (!start || start.width !== width || start.seed !== seed) {
      const net = drawPredictor({ width, seed, wStd });
      start = { width, seed, net, table: kernelTable(net, points, train) };
    }
    runs = [1, 0.5].map((scale) => {
      const z = targets.map((v) => scale * v);
      const run = { exact: exactFlow(start.net, points, train, z, horizon), limit: hierarchyFlow(limit, rows, z, 2, horizon) };
      for (const level of [2, 3, 4]) run[level] = hierarchyFlow(start.table, rows, z, level, horizon);
      return run;
    });
  }

  const minus = (u, v, factor = 1) => Array.from(u, (value, k) => value - factor * v[k]);
  const finite = (values) => values.filter(Number.isFinite);
  /** An axis that holds the values, and zero; curves that blow up leave it. */
  const around = (values, floor) => {
    const [low, high] = [Math.min(-floor, ...finite(values)), Math.max(floor, ...finite(values))];
    return { min: low - 0.06 * (high - low), max: high + 0.06 * (high - low) };
  };

  function draw(aloud) {
    const { time, targets } = state;
    const at = degrees.indexOf(state.angle);
    const now = (key, half = 0) => runs[half][key][time];
    const exact = now("exact");
    const bend = (key) => minus(now(key), now(key, 1), 2);
    const errors = Object.fromEntries(PREDICTORS.map(({ key }) => [key, minus(now(key), exact)]));
    const inTime = Object.fromEntries(PREDICTORS.map(({ key }) => [key, times.map((t) => runs[0][key][t][at] - runs[0].exact[t][at])]));
    const size = Math.max(0.1, ...exact.map(Math.abs), ...targets.map(Math.abs));
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

  function describe({ at, exact, errors, bend, inTime, aloud }) {
    const { angle, time, width } = state;
    const list = (of, keys = PREDICTORS) => keys.map((p) => `${p.name} ${readable(of(p.key), 2)}`).join(", ");
    const half = runs[1].exact[time][at];
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
    if (key === "value") frame.set("targets", state.targets.map((z, b) => (b === state.label - 1 ? state.value : z)));
    frame.set("value", state.targets[state.label - 1]);
    if (!["angle", "label", "time"].includes(key)) compute();
    draw(true);
  };

  // Dragging: a target up and down, or the test point to and fro.

  function dataAt(event) {
    const box = learnedChart.svg.getBoundingClientRect();
    const [u, v] = [event.clientX - box.left, event.clientY - box.top].map((length) => (length * learnedChart.width) / box.width);
    const { left, right, top, bottom } = learnedChart.box;
    const { x, y } = learnedChart.axes;
    return {
      x: x.min + ((u - left) / (right - left)) * (x.max - x.min), y: y.min + ((bottom - v) / (bottom - top)) * (y.max - y.min), u, v,
    };
  }

  let grip = null; // "x", or the number of a training point
  let wanted = null;
  const nearest = (list, value) => list.reduce((best, other) => (Math.abs(other - value) < Math.abs(best - value) ? other : best));

  function drag() {
    const { x, y } = wanted;
    wanted = null;
    if (grip === "x") frame.moved("angle", nearest(degrees, x));
    else if (nearest(heights, y) !== state.value) frame.moved("value", nearest(heights, y));
  }

  const pointer = {
    pointerdown: (event) => {
      event.preventDefault(); // else text is selected, and the browser drags the selection the next time
      const { u, v, x } = dataAt(event);
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
      if (wanted === null) requestAnimationFrame(() => wanted && grip !== null && drag());
      wanted = dataAt(event);
    },
    pointerup: () => (grip = null),
    pointercancel: () => (grip = null),
  };
  for (const [event, handler] of Object.entries(pointer)) frame.listen(learnedChart.svg, event, handler);
  learnedChart.svg.style.touchAction = "pan-y";
  learnedChart.svg.style.userSelect = "none";
  learnedChart.svg.style.cursor = "pointer";

  frame.restore();
  frame.set("value", state.targets[state.label - 1]);
  compute();
  draw(false);
}

export const prediction = { drawPredictor, kernelTable, hierarchyFlow, exactFlow };

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
