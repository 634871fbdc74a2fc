// Linear algebra on flat arrays.

/** @typedef {Float64Array | Float32Array | number[]} Vector */

/**
 * The inner product of two stretches of flat arrays.
 *
 * @param {Vector} u
 * @param {number} uStart
 * @param {Vector} v
 * @param {number} vStart
 * @param {number} length
 */
export function dot(u, uStart, v, vStart, length) {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += u[uStart + i] * v[vStart + i];
  return sum;
}

/**
 * out += factor * v, on stretches of flat arrays.
 *
 * @param {Float64Array} out
 * @param {number} outStart
 * @param {number} factor
 * @param {Vector} v
 * @param {number} vStart
 * @param {number} length
 */
export function addScaled(out, outStart, factor, v, vStart, length) {
  for (let i = 0; i < length; i++) out[outStart + i] += factor * v[vStart + i];
}

/**
 * out_a = W x_a for every point a.
 *
 * @param {Float64Array} W
 * @param {number} rows
 * @param {number} columns
 * @param {Vector} x
 * @param {number} count
 * @param {Float64Array} out
 */
export function product(W, rows, columns, x, count, out) {
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

/**
 * out_a = W^T b_a for every point a.
 *
 * @param {Float64Array} W
 * @param {number} rows
 * @param {number} columns
 * @param {Vector} b
 * @param {number} count
 * @param {Float64Array} out
 */
export function productTransposed(W, rows, columns, b, count, out) {
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

/**
 * W += sum_c factors[c] b_c x_c^T.
 *
 * @param {Float64Array} W
 * @param {number} rows
 * @param {number} columns
 * @param {Vector} factors
 * @param {Vector} b
 * @param {Vector} x
 */
export function addOuterProducts(W, rows, columns, factors, b, x) {
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

/**
 * Eigenvalues and eigenvectors (rows of `vectors`) of a small symmetric matrix, by Jacobi's rotations.
 *
 * @param {Vector} matrix
 * @param {number} n
 */
export function symmetricEigen(matrix, n) {
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
