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

// ---------------------------------------------------------------------------------------------------------------------
// Random numbers: xoshiro128** (Blackman and Vigna) started by splitmix32, and the Box-Muller transform
// ---------------------------------------------------------------------------------------------------------------------

/** A function that returns the next of a sequence of independent N(0, 1) numbers; the sequence depends on the seed alone. */
function gaussianSource(seed) {
  let counter = seed >>> 0;
  const splitmix = () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const s = Uint32Array.from({ length: 4 }, splitmix);
  const rotate = (v, k) => (v << k) | (v >>> (32 - k));
  const uniform = () => {
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return (result + 0.5) / 4294967296; // never 0, never 1
  };
  let spare = null;
  return () => {
    if (spare !== null) {
      const kept = spare;
      spare = null;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/** A network with all entries N(0, 1), drawn in the order W^(1), ..., W^(H), a. */
function drawNetwork({ width, depth, inputDim, activation, seed }) {
  const gaussian = gaussianSource(seed);
  const draw = (length) => Float64Array.from({ length }, gaussian);
  const weights = Array.from({ length: depth }, (_, l) => draw(width * (l === 0 ? inputDim : width)));
  return { width, depth, inputDim, activation, weights, readout: draw(width) };
}

// ---------------------------------------------------------------------------------------------------------------------
// Activations: each turns h, in place, into sigma(h) * scale, and writes sigma'(h) * scale into slope
// ---------------------------------------------------------------------------------------------------------------------

// erf by a Taylor polynomial about the nearest of these nodes; the error is below 1e-14.
const ERF_STEP = 1 / 64;
const ERF_NODES = Float64Array.from({ length: 6 / ERF_STEP + 2 }, (_, k) => {
  const x = k * ERF_STEP;
  let term = x;
  let sum = x;
  for (let j = 1; term > 1e-17 * sum; j++) {
    term *= (2 * x * x) / (2 * j + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
});

function erf(z) {
  const x = Math.abs(z);
  if (x >= 6) return Math.sign(z);
  const k = Math.round(x / ERF_STEP);
  const c = k * ERF_STEP;
  const d = x - c;
  const c2 = c * c;
  const taylor =
    1 + d * (-c + d * ((2 * c2 - 1) / 3 + d * ((c * (3 - 2 * c2)) / 6 + (d * (c2 * (4 * c2 - 12) + 3)) / 30)));
  const value = ERF_NODES[k] + (2 / Math.sqrt(Math.PI)) * Math.exp(-c2) * d * taylor;
  return z < 0 ? -value : value;
}

const ACTIVATIONS = {
  tanh(h, slope, scale) {
    for (let i = 0; i < h.length; i++) {
      const value = Math.tanh(h[i]);
      h[i] = value * scale;
      slope[i] = (1 - value * value) * scale;
    }
  },
  erf(h, slope, scale) {
    const factor = (2 / Math.sqrt(Math.PI)) * scale;
    for (let i = 0; i < h.length; i++) {
      const z = h[i];
      h[i] = erf(z) * scale;
      slope[i] = Math.exp(-z * z) * factor;
    }
  },
  softplus(h, slope, scale) {
    for (let i = 0; i < h.length; i++) {
      const z = h[i];
      const e = Math.exp(-Math.abs(z));
      h[i] = (Math.max(z, 0) + Math.log1p(e)) * scale;
      slope[i] = (z > 0 ? 1 : e) * (scale / (1 + e));
    }
  },
  relu(h, slope, scale) {
    for (let i = 0; i < h.length; i++) {
      const on = h[i] > 0;
      h[i] = on ? h[i] * scale : 0;
      slope[i] = on ? scale : 0;
    }
  },
};

// ---------------------------------------------------------------------------------------------------------------------
// Linear algebra on flat arrays
// ---------------------------------------------------------------------------------------------------------------------

function dot(u, uStart, v, vStart, length) {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += u[uStart + i] * v[vStart + i];
  return sum;
}

/** out += factor * v, on stretches of flat arrays. */
function addScaled(out, outStart, factor, v, vStart, length) {
  for (let i = 0; i < length; i++) out[outStart + i] += factor * v[vStart + i];
}

/** out_a = W x_a for every point a. */
function product(W, rows, columns, x, count, out) {
  for (let i = 0; i < rows; i++) {
    const w = i * columns;
    let a = 0;
    for (; a + 3 <= count; a += 3) {
      // three points at a time: each entry of W is read once for the three
      const p = a * columns;
      const q = p + columns;
      const r = q + columns;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      for (let j = 0; j < columns; j++) {
        const entry = W[w + j];
        s0 += entry * x[p + j];
        s1 += entry * x[q + j];
        s2 += entry * x[r + j];
      }
      out[a * rows + i] = s0;
      out[(a + 1) * rows + i] = s1;
      out[(a + 2) * rows + i] = s2;
    }
    for (; a < count; a++) out[a * rows + i] = dot(W, w, x, a * columns, columns);
  }
}

/** out_a = W^T b_a for every point a. */
function productTransposed(W, rows, columns, b, count, out) {
  out.fill(0);
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    const w0 = i * columns;
    const w1 = w0 + columns;
    const w2 = w1 + columns;
    const w3 = w2 + columns;
    for (let a = 0; a < count; a++) {
      const [b0, b1, b2, b3] = [b[a * rows + i], b[a * rows + i + 1], b[a * rows + i + 2], b[a * rows + i + 3]];
      const o = a * columns;
      for (let j = 0; j < columns; j++) {
        out[o + j] += W[w0 + j] * b0 + W[w1 + j] * b1 + W[w2 + j] * b2 + W[w3 + j] * b3;
      }
    }
  }
  for (; i < rows; i++) {
    for (let a = 0; a < count; a++) addScaled(out, a * columns, b[a * rows + i], W, i * columns, columns);
  }
}

/** W += sum_c factors[c] b_c x_c^T. */
function addOuterProducts(W, rows, columns, factors, b, x) {
  for (let i = 0; i < rows; i++) {
    const w = i * columns;
    let c = 0;
    for (; c + 3 <= factors.length; c += 3) {
      const p = c * columns;
      const q = p + columns;
      const r = q + columns;
      const s0 = factors[c] * b[c * rows + i];
      const s1 = factors[c + 1] * b[(c + 1) * rows + i];
      const s2 = factors[c + 2] * b[(c + 2) * rows + i];
      for (let j = 0; j < columns; j++) W[w + j] += s0 * x[p + j] + s1 * x[q + j] + s2 * x[r + j];
    }
    for (; c < factors.length; c++) addScaled(W, w, factors[c] * b[c * rows + i], x, c * columns, columns);
  }
}

/** Eigenvalues and eigenvectors (rows of `vectors`) of a small symmetric matrix, by Jacobi's rotations. */
function symmetricEigen(matrix, n) {
  const A = Float64Array.from(matrix);
  const V = new Float64Array(n * n);
  for (let i = 0; i < n; i++) V[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += A[p * n + q] ** 2;
    if (off < 1e-30) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (A[p * n + q] === 0) continue;
        const tau = (A[q * n + q] - A[p * n + p]) / (2 * A[p * n + q]);
        const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.hypot(1, tau));
        const c = 1 / Math.hypot(1, t);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [u, v] = [A[p * n + k], A[q * n + k]];
          A[p * n + k] = c * u - s * v;
          A[q * n + k] = s * u + c * v;
        }
        for (let k = 0; k < n; k++) {
          const [u, v] = [A[k * n + p], A[k * n + q]];
          A[k * n + p] = c * u - s * v;
          A[k * n + q] = s * u + c * v;
          const [f, g] = [V[p * n + k], V[q * n + k]];
          V[p * n + k] = c * f - s * g;
          V[q * n + k] = s * f + c * g;
        }
      }
    }
  }
  return { values: Float64Array.from({ length: n }, (_, i) => A[i * n + i]), vectors: V };
}

// ---------------------------------------------------------------------------------------------------------------------
// The network at several points: values, gradients, kernels
// ---------------------------------------------------------------------------------------------------------------------

/** Room for the vectors x^(l) and b^(l) at the given points; x^(0) are the points themselves. */
function makeTangents(net, points) {
  const count = points.length / net.inputDim;
  const perLayer = () => Array.from({ length: net.depth }, () => new Float64Array(count * net.width));
  return {
    count,
    x: [Float64Array.from(points), ...perLayer()],
    b: [null, ...perLayer()],
    outputs: new Float64Array(count),
    back: new Float64Array(count * net.width),
    readout: new Float64Array(net.width),
  };
}

/** out_a += sum_c factors_c left_c <right_a, rightMoved_c>: the rank-one moves of one weight matrix, applied to vectors. */
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
 */
function evaluate(net, at, moved = null, factors = null) {
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

/** f at the points of `at`, without its gradient. */
function predict(net, at) {
  const m = net.width;
  const scale = 1 / Math.sqrt(m);
  for (let l = 1; l <= net.depth; l++) {
    product(net.weights[l - 1], m, l === 1 ? net.inputDim : m, at.x[l - 1], at.count, at.x[l]);
    ACTIVATIONS[net.activation](at.x[l], at.b[l], scale);
  }
  for (let a = 0; a < at.count; a++) at.outputs[a] = dot(net.readout, 0, at.x[net.depth], a * m, m);
  return at.outputs;
}

/** K^(2) between the points of two evaluations, (1.7): flat, rows for `left`. */
function tangentKernel(net, left, right) {
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

const meanSquare = (outputs, y) => outputs.reduce((sum, f, b) => sum + (f - y[b]) ** 2, 0) / (2 * y.length);

/**
 * The exact gradient flow of `net` on the points x (flat) with targets y, by the classical Runge-Kutta method. `net` is
 * changed in place. `outputs`, `kernel` and `loss` belong to the present `time`.
 */
class GradientFlow {
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

  step(dt) {
    const { net, stages, y } = this;
    const n = y.length;
    const factors = (stage, duration) => stage.outputs.map((f, b) => (-duration / n) * (f - y[b]));
    for (let k = 1; k < 4; k++) {
      evaluate(net, stages[k], stages[k - 1], factors(stages[k - 1], k < 3 ? dt / 2 : dt));
    }
    stages.forEach((stage, k) => this.move(stage, factors(stage, dt * (k === 0 || k === 3 ? 1 / 6 : 1 / 3))));
    evaluate(net, stages[0]);
    this.time += dt;
  }

  /** theta += sum_c factors[c] grad f_c */
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
 */
function frozenFlow({ kernel, testKernel, outputs, testOutputs, y }) {
  const n = y.length;
  const { values, vectors } = symmetricEigen(kernel, n);
  const start = Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let b = 0; b < n; b++) sum += vectors[i * n + b] * (outputs[b] - y[b]);
    return sum;
  });
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
