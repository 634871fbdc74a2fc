// Gradient flow of a small fully connected network, in float64, without a library.
//
// The network of the book: x^(l) = sigma(W^(l) x^(l-1)) / sqrt(m), f = a . x^(H), loss L = 1/(2n) sum_b r_b^2 with
// r_b = f_b - y_b, and theta' = -grad L. Arrays of vectors are flat, one vector after another: point a of x starts at
// a * length. Matrices are flat by rows.
//
// What makes it fast: the gradient of f_b in W^(l) is b_b^(l) (x_b^(l-1))^T, of rank one, where
//   b^(H) = a . sigma'(h^(H)) / sqrt(m),   b^(l) = (W^(l+1))^T b^(l+1) . sigma'(h^(l)) / sqrt(m),   h^(l) = W^(l) x^(l-1).
// A stage of Runge-Kutta sees the weights W + sum_c s_c b_c x_c^T; it applies the sum without ever writing it into W.
// The weights themselves are written once a step.

import { ACTIVATIONS } from "./activations.js";
import { addOuterProducts, addScaled, dot, product, productTransposed, symmetricEigen } from "./linear.js";

/** @import { Vector } from "./linear.js" */
/** @import { Network } from "./random.js" */

/**
 * The vectors x^(l), b^(l) and the outputs at some points, and room to compute them.
 *
 * @typedef {{
 *   count: number, x: Float64Array[], b: Float64Array[], outputs: Float64Array, back: Float64Array, readout: Float64Array
 * }} Tangents
 */

/**
 * Room for the vectors x^(l) and b^(l) at the given points; x^(0) are the points themselves.
 *
 * @param {Network} net
 * @param {Vector} points
 * @returns {Tangents}
 */
export function makeTangents(net, points) {
  const count = points.length / net.inputDim;
  const perLayer = () => Array.from({ length: net.depth }, () => new Float64Array(count * net.width));
  return {
    count,
    x: [Float64Array.from(points), ...perLayer()],
    b: [new Float64Array(0), ...perLayer()],
    outputs: new Float64Array(count),
    back: new Float64Array(count * net.width),
    readout: new Float64Array(net.width),
  };
}

/**
 * out_a += sum_c factors_c left_c <right_a, rightMoved_c>: the rank-one moves of one weight matrix, applied to vectors.
 *
 * @param {Float64Array} out
 * @param {Float64Array} left
 * @param {Float64Array} right
 * @param {Float64Array} rightMoved
 * @param {number} m
 * @param {number} length
 * @param {number} count
 * @param {Vector} factors
 */
function addMoves(out, left, right, rightMoved, m, length, count, factors) {
  for (let a = 0; a < count; a++) {
    for (let c = 0; c < factors.length; c++) {
      const factor = factors[c] * dot(right, a * length, rightMoved, c * length, length);
      addScaled(out, a * m, factor, left, c * m, m);
    }
  }
}

/**
 * Fill `at` with f and with the vectors of its gradient, for the parameters theta + sum_c factors[c] grad f_c, where the
 * gradients are those held in `moved`.
 *
 * @param {Network} net
 * @param {Tangents} at
 * @param {Tangents | null} moved
 * @param {Vector} factors
 */
export function evaluate(net, at, moved = null, factors = []) {
  const { width: m, depth } = net;
  const scale = 1 / Math.sqrt(m);
  for (let l = 1; l <= depth; l++) {
    const length = l === 1 ? net.inputDim : m;
    product(net.weights[l - 1], m, length, at.x[l - 1], at.count, at.x[l]);
    if (moved) addMoves(at.x[l], moved.b[l], at.x[l - 1], moved.x[l - 1], m, length, at.count, factors);
    ACTIVATIONS[net.activation](at.x[l], at.b[l], scale);
  }
  at.readout.set(net.readout);
  if (moved) for (let c = 0; c < factors.length; c++) addScaled(at.readout, 0, factors[c], moved.x[depth], c * m, m);
  for (let a = 0; a < at.count; a++) {
    at.outputs[a] = dot(at.readout, 0, at.x[depth], a * m, m);
    for (let i = 0; i < m; i++) at.b[depth][a * m + i] *= at.readout[i];
  }
  for (let l = depth - 1; l >= 1; l--) {
    productTransposed(net.weights[l], m, m, at.b[l + 1], at.count, at.back);
    if (moved) addMoves(at.back, moved.x[l], at.b[l + 1], moved.b[l + 1], m, m, at.count, factors);
    for (let i = 0; i < at.back.length; i++) at.b[l][i] *= at.back[i];
  }
  return at;
}

/**
 * f at the points of `at`, without its gradient.
 *
 * @param {Network} net
 * @param {Tangents} at
 */
export function predict(net, at) {
  const m = net.width;
  const scale = 1 / Math.sqrt(m);
  for (let l = 1; l <= net.depth; l++) {
    product(net.weights[l - 1], m, l === 1 ? net.inputDim : m, at.x[l - 1], at.count, at.x[l]);
    ACTIVATIONS[net.activation](at.x[l], at.b[l], scale);
  }
  for (let a = 0; a < at.count; a++) at.outputs[a] = dot(net.readout, 0, at.x[net.depth], a * m, m);
  return at.outputs;
}

/**
 * K^(2) between the points of two evaluations, (1.7): flat, rows for `left`.
 *
 * @param {Network} net
 * @param {Tangents} left
 * @param {Tangents} right
 */
export function tangentKernel(net, left, right) {
  const { width: m, depth } = net;
  const kernel = new Float64Array(left.count * right.count);
  for (let a = 0; a < left.count; a++) {
    for (let c = 0; c < right.count; c++) {
      let sum = dot(left.x[depth], a * m, right.x[depth], c * m, m);
      for (let l = 1; l <= depth; l++) {
        const length = l === 1 ? net.inputDim : m;
        sum += dot(left.b[l], a * m, right.b[l], c * m, m) * dot(left.x[l - 1], a * length, right.x[l - 1], c * length, length);
      }
      kernel[a * right.count + c] = sum;
    }
  }
  return kernel;
}

// ---------------------------------------------------------------------------------------------------------------------
// The exact flow and the flow of the frozen kernel
// ---------------------------------------------------------------------------------------------------------------------

/** @type {(outputs: Float64Array, y: Vector) => number} */
const meanSquare = (outputs, y) => outputs.reduce((sum, f, b) => sum + (f - y[b]) ** 2, 0) / (2 * y.length);

/**
 * The exact gradient flow of `net` on the points x (flat) with targets y, by the classical Runge-Kutta method. `net` is
 * changed in place. `outputs`, `kernel` and `loss` belong to the present `time`.
 */
export class GradientFlow {
  /**
   * @param {Network} net
   * @param {Vector} x
   * @param {Vector} y
   */
  constructor(net, x, y) {
    this.net = net;
    this.y = Float64Array.from(y);
    this.time = 0;
    this.stages = Array.from({ length: 4 }, () => makeTangents(net, x));
    evaluate(net, this.stages[0]);
  }

  get outputs() {
    return this.stages[0].outputs;
  }

  get kernel() {
    return tangentKernel(this.net, this.stages[0], this.stages[0]);
  }

  get loss() {
    return meanSquare(this.outputs, this.y);
  }

  /** @param {number} dt */
  step(dt) {
    const { net, stages, y } = this;
    const n = y.length;
    /** @type {(stage: Tangents, duration: number) => Float64Array} */
    const factors = (stage, duration) => stage.outputs.map((f, b) => (-duration / n) * (f - y[b]));
    for (let k = 1; k < 4; k++) {
      evaluate(net, stages[k], stages[k - 1], factors(stages[k - 1], k < 3 ? dt / 2 : dt));
    }
    stages.forEach((stage, k) => this.move(stage, factors(stage, dt * (k === 0 || k === 3 ? 1 / 6 : 1 / 3))));
    evaluate(net, stages[0]);
    this.time += dt;
  }

  /**
   * theta += sum_c factors[c] grad f_c
   *
   * @param {Tangents} at
   * @param {Vector} factors
   */
  move(at, factors) {
    const { width: m, depth, inputDim, weights, readout } = this.net;
    for (let c = 0; c < at.count; c++) addScaled(readout, 0, factors[c], at.x[depth], c * m, m);
    for (let l = 1; l <= depth; l++) {
      addOuterProducts(weights[l - 1], m, l === 1 ? inputDim : m, factors, at.b[l], at.x[l - 1]);
    }
  }
}

/**
 * The flow of the kernel frozen at the start, f = y + exp(-K t/n) (f_0 - y), and what it predicts at other points.
 * `kernel` is n x n and `testKernel` k x n, both flat; `at(t)` gives { outputs, testOutputs, loss }.
 *
 * @param {{ kernel: Vector, testKernel: Vector, outputs: Vector, testOutputs: Float64Array, y: Vector }} start
 */
export function frozenFlow({ kernel, testKernel, outputs, testOutputs, y }) {
  const n = y.length;
  const { values, vectors } = symmetricEigen(kernel, n);
  const start = Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let b = 0; b < n; b++) sum += vectors[i * n + b] * (outputs[b] - y[b]);
    return sum;
  });
  /** @param {number} t */
  const at = (t) => {
    const residual = new Float64Array(n);
    const integral = new Float64Array(n); // (1/n) times the integral of the residual from 0 to t
    for (let i = 0; i < n; i++) {
      const z = (values[i] * t) / n;
      const grown = Math.abs(z) < 1e-12 ? t / n : -Math.expm1(-z) / values[i];
      for (let b = 0; b < n; b++) {
        residual[b] += Math.exp(-z) * start[i] * vectors[i * n + b];
        integral[b] += grown * start[i] * vectors[i * n + b];
      }
    }
    return {
      outputs: residual.map((r, b) => y[b] + r),
      testOutputs: testOutputs.map((f, k) => f - dot(testKernel, k * n, integral, 0, n)),
      loss: residual.reduce((sum, r) => sum + r * r, 0) / (2 * n),
    };
  };
  return { at, values };
}
