// The type of activations.js, which ntkbook.activations makes from its registry. Each activation turns h, in place, into
// sigma(h) * scale, and writes sigma'(h) * scale into slope.
export const ACTIVATIONS: Record<string, (h: Float64Array, slope: Float64Array, scale: number) => void>;
