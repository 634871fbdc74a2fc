// Numbers: read from the widget's data and from the address, and written for the reader.

const MINUS = "\u2212";

/** @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * A number for the reader: three digits, a true minus sign, powers of ten where they help.
 *
 * @param {number} value
 */
export function readable(value, digits = 3) {
  if (!Number.isFinite(value)) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(digits))).replace("-", MINUS);
  const [mantissa, exponent] = value.toExponential(Math.max(0, digits - 2)).split("e");
  return `${mantissa}\u00b710${superscript(Number(exponent))}`.replace("-", MINUS);
}

/** @type {(value: number, digits: number) => string} */
export const fixed = (value, digits) => value.toFixed(digits).replace("-", MINUS);

/** @type {(integer: number) => string} */
export function superscript(integer) {
  const digits = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
  return (integer < 0 ? "\u207b" : "") + String(Math.abs(integer)).replace(/\d/g, (d) => digits[Number(d)]);
}

/** @type {(digits: number | string) => string} */
export const subscript = (digits) => String(digits).replace(/\d/g, (d) => String.fromCharCode(0x2080 + Number(d)));

/**
 * The number that a text of the address names in decimals; NaN for any other text, for an empty one too.
 *
 * @param {string} text
 */
export const decimal = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN);

/**
 * The float32 array behind a `Bytes` trait or a message's buffer.
 *
 * @param {DataView | undefined} view
 */
export function floats(view) {
  if (!view || view.byteLength === 0) return new Float32Array(0);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}
