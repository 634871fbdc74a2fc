// The random weights.

/**
 * Weights and readout, flat by rows, with what they are the weights of.
 *
 * @typedef {{
 *   width: number, depth: number, inputDim: number, activation: string, weights: Float64Array[], readout: Float64Array
 * }} Network
 */

/**
 * A function that returns the next of a sequence of independent N(0, 1) numbers; it depends on the seed alone.
 *
 * @param {number} seed
 */
export function gaussianSource(seed) {
  let counter = seed >>> 0;
  const splitmix = () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const s = Uint32Array.from({ length: 4 }, splitmix);
  /** @type {(v: number, k: number) => number} */
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
  /** @type {number | null} */
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

/**
 * A network with all entries N(0, 1), drawn in the order W^(1), ..., W^(H), a.
 *
 * @param {{ width: number, depth: number, inputDim: number, activation: string, seed: number }} setting
 * @returns {Network}
 */
export function drawNetwork({ width, depth, inputDim, activation, seed }) {
  const gaussian = gaussianSource(seed);
  /** @type {(length: number) => Float64Array} */
  const draw = (length) => Float64Array.from({ length }, gaussian);
  const weights = Array.from({ length: depth }, (_, l) => draw(width * (l === 0 ? inputDim : width)));
  return { width, depth, inputDim, activation, weights, readout: draw(width) };
}

/**
 * The seed that a text of the address names.
 *
 * @param {string} text
 */
export const seedIn = (text) => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);
