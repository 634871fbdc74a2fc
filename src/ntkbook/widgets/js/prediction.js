// What a network of one hidden layer of tanh learns, and what its kernels predict of it; points lie in the plane.
//
// What is learned is g = f_t - f_0; the labels are f_0 + z with the targets z. A flow keeps its states at times 0, 1, ...
// and says what is learned at a point of the grid when it is asked: a picture needs few of these numbers.

import { dot, product } from "./linear.js";
import { drawNetwork } from "./random.js";

/** @import { Vector } from "./linear.js" */
/** @import { Network } from "./random.js" */

/** @typedef {Record<number, Vector>} KernelTable Kernels by their order */
/** @typedef {(time: number, point: number) => number} Learned At a time of the record and a point of the grid */

const BLOWN_UP = 1e4;

/**
 * Steps of the Runge-Kutta method from record - 1 to record: the residuals move fastest at first.
 *
 * @type {(record: number) => number}
 */
const stepsBefore = (record) => (record <= 4 ? 5 : record <= 8 ? 4 : 2);

const NODES_PER_UNIT = 64;
const NODES = Float64Array.from({ length: 20 * NODES_PER_UNIT + 1 }, (_, k) => Math.tanh(k / NODES_PER_UNIT));

/**
 * tanh to rounding, several times as fast as Math.tanh: from the nearest node by the addition theorem.
 *
 * @param {number} z
 */
export function tanh(z) {
  const x = Math.abs(z);
  if (!(x < 20)) return Math.sign(z);
  const k = Math.round(x * NODES_PER_UNIT);
  const d = x - k / NODES_PER_UNIT;
  const small = d * (1 - d * d * (1 / 3 - (d * d * 2) / 15));
  const value = (NODES[k] + small) / (1 + NODES[k] * small);
  return z < 0 ? -value : value;
}

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

// ---------------------------------------------------------------------------------------------------------------------
// The kernels, by the rules (3.1)
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A term of K^(k): m^(-k/2) times a sum over neurons of sigma^(j)(w x) for each slot x, where j counts the inner products
 * <x, .> that the slot has entered, and of a for each slot in `readouts`; times these inner products.
 *
 * @typedef {{ derivatives: number[], readouts: number[], inner: [number, number][] }} Term
 */

/**
 * The derivative along grad f of a new slot: a becomes sigma; sigma^(k) becomes sigma^(k+1) <x, new> times a sigma' of the new.
 *
 * @param {Term} term
 * @returns {Term[]}
 */
function differentiated({ derivatives, readouts, inner }) {
  const slot = derivatives.length;
  return [
    ...readouts.map((gone) => ({ derivatives: [...derivatives, 0], readouts: readouts.filter((other) => other !== gone), inner })),
    ...derivatives.map((_, x) => ({
      derivatives: [...derivatives.map((k, other) => k + Number(other === x)), 1],
      readouts: [...readouts, slot],
      inner: [...inner, /** @type {[number, number]} */ ([x, slot])],
    })),
  ];
}

/**
 * sigma, sigma', sigma'' and sigma''' at every point: four arrays, in each a stretch of m for each point.
 *
 * @param {Network} net
 * @param {Vector} points
 */
function derivativesAt(net, points) {
  const { width: m, inputDim: d } = net;
  const value = new Float64Array((points.length / d) * m);
  product(net.weights[0], m, d, points, points.length / d, value);
  const [first, second, third] = [0, 1, 2].map(() => new Float64Array(value.length));
  for (let i = 0; i < value.length; i++) {
    const s = tanh(value[i]);
    const t = 1 - s * s;
    value[i] = s;
    first[i] = t;
    second[i] = -2 * s * t;
    third[i] = t * (4 * s * s - 2 * t);
  }
  return [value, first, second, third];
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
  const { width: m, inputDim: d, readout } = net;
  const [n, count] = [train.length / d, grid.length / d];
  const [atGrid, atTrain] = [derivativesAt(net, grid), derivativesAt(net, train)];
  const powers = [new Float64Array(m).fill(1)]; // of a
  for (let q = 1; q <= 4; q++) powers.push(powers[q - 1].map((power, i) => power * readout[i]));
  const innerProducts = new Float64Array(n * n);
  product(train, n, d, train, n, innerProducts);
  const withGrid = Array.from({ length: n }, () => new Float64Array(count));
  withGrid.forEach((row, c) => product(grid, count, d, train.subarray(c * d, (c + 1) * d), 1, row));

  const factor = new Float64Array(m);
  /**
   * The sum over neurons of a^power sigma^(first)(x) times the sigma^(k) of `places`, k n + point, at every x of the grid.
   *
   * @type {(first: number, power: number, places: Int32Array) => Float64Array}
   */
  function sumOver(first, power, places) {
    factor.set(powers[power]);
    for (const place of places) {
      const [at, start] = [atTrain[Math.floor(place / n)], (place % n) * m];
      for (let i = 0; i < m; i++) factor[i] *= at[start + i];
    }
    const sum = new Float64Array(count);
    product(factor, 1, m, atGrid[first], count, sum);
    return sum;
  }

  /** @type {KernelTable} */
  const table = {};
  /** @type {Term[]} */
  let terms = [{ derivatives: [0], readouts: [0], inner: [] }]; // f itself
  for (let order = 2; order <= 4; order++) {
    terms = terms.flatMap(differentiated);
    /** @type {Float64Array[]} the order of the places is all one: a sum stands in many entries */
    const sums = [];
    const tuples = n ** (order - 1);
    const kernel = new Float64Array(count * tuples);
    const points = new Int32Array(order); // of the slots; the first is that of the grid
    const places = new Int32Array(order - 1);
    const values = new Float64Array(count);
    for (let tuple = 0; tuple < tuples; tuple++) {
      for (let slot = order - 1, rest = tuple; slot > 0; slot--, rest = Math.floor(rest / n)) points[slot] = rest % n;
      for (const { derivatives, readouts, inner } of terms) {
        for (let slot = 1; slot < order; slot++) {
          const place = derivatives[slot] * n + points[slot];
          let at = slot - 1;
          for (; at > 0 && places[at - 1] > place; at--) places[at] = places[at - 1];
          places[at] = place; // in increasing order
        }
        let key = 5 * derivatives[0] + readouts.length;
        for (let slot = 1; slot < order; slot++) key = key * 4 * n + places[slot - 1];
        sums[key] ??= sumOver(derivatives[0], readouts.length, places);
        values.set(sums[key]);
        let scale = m ** (-order / 2);
        for (const [slot, other] of inner) {
          if (slot > 0) scale *= innerProducts[points[slot] * n + points[other]];
          else for (let x = 0; x < count; x++) values[x] *= withGrid[points[other]][x];
        }
        for (let x = 0; x < count; x++) kernel[x * tuples + tuple] += scale * values[x];
      }
    }
    table[order] = kernel;
  }
  return table;
}

// ---------------------------------------------------------------------------------------------------------------------
// The flows
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The states of a flow at times 0, 1, ..., horizon, by the classical Runge-Kutta method; fewer where it is given up.
 *
 * @param {Float64Array} start
 * @param {(state: Float64Array, out: Float64Array) => void} field
 * @param {number} horizon
 * @param {(state: Float64Array) => boolean} gone
 */
function integrate(start, field, horizon, gone) {
  const size = start.length;
  const state = start.slice();
  const moved = new Float64Array(size);
  const [k1, k2, k3, k4] = [0, 1, 2, 3].map(() => new Float64Array(size));
  /** @type {(slope: Float64Array, duration: number) => Float64Array} */
  const along = (slope, duration) => {
    for (let i = 0; i < size; i++) moved[i] = state[i] + duration * slope[i];
    return moved;
  };
  const states = [start];
  while (states.length <= horizon) {
    const steps = stepsBefore(states.length);
    for (let done = 0; done < steps; done++) {
      field(state, k1);
      field(along(k1, 0.5 / steps), k2);
      field(along(k2, 0.5 / steps), k3);
      field(along(k3, 1 / steps), k4);
      for (let i = 0; i < size; i++) state[i] += (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]) / (6 * steps);
    }
    if (gone(state)) break;
    states.push(state.slice());
  }
  return states;
}

/**
 * (2.7) and (2.11) at a level. With r the residual over n, R_b, S_bc, T_bce the integrals of r_b, R_c dR_b, S_ce dR_b, what
 * is learned is -K^(2) R + K^(3) S - K^(4) T. `rows` are the places of the training points in the grid.
 *
 * @param {KernelTable} table
 * @param {number[]} rows
 * @param {number[]} targets
 * @param {number} level
 * @param {number} horizon
 * @returns {Learned}
 */
export function hierarchyFlow(table, rows, targets, level, horizon) {
  const n = targets.length;
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
      if (level > 2) for (let c = 0; c < n; c++) out[n + b * n + c] = slope * state[c];
      if (level > 3) for (let ce = 0; ce < n * n; ce++) out[n + n * n + b * n * n + ce] = slope * state[n + ce];
    }
  };
  const size = [n, n + n * n, n + n * n + n ** 3][level - 2];
  const states = integrate(new Float64Array(size), field, horizon, (state) => rows.some((x) => !(Math.abs(learned(state, x)) < BLOWN_UP)));
  return (time, x) => (time < states.length ? learned(states[time], x) : NaN);
}

/**
 * The exact flow of the network. Its state holds a and the two weights of each neuron, one neuron after the other.
 *
 * @param {Network} net
 * @param {Float64Array} grid
 * @param {Float64Array} train
 * @param {number[]} targets
 * @param {number} horizon
 * @returns {Learned}
 */
export function exactFlow({ width: m, weights, readout }, grid, train, targets, horizon) {
  const n = targets.length;
  const start = Float64Array.from({ length: 3 * m }, (_, k) => (k % 3 === 0 ? readout[k / 3] : weights[0][2 * Math.floor(k / 3) + (k % 3) - 1]));
  /** @type {(state: Float64Array, points: Float64Array, x: number) => number} */
  const output = (state, points, x) => {
    let sum = 0;
    for (let k = 0; k < state.length; k += 3) sum += state[k] * tanh(state[k + 1] * points[2 * x] + state[k + 2] * points[2 * x + 1]);
    return sum / Math.sqrt(m);
  };
  const labels = targets.map((z, b) => output(start, train, b) + z);
  const hidden = new Float64Array(m * n);
  const residual = new Float64Array(n);
  /** @type {(state: Float64Array, out: Float64Array) => void} */
  const field = (state, out) => {
    residual.fill(0);
    for (let k = 0, j = 0; k < state.length; k += 3) {
      for (let b = 0; b < n; b++, j++) {
        hidden[j] = tanh(state[k + 1] * train[2 * b] + state[k + 2] * train[2 * b + 1]);
        residual[b] += state[k] * hidden[j];
      }
    }
    for (let b = 0; b < n; b++) residual[b] = (residual[b] / Math.sqrt(m) - labels[b]) / (n * Math.sqrt(m));
    for (let k = 0, j = 0; k < state.length; k += 3) {
      let [s, u, v] = [0, 0, 0];
      for (let b = 0; b < n; b++, j++) {
        s -= residual[b] * hidden[j];
        const slope = residual[b] * state[k] * (1 - hidden[j] * hidden[j]);
        u -= slope * train[2 * b];
        v -= slope * train[2 * b + 1];
      }
      out[k] = s;
      out[k + 1] = u;
      out[k + 2] = v;
    }
  };
  const states = integrate(start, field, horizon, () => false);
  return (time, x) => output(states[time], grid, x) - output(start, grid, x);
}
