// What a network of one hidden layer of tanh learns, and what its kernels predict of it.
//
// What is learned is g = f_t - f_0; the labels are f_0 + z with the targets z.

import { addScaled, dot, product } from "./linear.js";
import { drawNetwork } from "./random.js";
import { GradientFlow, makeTangents, predict } from "./simulation.js";

/** @import { Vector } from "./linear.js" */
/** @import { Network } from "./random.js" */

/** @typedef {Record<number, Vector>} KernelTable Kernels by their order */

const NUDGE = 0.01; // how far the parameters are moved along grad f_d to difference K^(3)
const BLOWN_UP = 1e4;
/** @type {(record: number) => number} */
const stepsBefore = (record) => (record <= 8 ? 5 : 3); // of the Runge-Kutta method, the residuals move fastest at first

/**
 * The network of a seed; the first layer has entries of standard deviation `wStd`.
 *
 * @param {{ width: number, seed: number, wStd: number }} setting
 */
export function drawPredictor({ width, seed, wStd }) {
  const net = drawNetwork({ width, depth: 1, inputDim: 2, activation: "tanh", seed });
  net.weights[0] = net.weights[0].map((w) => wStd * w);
  return net;
}

/**
 * theta + size * grad f(point), as a new network.
 *
 * @param {Network} net
 * @param {Vector} point
 * @param {number} size
 * @returns {Network}
 */
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

/**
 * sigma, sigma' and sigma'' at every point: flat, a stretch of m for each point.
 *
 * @param {Network} net
 * @param {Vector} points
 */
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

/**
 * K^(2)(x, b), flat: (1/m) sum_i s_x s_b + a^2 s'_x s'_b <x, b>.
 *
 * @param {Network} net
 * @param {Vector} left
 * @param {Vector} right
 */
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

/**
 * K^(3)(x, b, c) = <grad K^(2)(x, b), grad f_c>, flat.
 *
 * @param {Network} net
 * @param {Vector} left
 * @param {Vector} right
 */
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

/**
 * Kernels of orders 2 to 4 at the start, flat; the first slot runs over the grid, all others over the training points.
 *
 * @param {Network} net
 * @param {Float64Array} grid
 * @param {Float64Array} train
 * @returns {KernelTable}
 */
export function kernelTable(net, grid, train) {
  const d = net.inputDim;
  const n = train.length / d;
  const fourth = new Float64Array((grid.length / d) * n ** 3);
  for (let e = 0; e < n; e++) {
    const point = train.slice(e * d, (e + 1) * d);
    const [up, down] = [1, -1].map((sign) => thirdKernel(nudged(net, point, sign * NUDGE), grid, train));
    for (let k = 0; k < up.length; k++) fourth[k * n + e] = (up[k] - down[k]) / (2 * NUDGE);
  }
  return { 2: secondKernel(net, grid, train), 3: thirdKernel(net, grid, train), 4: fourth };
}

/**
 * (2.7) and (2.11) at a level: what is learned at every point of the grid, at times 0, 1, ...
 * With r the residual over n, R_b, S_bc, T_bce the integrals of r_b, R_c dR_b, S_ce dR_b, it is -K^(2) R + K^(3) S - K^(4) T.
 * `rows` are the places of the training points in the grid.
 *
 * @param {KernelTable} table
 * @param {number[]} rows
 * @param {number[]} targets
 * @param {number} level
 * @param {number} horizon
 */
export function hierarchyFlow(table, rows, targets, level, horizon) {
  const n = targets.length;
  const size = n + n * n + n ** 3;
  /** @type {(state: Float64Array, x: number) => number} */
  const learned = (state, x) => {
    let g = -dot(table[2], x * n, state, 0, n);
    if (level > 2) g += dot(table[3], x * n * n, state, n, n * n);
    if (level > 3) g -= dot(table[4], x * n ** 3, state, n + n * n, n ** 3);
    return g;
  };
  /** @type {(state: Float64Array, out: Float64Array) => void} */
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

/**
 * The exact flow of the network: what it learns at every point of the grid, at times 0, 1, ...
 *
 * @param {Network} start
 * @param {Float64Array} grid
 * @param {Float64Array} train
 * @param {number[]} targets
 * @param {number} horizon
 */
export function exactFlow(start, grid, train, targets, horizon) {
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
