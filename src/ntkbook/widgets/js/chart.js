// Charts: axes, curves, marks, and matrices as coloured squares.

import { COLOURS, drawn, element, textWith } from "./elements.js";
import { clamp, fixed, readable, superscript } from "./numbers.js";

/** @typedef {{ value: number, text?: string, power?: number }} Tick Of a given text, or a power of ten */
/** @typedef {{ min: number, max: number, log?: boolean, label?: string, ticks?: Tick[] }} Axis */
/**
 * @typedef {{
 *   colour?: string, width?: number, dash?: string, opacity?: number, marker?: string, size?: number, hollow?: boolean
 * }} Style
 */
/**
 * What a frame can hold.
 *
 * @typedef {object} Picture
 * @property {HTMLElement} node
 * @property {SVGSVGElement} svg
 * @property {(text: string) => void} describe In words
 * @property {(width: number, scale: number, maxHeight: number) => void} resize In pixels; `scale` enlarges the text
 */

/**
 * The outline of a marker of the given size about (x, y).
 *
 * @type {Record<string, (x: number, y: number, r: number) => string>}
 */
export const MARKERS = {
  o: (x, y, r) => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`,
  s: (x, y, r) => `M${x - 0.9 * r},${y - 0.9 * r}h${1.8 * r}v${1.8 * r}h${-1.8 * r}Z`,
  "^": (x, y, r) => `M${x},${y - 1.2 * r}l${1.1 * r},${2 * r}h${-2.2 * r}Z`,
  D: (x, y, r) => `M${x},${y - 1.25 * r}l${1.1 * r},${1.25 * r}l${-1.1 * r},${1.25 * r}l${-1.1 * r},${-1.25 * r}Z`,
};

/**
 * The power of ten that the ticks of a linear axis leave to its end, so that small numbers stay short.
 *
 * @param {Axis} axis
 */
function sharedPower({ min, max, log, ticks }) {
  const power = Math.floor(Math.log10(Math.max(Math.abs(min), Math.abs(max))));
  return log || ticks || (power > -3 && power < 4) ? 0 : power;
}

/** @type {(low: number, high: number, count: number, power: number) => Tick[]} */
function linearTicks(low, high, count, power) {
  const rough = (high - low) / Math.max(1, count);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((s) => s * unit >= rough * 0.999) ?? 10) * unit;
  const decimals = Math.max(0, power - Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    ticks.push({ value: k * step, text: k === 0 ? "0" : fixed((k * step) / 10 ** power, decimals) });
  }
  if (ticks.length < 2 && count < 6) return linearTicks(low, high, count + 1, power); // one alone tells no scale
  return ticks;
}

/** @type {(low: number, high: number, count: number) => Tick[]} */
function decadeTicks(low, high, count) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const stride = Math.max(1, Math.ceil((last - first + 1) / count));
  const ticks = [];
  for (let k = last; k >= first; k -= stride) ticks.push({ value: 10 ** k, power: k });
  return ticks.length > 1 ? ticks : denseLogTicks(low, high);
}

/** @type {(low: number, high: number) => Tick[]} */
function denseLogTicks(low, high) {
  const ticks = [];
  for (let k = Math.floor(Math.log10(low)); k <= Math.log10(high); k++) {
    for (const s of [1, 2, 5]) {
      const value = s * 10 ** k;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push({ value, text: readable(value) });
    }
  }
  return ticks;
}

/**
 * An axis that holds the finite values, with some room on both sides.
 *
 * @type {(values: number[], room?: number) => { min: number, max: number }}
 */
export function padded(values, room = 0.06) {
  const seen = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...seen), Math.max(...seen)];
  const margin = room * (high - low || 1);
  return { min: low - margin, max: high + margin };
}

/**
 * A logarithmic axis of whole decades that holds the positive finite values, with `room` decades on both sides at least.
 *
 * @type {(values: number[], room?: number) => { min: number, max: number, log: true }}
 */
export function decades(values, room = 0.05) {
  const powers = values.filter((v) => Number.isFinite(v) && v > 0).map(Math.log10);
  if (!powers.length) return { min: 0.1, max: 1, log: true };
  return { min: 10 ** Math.floor(Math.min(...powers) - room), max: 10 ** Math.ceil(Math.max(...powers) + room), log: true };
}

/**
 * A chart of keyed marks. Axes are { min, max, log, label, ticks }; marks are given in data units and drawn again when the
 * axes or the size change. Giving a mark twice moves it.
 */
export class Chart {
  /** @param {{ title: string, ratio?: number }} settings */
  constructor({ title, ratio = 0.62 }) {
    this.ratio = ratio;
    /** @type {Map<string, { node: SVGElement, draw: () => void }>} */
    this.marks = new Map();
    this.frame = drawn("g");
    this.field = drawn("svg", { overflow: "hidden" });
    this.over = drawn("g");
    this.svg = drawn("svg", { role: "img" }, this.frame, this.field, this.over);
    this.caption = element("figcaption", { class: "ntk-caption", html: title });
    this.node = element("figure", { class: "ntk-figure" }, this.caption, this.svg);
    /** @type {{ x: Axis, y: Axis }} */
    this.axes = { x: { min: 0, max: 1 }, y: { min: 0, max: 1 } };
    this.box = { left: 0, top: 0, right: 0, bottom: 0 };
    /** @type {(value: number) => number} */
    this.toX = Number;
    /** @type {(value: number) => number} */
    this.toY = Number;
    this.width = this.height = 0;
    this.resize(320, 1, Infinity);
  }

  /** @param {string} html */
  title(html) {
    this.caption.innerHTML = html;
  }

  /** @param {string} text */
  describe(text) {
    this.svg.setAttribute("aria-label", text);
  }

  /** @type {Picture["resize"]} */
  resize(width, scale, maxHeight) {
    this.width = width / scale;
    this.height = Math.min(clamp(this.width * this.ratio, 150, 420), maxHeight / scale);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.style.height = `${this.height * scale}px`;
    this.drawAxes();
  }

  /** @param {{ x?: Partial<Axis>, y?: Partial<Axis> }} axes */
  setAxes(axes) {
    const next = { x: { ...this.axes.x, ...axes.x }, y: { ...this.axes.y, ...axes.y } };
    if (JSON.stringify(next) === JSON.stringify(this.axes)) return;
    this.axes = next;
    this.drawAxes();
  }

  drawAxes() {
    const { x, y } = this.axes;
    const powers = { x: sharedPower(x), y: sharedPower(y) };
    /** @type {(axis: Axis, room: number, power: number) => Tick[]} */
    const ticksOf = (axis, room, power) =>
      axis.ticks ?? (axis.log ? decadeTicks : linearTicks)(axis.min, axis.max, Math.max(2, Math.floor(room)), power);
    const bottomEdge = this.height - (x.label || powers.x ? 38 : 22);
    const yTicks = ticksOf(y, (bottomEdge - 8) / 34, powers.y);
    const longest = Math.max(...yTicks.map((tick) => (tick.text ?? "1000").length));
    this.box = { left: Math.max(46, 13 + 7.7 * longest), top: powers.y ? 24 : y.log ? 11 : 8, right: this.width - 17, bottom: bottomEdge };
    const { left, top, right, bottom } = this.box;
    /** @type {(axis: Axis, from: number, to: number) => (value: number) => number} */
    const scaleOf = ({ min, max, log }, from, to) => {
      const f = log ? Math.log : Number;
      const [low, high] = [f(min), f(max)];
      return (v) => from + ((f(v) - low) / (high - low)) * (to - from);
    };
    this.toX = scaleOf(x, left, right);
    this.toY = scaleOf(y, bottom, top);
    for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) {
      this.field.setAttribute(name, String(Math.max(0, value)));
    }
    this.field.setAttribute("viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
    /** @type {(tick: Tick, attributes: Record<string, string | number>) => SVGTextElement} */
    const label = (tick, attributes) =>
      tick.power === undefined
        ? drawn("text", attributes, tick.text ?? "")
        : drawn("text", attributes, "10", drawn("tspan", { dy: -4, class: "ntk-power" }, fixed(tick.power, 0)));
    this.frame.replaceChildren(
      drawn("path", { class: "ntk-axis", d: `M${left},${top}V${bottom}H${right}` }),
      ...ticksOf(x, (right - left) / 62, powers.x).flatMap((tick) => {
        const at = this.toX(tick.value);
        return [
          drawn("path", { class: "ntk-axis", d: `M${at},${bottom}v4` }),
          label(tick, { x: at, y: bottom + 16, "text-anchor": "middle" }),
        ];
      }),
      ...yTicks.flatMap((tick) => {
        const at = this.toY(tick.value);
        return [
          drawn("path", { class: "ntk-axis", d: `M${left},${at}h-4` }),
          label(tick, { x: left - 7, y: at + 4, "text-anchor": "end" }),
        ];
      }),
    );
    /** @param {number} power */
    const times = (power) => (power ? `\u00d710${superscript(power)}` : "");
    const below = [x.label, times(powers.x)].filter(Boolean).join(", ");
    this.frame.append(
      textWith({ x: right, y: this.height - 4, "text-anchor": "end" }, below),
      drawn("text", { x: left - 4, y: 14 }, times(powers.y)),
    );
    for (const mark of this.marks.values()) mark.draw();
  }

  /**
   * @param {string} key
   * @param {SVGElement} parent
   * @param {"path" | "text"} tag
   * @param {Record<string, string | number>} attributes
   * @param {(node: SVGElement) => void} draw
   */
  mark(key, parent, tag, attributes, draw) {
    let mark = this.marks.get(key);
    if (!mark) {
      const node = drawn(tag);
      mark = { node, draw: () => {} };
      parent.append(node);
      this.marks.set(key, mark);
    }
    for (const [name, value] of Object.entries(attributes)) {
      if (mark.node.getAttribute(name) !== String(value)) mark.node.setAttribute(name, String(value));
    }
    const { node } = mark;
    mark.draw = () => draw(node);
    mark.draw();
  }

  /**
   * @param {string} key
   * @param {ArrayLike<number>} xs
   * @param {ArrayLike<number>} ys
   * @param {Style} style
   */
  line(key, xs, ys, { colour = COLOURS.exact, width = 1.6, dash = "none", opacity = 1 } = {}) {
    const attributes = {
      fill: "none", stroke: colour, "stroke-width": width, "stroke-dasharray": dash, "stroke-opacity": opacity,
      "stroke-linejoin": "round", "data-mark": key,
    };
    this.mark(key, this.field, "path", attributes, (node) => {
      const [logX, logY] = [this.axes.x.log, this.axes.y.log];
      let d = "";
      let pen = "M";
      for (let i = 0; i < xs.length; i++) {
        if (!Number.isFinite(ys[i]) || (logY && ys[i] <= 0) || (logX && xs[i] <= 0)) {
          pen = "M";
          continue;
        }
        d += `${pen}${this.toX(xs[i]).toFixed(1)},${clamp(this.toY(ys[i]), -9999, 9999).toFixed(1)}`;
        pen = "L";
      }
      node.setAttribute("d", d);
    });
  }

  /**
   * @param {string} key
   * @param {ArrayLike<number>} xs
   * @param {ArrayLike<number>} ys
   * @param {Style} style
   */
  dots(key, xs, ys, { colour = COLOURS.exact, marker = "o", size = 3.2, opacity = 1, hollow = false } = {}) {
    const attributes = {
      fill: hollow ? "var(--ntk-paper)" : colour, stroke: hollow ? colour : "none", "stroke-width": 1.4, opacity,
      "data-mark": key,
    };
    this.mark(key, this.over, "path", attributes, (node) => {
      const { left, right, top, bottom } = this.box;
      let d = "";
      for (let i = 0; i < xs.length; i++) {
        const [u, v] = [this.toX(xs[i]), this.toY(ys[i])];
        const inside = u >= left - 1 && u <= right + 1 && v >= top - 1 && v <= bottom + 1;
        if (inside) d += MARKERS[marker](Number(u.toFixed(1)), Number(v.toFixed(1)), size);
      }
      node.setAttribute("d", d);
    });
  }

  /**
   * @param {string} key
   * @param {number} x
   * @param {number} y
   * @param {string} text
   * @param {{ colour?: string, anchor?: string, dx?: number, dy?: number }} style
   */
  label(key, x, y, text, { colour = COLOURS.guide, anchor = "start", dx = 0, dy = 0 } = {}) {
    const attributes = { class: "ntk-label", "text-anchor": anchor, style: `fill:${colour}`, "data-mark": key };
    this.mark(key, this.over, "text", attributes, (node) => {
      node.replaceChildren(...textWith({}, text).childNodes);
      node.setAttribute("x", String(this.toX(x) + dx));
      node.setAttribute("y", String(this.toY(y) + 4 + dy));
    });
  }

  /**
   * A thin upright line at x, from edge to edge.
   *
   * @param {string} key
   * @param {number} x
   * @param {Style} style
   */
  cursor(key, x, { colour = COLOURS.guide, dash = "none" } = {}) {
    const attributes = { stroke: colour, "stroke-width": 1, "stroke-dasharray": dash, "data-mark": key };
    this.mark(key, this.field, "path", attributes, (node) => {
      node.setAttribute("d", `M${this.toX(x).toFixed(1)},${this.box.top}V${this.box.bottom}`);
    });
  }

  /** @param {(key: string) => boolean} test */
  remove(test = () => true) {
    for (const [key, mark] of this.marks) {
      if (!test(key)) continue;
      mark.node.remove();
      this.marks.delete(key);
    }
  }
}

/** An n x n matrix as coloured squares, white at zero, with its colour bar. Values beyond the range take the end colours. */
export class HeatMap {
  /** @param {{ title: string, size: number }} settings */
  constructor({ title, size }) {
    this.size = size;
    this.cells = Array.from({ length: size * size }, () => drawn("rect"));
    this.bar = Array.from({ length: 33 }, () => drawn("rect"));
    this.texts = ["start", "middle", "end"].map((anchor) => drawn("text", { "text-anchor": anchor }));
    this.outline = drawn("path", { fill: "none", stroke: COLOURS.exact, "stroke-width": 1.5 });
    this.svg = drawn("svg", { role: "img" }, ...this.cells, ...this.bar, ...this.texts, this.outline);
    /** @type {[number, number][]} */
    this.chosen = [];
    this.node = element("figure", { class: "ntk-figure" }, element("figcaption", { class: "ntk-caption", html: title }), this.svg);
    this.range = 1;
    /** @type {ArrayLike<number>} */
    this.values = new Float64Array(size * size);
    this.resize(150, 1, Infinity);
  }

  /** @param {string} text */
  describe(text) {
    this.svg.setAttribute("aria-label", text);
  }

  /** @type {Picture["resize"]} */
  resize(width, scale, maxHeight) {
    const full = width / scale;
    const side = Math.max(60, Math.min(full, 260, maxHeight / scale - 34));
    this.svg.setAttribute("viewBox", `0 0 ${full} ${side + 34}`);
    this.svg.style.height = `${(side + 34) * scale}px`;
    const step = side / this.size;
    this.cells.forEach((cell, k) => {
      const box = { x: (k % this.size) * step, y: Math.floor(k / this.size) * step, width: step - 1, height: step - 1 };
      for (const [name, value] of Object.entries(box)) cell.setAttribute(name, value.toFixed(2));
    });
    const slot = side / this.bar.length;
    this.bar.forEach((rect, k) => {
      const box = { x: k * slot, y: side + 8, width: slot + 0.5, height: 7 };
      for (const [name, value] of Object.entries(box)) rect.setAttribute(name, value.toFixed(2));
      this.paint(rect, (2 * k) / (this.bar.length - 1) - 1);
    });
    this.texts.forEach((text, k) => {
      text.setAttribute("x", String(((side - 1) * k) / 2));
      text.setAttribute("y", String(side + 30));
    });
    this.update(this.values, this.range);
    this.choose(this.chosen);
  }

  /**
   * Outline some entries.
   *
   * @param {[number, number][]} entries
   */
  choose(entries) {
    this.chosen = entries;
    /** @type {(k: number, name: string) => number} */
    const of = (k, name) => Number(this.cells[k].getAttribute(name));
    const boxes = entries.map(([a, b]) => a * this.size + b).map((k) => `M${of(k, "x")},${of(k, "y")}h${of(k, "width")}v${of(k, "height")}h${-of(k, "width")}Z`);
    this.outline.setAttribute("d", boxes.join(""));
  }

  /** @type {(rect: SVGRectElement, level: number) => void} */
  paint(rect, level) {
    rect.setAttribute("fill", level < 0 ? "var(--ntk-negative)" : "var(--ntk-positive)");
    rect.setAttribute("fill-opacity", Math.min(1, Math.abs(level)).toFixed(3));
  }

  /** @type {(values: ArrayLike<number>, range: number) => void} */
  update(values, range) {
    this.values = values;
    this.range = range;
    this.cells.forEach((cell, k) => this.paint(cell, values[k] / range));
    [-range, 0, range].forEach((value, k) => (this.texts[k].textContent = readable(value, 2)));
  }
}
