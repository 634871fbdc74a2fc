// Activations: each turns h, in place, into sigma(h) * scale, and writes sigma'(h) * scale into slope.

import { erf } from "./erf.js";

/** @type {Record<string, (h: Float64Array, slope: Float64Array, scale: number) => void>} */
export const ACTIVATIONS = {
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
