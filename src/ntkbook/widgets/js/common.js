// What the book's widgets share: the frame with its controls, the charts, and the link to a setting.
//
// The text of this file stands before the text of each widget's own file in one module, so nothing here is exported.
// Written for the static page (no kernel: `model.ntkStatic` is true) and for Jupyter alike.

// ---------------------------------------------------------------------------------------------------------------------
// Elements, numbers, colours
// ---------------------------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

/** The one language of colour: exact in ink, each level its own. */
const COLOURS = {
  exact: "var(--ntk-ink)",
  guide: "var(--ntk-quiet)",
  limit: "var(--ntk-limit)",
  2: "var(--ntk-level-2)",
  3: "var(--ntk-level-3)",
  4: "var(--ntk-level-4)",
  5: "var(--ntk-level-5)",
};

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "html") node.innerHTML = value;
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** An SVG text whose *starred* parts are in italics, as letters of formulas are. */
function textWith(attributes, text) {
  const parts = text.split("*").map((part, k) => (k % 2 ? drawn("tspan", { class: "ntk-letter" }, part) : part));
  return drawn("text", attributes, ...parts);
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const MINUS = "\u2212";

/** A number for the reader: three digits, a true minus sign, powers of ten where they help. */
function readable(value, digits = 3) {
  if (!Number.isFinite(value)) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(digits))).replace("-", MINUS);
  const [mantissa, exponent] = value.toExponential(Math.max(0, digits - 2)).split("e");
  return `${mantissa}\u00b710${superscript(Number(exponent))}`.replace("-", MINUS);
}

function superscript(integer) {
  const digits = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
  return (integer < 0 ? "\u207b" : "") + String(Math.abs(integer)).replace(/\d/g, (d) => digits[d]);
}

const fixed = (value, digits) => value.toFixed(digits).replace("-", MINUS);

/** The float32 array behind a `Bytes` trait or a message's buffer. */
function floats(view) {
  if (!view || view.byteLength === 0) return new Float32Array(0);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// ---------------------------------------------------------------------------------------------------------------------
// Charts
// ---------------------------------------------------------------------------------------------------------------------

/** The outline of a marker of the given size about (x, y). */
const MARKERS = {
  o: (x, y, r) => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`,
  s: (x, y, r) => `M${x - 0.9 * r},${y - 0.9 * r}h${1.8 * r}v${1.8 * r}h${-1.8 * r}Z`,
  "^": (x, y, r) => `M${x},${y - 1.2 * r}l${1.1 * r},${2 * r}h${-2.2 * r}Z`,
  D: (x, y, r) => `M${x},${y - 1.25 * r}l${1.1 * r},${1.25 * r}l${-1.1 * r},${1.25 * r}l${-1.1 * r},${-1.25 * r}Z`,
};

/** The power of ten that the ticks of a linear axis leave to its end, so that small numbers stay short. */
function sharedPower({ min, max, log, ticks }) {
  const power = Math.floor(Math.log10(Math.max(Math.abs(min), Math.abs(max))));
  return log || ticks || (power > -3 && power < 4) ? 0 : power;
}

function linearTicks(low, high, count, power = 0) {
  const rough = (high - low) / Math.max(1, count);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((s) => s * unit >= rough * 0.999) * unit;
  const decimals = Math.max(0, power - Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    ticks.push({ value: k * step, text: k === 0 ? "0" : fixed((k * step) / 10 ** power, decimals) });
  }
  return ticks;
}

function decadeTicks(low, high, count) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const stride = Math.max(1, Math.ceil((last - first + 1) / count));
  const ticks = [];
  for (let k = last; k >= first; k -= stride) ticks.push({ value: 10 ** k, power: k });
  return ticks.length > 1 ? ticks : denseLogTicks(low, high);
}

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
 * A chart of keyed marks. Axes are { min, max, log, label, ticks }; marks are given in data units and drawn again when the
 * axes or the size change. Giving a mark twice moves it.
 */
class Chart {
  constructor({ title, ratio = 0.62 }) {
    this.ratio = ratio;
    this.marks = new Map();
    this.frame = drawn("g");
    this.field = drawn("svg", { overflow: "hidden" });
    this.over = drawn("g");
    this.svg = drawn("svg", { role: "img" }, this.frame, this.field, this.over);
    this.caption = element("figcaption", { class: "ntk-caption", html: title });
    this.node = element("figure", { class: "ntk-figure" }, this.caption, this.svg);
    this.axes = { x: { min: 0, max: 1 }, y: { min: 0, max: 1 } };
    this.resize(320, 1, Infinity);
  }

  title(html) {
    this.caption.innerHTML = html;
  }

  describe(text) {
    this.svg.setAttribute("aria-label", text);
  }

  resize(width, scale, maxHeight) {
    this.width = width / scale;
    this.height = Math.min(clamp(this.width * this.ratio, 150, 420), maxHeight / scale);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.style.height = `${this.height * scale}px`;
    this.drawAxes();
  }

  setAxes(axes) {
    const next = { x: { ...this.axes.x, ...axes.x }, y: { ...this.axes.y, ...axes.y } };
    if (JSON.stringify(next) === JSON.stringify(this.axes)) return;
    this.axes = next;
    this.drawAxes();
  }

  drawAxes() {
    const { x, y } = this.axes;
    const powers = { x: sharedPower(x), y: sharedPower(y) };
    const ticksOf = (axis, room, power) =>
      axis.ticks ?? (axis.log ? decadeTicks : linearTicks)(axis.min, axis.max, Math.max(2, Math.floor(room)), power);
    const bottomEdge = this.height - (x.label || powers.x ? 38 : 22);
    const yTicks = ticksOf(y, (bottomEdge - 8) / 34, powers.y);
    const longest = Math.max(...yTicks.map((tick) => (tick.text ?? "1000").length));
    this.box = { left: Math.max(46, 13 + 6.2 * longest), top: powers.y ? 20 : 8, right: this.width - 12, bottom: bottomEdge };
    const { left, top, right, bottom } = this.box;
    const scaleOf = ({ min, max, log }, from, to) => {
      const f = log ? Math.log : (v) => v;
      const [low, high] = [f(min), f(max)];
      return (v) => from + ((f(v) - low) / (high - low)) * (to - from);
    };
    this.toX = scaleOf(x, left, right);
    this.toY = scaleOf(y, bottom, top);
    for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) {
      this.field.setAttribute(name, Math.max(0, value));
    }
    this.field.setAttribute("viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
    const label = (tick, attributes) =>
      tick.power === undefined
        ? drawn("text", attributes, tick.text)
        : drawn("text", attributes, "10", drawn("tspan", { dy: "-0.45em", "font-size": "9px" }, fixed(tick.power, 0)));
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
    const times = (power) => (power ? `\u00d710${superscript(power)}` : "");
    const below = [x.label, times(powers.x)].filter(Boolean).join(", ");
    this.frame.append(
      textWith({ x: right, y: this.height - 4, "text-anchor": "end" }, below),
      drawn("text", { x: left - 4, y: 10 }, times(powers.y)),
    );
    for (const mark of this.marks.values()) mark.draw();
  }

  mark(key, parent, tag, attributes, draw) {
    let mark = this.marks.get(key);
    if (!mark) {
      mark = { node: drawn(tag) };
      parent.append(mark.node);
      this.marks.set(key, mark);
    }
    for (const [name, value] of Object.entries(attributes)) {
      if (mark.node.getAttribute(name) !== String(value)) mark.node.setAttribute(name, value);
    }
    mark.draw = () => draw(mark.node);
    mark.draw();
  }

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

  label(key, x, y, text, { colour = COLOURS.guide, anchor = "start", dx = 0, dy = 0 } = {}) {
    const attributes = { class: "ntk-label", "text-anchor": anchor, style: `fill:${colour}`, "data-mark": key };
    this.mark(key, this.over, "text", attributes, (node) => {
      node.replaceChildren(...textWith({}, text).childNodes);
      node.setAttribute("x", this.toX(x) + dx);
      node.setAttribute("y", this.toY(y) + 4 + dy);
    });
  }

  /** A thin upright line at x, from edge to edge. */
  cursor(key, x, { colour = COLOURS.guide, dash = "none" } = {}) {
    const attributes = { stroke: colour, "stroke-width": 1, "stroke-dasharray": dash, "data-mark": key };
    this.mark(key, this.field, "path", attributes, (node) => {
      node.setAttribute("d", `M${this.toX(x).toFixed(1)},${this.box.top}V${this.box.bottom}`);
    });
  }

  remove(test = () => true) {
    for (const [key, mark] of this.marks) {
      if (!test(key)) continue;
      mark.node.remove();
      this.marks.delete(key);
    }
  }
}

/** An n x n matrix as coloured squares, white at zero, with its colour bar. Values beyond the range take the end colours. */
class HeatMap {
  constructor({ title, size }) {
    this.size = size;
    this.cells = Array.from({ length: size * size }, () => drawn("rect"));
    this.bar = Array.from({ length: 33 }, () => drawn("rect"));
    this.texts = ["start", "middle", "end"].map((anchor) => drawn("text", { "text-anchor": anchor }));
    this.svg = drawn("svg", { role: "img" }, ...this.cells, ...this.bar, ...this.texts);
    this.node = element("figure", { class: "ntk-figure" }, element("figcaption", { class: "ntk-caption", html: title }), this.svg);
    this.range = 1;
    this.values = new Float64Array(size * size);
    this.resize(150, 1, Infinity);
  }

  describe(text) {
    this.svg.setAttribute("aria-label", text);
  }

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
      text.setAttribute("x", ((side - 1) * k) / 2);
      text.setAttribute("y", side + 30);
    });
    this.update(this.values, this.range);
  }

  paint(rect, level) {
    rect.setAttribute("fill", level < 0 ? "var(--ntk-negative)" : "var(--ntk-positive)");
    rect.setAttribute("fill-opacity", Math.min(1, Math.abs(level)).toFixed(3));
  }

  update(values, range) {
    this.values = values;
    this.range = range;
    this.cells.forEach((cell, k) => this.paint(cell, values[k] / range));
    [-range, 0, range].forEach((value, k) => (this.texts[k].textContent = readable(value, 2)));
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The frame of a widget
// ---------------------------------------------------------------------------------------------------------------------

const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Whether there is a Python kernel to ask. The static page's host says that there is none. */
const hasKernel = (model) => model.ntkStatic !== true;

function uniqueId(wanted) {
  let id = wanted;
  for (let k = 2; document.getElementById(id); k++) id = `${wanted}-${k}`;
  return id;
}

/** The root element of a widget: question, controls, panels, summary; and its state, which the address can hold. */
class Frame {
  constructor({ model, el, name, question, tries }) {
    this.model = model;
    this.state = {};
    this.controls = {};
    this.charts = [];
    this.cleanups = [];
    this.changed = () => {};
    this.panels = element("div", { class: "ntk-panels" });
    this.controlArea = element("div", { class: "ntk-controls" });
    this.buttonArea = element("div", { class: "ntk-buttons" });
    this.summaryLine = element("p", { class: "ntk-summary" });
    this.live = element("p", { class: "ntk-hidden", "aria-live": "polite" });
    this.link = element("a", { href: "#", title: "The address then holds the setting of the controls" }, "Link to this setting");
    const full = element("button", { type: "button", onclick: () => this.toggleFullScreen() }, "Full screen");
    const tools = element("div", { class: "ntk-tools" });
    if (!hasKernel(model)) tools.append(this.link);
    if (document.fullscreenEnabled) tools.append(full);
    this.root = element(
      "section",
      { class: "ntk-widget", "data-ntk-widget": name, "data-ntk-state": "loading", "aria-label": question },
      element("header", {}, element("p", { class: "ntk-question" }, question), tools),
      this.controlArea,
      this.buttonArea,
      this.panels,
      this.summaryLine,
      element("details", {}, element("summary", {}, "Things to try"), element("ul", {}, ...tries.map((html) => element("li", { html })))),
      this.live,
    );
    this.root.id = uniqueId(model.get("meta").id || name);
    el.append(this.root);
  }

  // Controls. Each keeps one entry of `state`; moving it calls `changed(key)`.

  control(key, { initial, read, write, accepts }) {
    this.controls[key] = { read, write, accepts };
    this.state[key] = initial;
    write(initial);
  }

  set(key, value) {
    this.state[key] = value;
    this.controls[key].write(value);
    this.updateLink();
  }

  moved(key, value) {
    this.set(key, value);
    this.changed(key);
  }

  /** A slider over a list of values. `choices()` may depend on the other controls. */
  range(key, { label, choices, initial, format = String }) {
    const id = uniqueId(`${this.root.id}-${key}`);
    const output = element("output", { for: id });
    const input = element("input", { type: "range", id, min: 0, step: 1, oninput: () => this.moved(key, choices()[Number(input.value)]) });
    const name = element("span", { class: "ntk-name" }, element("label", { for: id, html: label }), output);
    this.controlArea.append(element("div", { class: "ntk-control" }, name, input));
    this.control(key, {
      initial,
      write: (value) => {
        input.max = choices().length - 1;
        input.value = choices().indexOf(value);
        output.textContent = format(value);
        input.setAttribute("aria-valuetext", format(value));
      },
      read: (text) => choices().find((value) => String(value) === text),
      accepts: (value) => choices().includes(value),
    });
  }

  select(key, { label, options, initial }) {
    const id = uniqueId(`${this.root.id}-${key}`);
    const values = options.map((option) => option.value);
    const items = options.map((option) => element("option", {}, option.label));
    const input = element("select", { id, onchange: () => this.moved(key, values[input.selectedIndex]) }, ...items);
    const name = element("span", { class: "ntk-name" }, element("label", { for: id, html: label }));
    this.controlArea.append(element("div", { class: "ntk-control" }, name, input));
    this.control(key, {
      initial,
      write: (value) => (input.selectedIndex = values.indexOf(value)),
      read: (text) => values.find((value) => String(value) === text),
      accepts: (value) => values.includes(value),
    });
  }

  /** A group of checkboxes; the state is the list of those that are on. */
  checks(key, { label, options, initial }) {
    const values = options.map((option) => option.value);
    const inputs = options.map((option) =>
      element("input", {
        type: "checkbox", style: `--ntk-choice: ${option.colour ?? "currentColor"}`,
        onchange: () => this.moved(key, values.filter((_, k) => inputs[k].checked)),
      }),
    );
    const labels = options.map((option, k) => element("label", {}, inputs[k], element("span", { html: option.label })));
    this.controlArea.append(
      element("fieldset", { class: "ntk-control" },
        element("legend", { class: "ntk-name", html: label }), element("div", { class: "ntk-choices" }, ...labels)),
    );
    this.control(key, {
      initial,
      write: (chosen) => values.forEach((value, k) => (inputs[k].checked = chosen.includes(value))),
      read: (text) => values.filter((value) => text.split(",").includes(String(value))),
      accepts: () => true,
    });
  }

  button(label, onclick, { primary = false } = {}) {
    const node = element("button", { type: "button", class: primary ? "ntk-primary" : "", onclick }, label);
    this.buttonArea.append(node);
    return node;
  }

  // The link to a setting: #<id>?width=64&depth=2

  updateLink() {
    const query = Object.keys(this.controls).map((key) => `${key}=${encodeURIComponent(String(this.state[key]))}`);
    this.link.setAttribute("href", `#${this.root.id}?${query.join("&")}`);
  }

  /** Take over the setting in the address, if it is this widget's. Returns whether there was one. */
  restore() {
    const [id, query] = decodeURI(window.location.hash.slice(1)).split("?");
    if (id !== this.root.id || query === undefined) return false;
    this.linked = true;
    for (const [key, text] of new URLSearchParams(query)) {
      const control = this.controls[key];
      if (!control) continue;
      const value = control.read(text);
      if (value !== undefined && control.accepts(value)) this.set(key, value);
    }
    return true;
  }

  // Panels

  panel(...charts) {
    this.charts.push(...charts);
    if (charts.length === 1) this.panels.append(charts[0].node);
    else this.panels.append(element("div", { class: "ntk-pair" }, ...charts.map((chart) => chart.node)));
  }

  /** Small pictures side by side over the whole width, as many in a line as there is room for. */
  row(html, ...charts) {
    this.charts.push(...charts);
    const pictures = element("div", { class: "ntk-row" }, ...charts.map((chart) => chart.node));
    this.panels.append(element("div", { class: "ntk-wide" }, element("p", { class: "ntk-caption", html }), pictures));
  }

  /** A chart with a table beside it, or below it where there is no room. */
  panelWithAside(chart, aside) {
    this.charts.push(chart);
    this.panels.append(element("div", { class: "ntk-wide ntk-aside" }, chart.node, aside));
  }

  legend(items) {
    const sample = ({ colour, dash = "none", marker, hollow, small, width = 2 }) =>
      drawn("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" },
        marker
          ? drawn("path", { d: MARKERS[marker](13, 6, small ? 1.6 : 3.6), fill: hollow ? "none" : colour, stroke: colour })
          : drawn("path", { d: "M0,6H26", stroke: colour, "stroke-width": width, "stroke-dasharray": dash }));
    const list = items.map((item) => element("li", {}, sample(item), element("span", { html: item.label })));
    if (!this.legendList) {
      this.legendList = element("ul", { class: "ntk-legend" });
      this.panels.after(this.legendList);
    }
    this.legendList.replaceChildren(...list);
  }

  layout() {
    const full = document.fullscreenElement === this.root;
    const scale = full ? clamp(Math.min(window.innerWidth / 1000, window.innerHeight / 700), 1, 2.4) : 1;
    this.root.style.setProperty("--ntk-scale", scale);
    const maxHeight = full ? Math.max(150 * scale, this.roomPerRow()) : Infinity;
    for (const chart of this.charts) chart.resize(chart.node.clientWidth || 320, scale, maxHeight);
  }

  /** On a full screen: the height left for the pictures of a row, when everything else has its place. */
  roomPerRow() {
    const rows = new Map();
    for (const { node, svg } of this.charts) {
      const row = Math.round(node.getBoundingClientRect().top);
      rows.set(row, Math.max(rows.get(row) ?? 0, svg.clientHeight));
    }
    const pictures = [...rows.values()].reduce((sum, height) => sum + height, 0);
    const { top } = this.root.getBoundingClientRect();
    const bottom = this.live.previousElementSibling.getBoundingClientRect().bottom + this.root.scrollTop;
    const margin = parseFloat(getComputedStyle(this.root).paddingBottom);
    return (window.innerHeight - (bottom - top - pictures) - margin) / rows.size;
  }

  toggleFullScreen() {
    if (document.fullscreenElement === this.root) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  /** A sentence below the picture. With `aloud` a screen reader reads it, when the reader has moved a control. */
  summarise(html, { aloud = false } = {}) {
    this.summaryLine.innerHTML = html;
    if (!aloud) return;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (this.live.textContent = this.summaryLine.textContent), 600);
  }

  // Python

  /** Send a request to the kernel; the promise gives { content, buffers } or fails with what Python said. */
  ask(request) {
    const id = Math.random().toString(36).slice(2); // several requests, of several views, may be on their way
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.model.off("msg:custom", receive);
        settle(value);
      };
      const receive = (content, buffers) => {
        if (content.id !== id) return;
        if (content.type === "error") finish(reject, new Error(content.message));
        else finish(resolve, { content, buffers });
      };
      const timer = setTimeout(() => finish(reject, new Error("no kernel answers")), 300000);
      this.model.on("msg:custom", receive);
      this.model.send({ type: "compute", id, ...request });
    });
  }

  /** A button, with a kernel alone, for what Python computes: `request()` is asked for, `take(answer, request)` shows it. */
  askButton(label, request, take) {
    if (!hasKernel(this.model)) return;
    const button = this.button(label, async () => {
      const asked = request();
      button.disabled = true;
      button.textContent = "Computing \u2026";
      try {
        take(await this.ask(asked), asked);
      } catch (error) {
        this.summarise(`Python could not compute this: ${error.message}`, { aloud: true });
      }
      button.disabled = false;
      button.textContent = label;
    });
  }

  // Life

  listen(target, event, handler) {
    target.addEventListener(event, handler);
    this.cleanups.push(() => target.removeEventListener(event, handler));
  }

  followTheme() {
    const observer = new MutationObserver(() => this.matchTheme());
    for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
    this.listen(window.matchMedia("(prefers-color-scheme: dark)"), "change", () => this.matchTheme());
    this.cleanups.push(() => observer.disconnect());
    this.matchTheme();
  }

  /** Light ink means a dark page. */
  matchTheme() {
    const rgb = getComputedStyle(this.root).color.match(/[\d.]+/g);
    if (rgb) this.root.classList.toggle("ntk-dark", 0.3 * rgb[0] + 0.6 * rgb[1] + 0.1 * rgb[2] > 128);
  }

  /** Called when everything is drawn for the first time. */
  ready() {
    this.layout();
    this.updateLink();
    // In JupyterLab the arrow keys would otherwise move through the notebook.
    for (const node of this.root.querySelectorAll("a, button, input, select, summary")) {
      node.setAttribute("data-lm-suppress-shortcuts", "true");
    }
    const observer = new ResizeObserver(() => {
      this.layout();
      this.matchTheme();
    });
    observer.observe(this.root);
    this.cleanups.push(() => observer.disconnect());
    this.followTheme();
    this.listen(document, "fullscreenchange", () => this.layout());
    this.listen(window, "hashchange", () => {
      if (this.restore()) this.changed("address");
    });
    if (this.linked) this.show();
    this.root.dataset.ntkState = "ready";
  }

  /** Whoever follows a link to a setting sees it; the mathematics above it may still grow. */
  show() {
    const scroll = () => this.root.scrollIntoView();
    scroll();
    window.MathJax?.startup?.promise?.then(scroll);
  }
}

/**
 * What a module exports as its `render`: `build(frame)` adds controls and panels and draws. An error is shown in one line and
 * marks the root element.
 */
function renderWith({ name, question, tries, build }) {
  return ({ model, el }) => {
    const frame = new Frame({ model, el, name, question, tries });
    try {
      build(frame);
      frame.ready();
    } catch (error) {
      console.error(error);
      frame.root.dataset.ntkState = "error";
      frame.root.replaceChildren(element("p", { class: "ntk-error" }, `This widget could not start: ${error.message}`));
    }
    return () => frame.cleanups.forEach((cleanup) => cleanup());
  };
}
