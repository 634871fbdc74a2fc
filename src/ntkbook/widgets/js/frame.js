// The frame of a widget: its question, controls, pictures and words; the link to a setting; what Python is asked.
//
// While a class votes, elements of the class ntk-answer are hidden: the summary, and what else a widget calls an answer.
//
// Written for the static page (no kernel: `model.ntkStatic` is true) and for Jupyter alike.

import { MARKERS } from "./chart.js";
import { drawn, element } from "./elements.js";
import { clamp } from "./numbers.js";

/** @import { Picture } from "./chart.js" */

/**
 * What the page's host gives a widget, as anywidget defines it; `ntkStatic` where there is no kernel.
 *
 * @typedef {object} Model
 * @property {boolean} [ntkStatic]
 * @property {(name: string) => any} get
 * @property {(event: string, callback: (...details: any[]) => void) => void} on
 * @property {(event: string, callback: (...details: any[]) => void) => void} off
 * @property {(request: object) => void} send
 */
/**
 * A part of the state that the reader sets: shown by `write`; `read` makes a value of a text of the address, or undefined.
 *
 * @typedef {{ initial: any, write: (value: any) => void, read: (text: string) => any }} Control
 */
/**
 * A sample of the legend: a line, or a marker. One whose label is an `answer` is hidden while a class votes.
 *
 * @typedef {{
 *   label: string, colour: string, dash?: string, width?: number, marker?: string, hollow?: boolean, small?: boolean,
 *   answer?: boolean
 * }} Sample
 */
/** @typedef {{ content: any, buffers: DataView[] }} Answer Of Python */

export const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Whether there is a Python kernel to ask. The static page's host says that there is none.
 *
 * @param {Model} model
 */
export const hasKernel = (model) => model.ntkStatic !== true;

const TEXT = 16; // pixels: the size of a page's text, if the reader has chosen no other
const NARROWEST = 240; // pixels that a picture needs beside its text at that size

const NOTHING = "none"; // in an address, for an empty value

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * What the reader is told when Python answers with an error.
 *
 * @param {unknown} error
 */
export const refusal = (error) => `Python could not compute this: ${messageOf(error)}`;

/** @param {string} wanted */
function uniqueId(wanted) {
  let id = wanted;
  for (let k = 2; document.getElementById(id); k++) id = `${wanted}-${k}`;
  return id;
}

/**
 * The setting that an address names, #<id>?key=value&..., or null. What is no setting is no error: links get cut off.
 *
 * @param {string} hash
 */
function settingOf(hash) {
  const [id, ...query] = hash.slice(1).split("?");
  if (!query.length) return null;
  try {
    return { id: decodeURIComponent(id), values: new URLSearchParams(query.join("?")) };
  } catch {
    return null; // a lone % sign
  }
}

/**
 * The root element of a widget: question, controls, panels, summary; and its state, which the address can hold.
 *
 * @template {Record<string, any>} [State=Record<string, any>]
 */
export class Frame {
  /** @param {{ model: Model, el: HTMLElement, name: string, question: string, tries: string[] }} settings */
  constructor({ model, el, name, question, tries }) {
    this.model = model;
    this.state = /** @type {State} */ ({});
    /** @type {Map<string, Control>} */
    this.controls = new Map();
    /** @type {Picture[]} */
    this.charts = [];
    /** @type {(() => void)[]} */
    this.cleanups = [];
    this.linked = false; // whether the setting is one of the address
    this.vote = false; // whether the address asks for a vote
    this.hidden = false; // whether the answers are hidden
    /** @type {Map<Picture, { text: string, answer: string }>} */
    this.told = new Map(); // the words of pictures whose words hold an answer
    this.saying = 0;
    /** @type {Set<string> | null} */
    this.waiting = null; // what has changed since the picture of this frame was drawn
    this.legendText = "";

    /**
     * What a widget does when a control, or all of them ("address"), have changed.
     *
     * @type {(key: string) => void}
     */
    this.changed = () => {};
    /**
     * What it does before, to bring the other controls into line: `key` as above.
     *
     * @type {(key: string) => void}
     */
    this.mend = () => {};

    this.panels = element("div", { class: "ntk-panels" });
    this.controlArea = element("div", { class: "ntk-controls" });
    this.buttonArea = element("div", { class: "ntk-buttons" });
    this.summaryLine = element("p", { class: "ntk-summary ntk-answer" });
    this.live = element("p", { class: "ntk-hidden", "aria-live": "polite" });
    this.link = element("a", { href: "#", title: "The address then holds the setting of the controls" }, "Link to this setting");
    this.voteLink = element("a", { href: "#", title: "The address then also hides the readout, until you show it" }, "Link for a vote");
    this.voteButton = element("button", { type: "button", onclick: () => this.showAnswers(this.hidden) });
    this.voteLine = element("div", { class: "ntk-buttons", hidden: true }, this.voteButton);
    this.tries = element(
      "details", { class: "ntk-answer" }, element("summary", {}, "Things to try"), element("ul", {}, ...tries.map((html) => element("li", { html }))),
    );
    this.legendList = element("ul", { class: "ntk-legend" });
    const full = element("button", { type: "button", onclick: () => this.toggleFullScreen() }, "Full screen");
    const tools = element("div", { class: "ntk-tools" });
    if (!hasKernel(model)) tools.append(this.link, this.voteLink);
    if (document.fullscreenEnabled) tools.append(full);
    this.root = element(
      "section",
      { class: "ntk-widget", "data-ntk-widget": name, "data-ntk-state": "loading", "aria-label": question },
      element("header", {}, element("p", { class: "ntk-question" }, question), tools),
      element("div", { class: "ntk-dock" }, this.controlArea, this.buttonArea),
      this.panels,
      element("div", { class: "ntk-readout" }, this.voteLine, this.summaryLine),
      this.tries,
      this.live,
    );
    this.root.id = uniqueId(model.get("meta").id || name);
    el.append(this.root);
  }

  // Controls. Each keeps one entry of `state`; moving it calls `mend(key)` and `changed(key)`.

  /**
   * A control, of which an address is read after those that were made before it.
   *
   * @template {keyof State & string} Key
   * @param {Key} key
   * @param {{ initial: State[Key], write?: (value: State[Key]) => void, read: (text: string) => State[Key] | undefined }} control
   */
  control(key, { initial, write = () => {}, read }) {
    this.controls.set(key, { initial, write, read });
    this.state[key] = initial;
    write(initial);
  }

  /**
   * @template {keyof State & string} Key
   * @param {Key} key
   * @param {State[Key]} value
   */
  set(key, value) {
    this.state[key] = value;
    this.controls.get(key)?.write(value);
    this.updateLink();
  }

  /**
   * @template {keyof State & string} Key
   * @param {Key} key
   * @param {State[Key]} value
   */
  moved(key, value) {
    this.set(key, value);
    this.mend(key);
    if (this.waiting) this.waiting.add(key);
    else this.picture([key]);
  }

  /**
   * One picture a frame: the first change is drawn at once, all that follow before the next frame with that one.
   *
   * @param {Iterable<string>} keys
   */
  picture(keys) {
    /** @type {Set<string>} */
    const waiting = new Set();
    this.waiting = waiting;
    requestAnimationFrame(() => {
      this.waiting = null;
      if (waiting.size) this.picture(waiting);
    });
    for (const key of keys) this.changed(key);
  }

  /**
   * A slider over a list of values. `choices()` may depend on the controls made before.
   *
   * @template {keyof State & string} Key
   * @param {Key} key
   * @param {{ label: string, choices: () => State[Key][], initial: State[Key], format?: (value: State[Key]) => string }} settings
   */
  range(key, { label, choices, initial, format = String }) {
    const id = uniqueId(`${this.root.id}-${key}`);
    const output = element("output", { for: id });
    const input = element("input", { type: "range", id, min: 0, step: 1, oninput: () => this.moved(key, choices()[Number(input.value)]) });
    const name = element("span", { class: "ntk-name" }, element("label", { for: id, html: label }), output);
    this.controlArea.append(element("div", { class: "ntk-control" }, name, input));
    this.control(key, {
      initial,
      write: (value) => {
        input.max = String(choices().length - 1);
        input.value = String(choices().indexOf(value));
        output.textContent = format(value);
        input.setAttribute("aria-valuetext", format(value));
      },
      read: (text) => choices().find((value) => String(value) === text),
    });
  }

  /**
   * A list to choose from; as with a slider, `choices()` may depend on the controls made before.
   *
   * @template {keyof State & string} Key
   * @param {Key} key
   * @param {{ label: string, choices: () => State[Key][], initial: State[Key], format?: (value: State[Key]) => string }} settings
   */
  select(key, { label, choices, initial, format = String }) {
    const id = uniqueId(`${this.root.id}-${key}`);
    const input = element("select", { id, onchange: () => this.moved(key, choices()[input.selectedIndex]) });
    const name = element("span", { class: "ntk-name" }, element("label", { for: id, html: label }));
    this.controlArea.append(element("div", { class: "ntk-control" }, name, input));
    this.control(key, {
      initial,
      write: (value) => {
        const names = choices().map(format);
        if (names.join() !== [...input.options].map((option) => option.text).join()) {
          input.replaceChildren(...names.map((text) => element("option", {}, text)));
        }
        input.selectedIndex = choices().indexOf(value);
      },
      read: (text) => choices().find((value) => String(value) === text),
    });
  }

  /**
   * A single checkbox, whose state is "yes" or "no".
   *
   * @param {keyof State & string} key
   * @param {{ label: string, text: string, initial: "yes" | "no" }} settings
   */
  check(key, { label, text, initial }) {
    const id = uniqueId(`${this.root.id}-${key}`);
    const input = element("input", { type: "checkbox", id, onchange: () => this.moved(key, /** @type {any} */ (input.checked ? "yes" : "no")) });
    const choice = element("div", { class: "ntk-choices" }, element("label", { for: id }, input, element("span", { html: text })));
    const name = element("span", { class: "ntk-name" }, element("label", { for: id, html: label }));
    this.controlArea.append(element("div", { class: "ntk-control" }, name, choice));
    this.control(key, {
      initial: /** @type {any} */ (initial),
      write: (value) => (input.checked = /** @type {any} */ (value) === "yes"),
      read: (word) => /** @type {any} */ (["yes", "no"].find((value) => value === word)),
    });
  }

  /**
   * A group of checkboxes; the state is the list of those that are on.
   *
   * @param {keyof State & string} key
   * @param {{ label: string, options: { value: number, label: string, colour?: string }[], initial: number[] }} settings
   */
  checks(key, { label, options, initial }) {
    const values = options.map((option) => option.value);
    const names = values.map(String);
    /** @type {HTMLInputElement[]} */
    const inputs = options.map((option) =>
      element("input", {
        type: "checkbox", style: `--ntk-choice: ${option.colour ?? "currentColor"}`,
        onchange: () => this.moved(key, /** @type {any} */ (values.filter((_, k) => inputs[k].checked))),
      }),
    );
    const labels = options.map((option, k) => element("label", {}, inputs[k], element("span", { html: option.label })));
    this.controlArea.append(
      element("fieldset", { class: "ntk-control" },
        element("legend", { class: "ntk-name", html: label }), element("div", { class: "ntk-choices" }, ...labels)),
    );
    this.controls.set(key, {
      initial,
      write: (chosen) => values.forEach((value, k) => (inputs[k].checked = chosen.includes(value))),
      read: (text) => {
        const chosen = text === "" ? [] : text.split(",");
        return chosen.every((name) => names.includes(name)) ? values.filter((_, k) => chosen.includes(names[k])) : undefined;
      },
    });
  }

  /**
   * @param {string} label
   * @param {() => void} onclick
   */
  button(label, onclick, { primary = false } = {}) {
    const node = element("button", { type: "button", class: primary ? "ntk-primary" : "", onclick }, label);
    this.buttonArea.append(node);
    return node;
  }

  // The link to a setting: #<id>?width=64&depth=2

  updateLink() {
    const query = [...this.controls.keys()].map((key) => `${key}=${encodeURIComponent(String(this.state[key]) || NOTHING)}`);
    const setting = `#${this.root.id}?${query.join("&")}`;
    const forVote = `#${this.root.id}?${["vote=1", ...query].join("&")}`; // in front, where a link that is cut off still has it
    this.link.setAttribute("href", this.vote ? forVote : setting);
    this.voteLink.setAttribute("href", forVote);
  }

  /** What the address says of this widget's controls, or null. */
  addressed() {
    const setting = settingOf(window.location.hash);
    return setting?.id === this.root.id ? setting.values : null;
  }

  /** Set every control: to what the address says of it, else to its initial value. */
  restore() {
    const said = this.addressed();
    this.linked = said !== null;
    this.vote = said?.get("vote") === "1";
    this.voteLine.hidden = !this.vote;
    this.showAnswers(!this.vote);
    for (const [key, { initial, read }] of this.controls) {
      const text = said?.get(key); // an empty one is what is left of a longer one
      this.set(key, (text ? read(text === NOTHING ? "" : text) : undefined) ?? initial);
    }
    this.mend("address");
  }

  /** Go with the address: to a setting that it names, and back from one. An anchor of the page leaves the controls alone. */
  followAddress() {
    const { hash } = window.location;
    const left = this.linked && (hash === "" || settingOf(hash) !== null);
    if (!left && !this.addressed()) return;
    this.restore();
    this.layout();
    this.changed("address");
  }

  // The vote: #<id>?vote=1&width=64

  /** @param {boolean} shown */
  showAnswers(shown) {
    const revealed = shown && this.hidden;
    this.hidden = !shown;
    this.root.classList.toggle("ntk-voting", this.hidden);
    this.voteButton.textContent = shown ? "Hide the readout" : "Show the readout";
    for (const chart of this.told.keys()) this.tell(chart);
    this.live.textContent = revealed ? this.summaryLine.textContent : "";
  }

  /**
   * A picture in words, with what they tell of the answer apart: that is left out while a class votes.
   *
   * @param {Picture} chart
   * @param {string} text
   * @param {string} answer
   */
  describe(chart, text, answer) {
    this.told.set(chart, { text, answer });
    this.tell(chart);
  }

  /** @param {Picture} chart */
  tell(chart) {
    const { text, answer } = this.told.get(chart) ?? { text: "", answer: "" };
    chart.describe(this.hidden ? text : `${text} ${answer}`);
  }

  // Panels

  /** @param {Picture[]} charts */
  panel(...charts) {
    this.charts.push(...charts);
    if (charts.length === 1) this.panels.append(charts[0].node);
    else this.panels.append(element("div", { class: "ntk-pair" }, ...charts.map((chart) => chart.node)));
  }

  /**
   * Small pictures side by side over the whole width, as many in a line as there is room for.
   *
   * @param {string} html
   * @param {Picture[]} charts
   */
  row(html, ...charts) {
    this.charts.push(...charts);
    const pictures = element("div", { class: "ntk-row" }, ...charts.map((chart) => chart.node));
    this.panels.append(element("div", { class: "ntk-wide" }, element("p", { class: "ntk-caption", html }), pictures));
  }

  /**
   * A chart with a table beside it, or below it where there is no room.
   *
   * @param {Picture} chart
   * @param {HTMLElement} aside
   */
  panelWithAside(chart, aside) {
    this.charts.push(chart);
    this.panels.append(element("div", { class: "ntk-wide ntk-aside" }, chart.node, aside));
  }

  /** @param {Sample[]} items */
  legend(items) {
    /** @param {Sample} item */
    const sample = ({ colour, dash = "none", marker, hollow, small, width = 2 }) =>
      drawn("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" },
        marker
          ? drawn("path", { d: MARKERS[marker](13, 6, small ? 1.6 : 3.6), fill: hollow ? "none" : colour, stroke: colour })
          : drawn("path", { d: "M0,6H26", stroke: colour, "stroke-width": width, "stroke-dasharray": dash }));
    const text = JSON.stringify(items);
    if (text === this.legendText) return;
    this.legendText = text;
    const list = items.map((item) => element("li", { class: item.answer ? "ntk-answer" : "" }, sample(item), element("span", { html: item.label })));
    this.legendList.replaceChildren(...list);
    if (!this.legendList.isConnected) this.panels.after(this.legendList);
  }

  layout() {
    const full = document.fullscreenElement === this.root;
    const scale = full ? clamp(Math.min(window.innerWidth / 1000, window.innerHeight / 640), 1, 4) : 1;
    this.root.style.setProperty("--ntk-scale", String(scale));
    const maxHeight = full ? Math.max(150 * scale, this.roomPerRow()) : Infinity;
    const text = parseFloat(getComputedStyle(document.documentElement).fontSize) / TEXT; // where a reader enlarges it
    for (const chart of this.charts) {
      const width = chart.node.clientWidth || 320;
      chart.resize(width, scale * clamp(text, 1, Math.max(1, width / scale / NARROWEST)), maxHeight);
    }
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
    const bottom = this.live.getBoundingClientRect().top + this.root.scrollTop; // which takes no place, below all others
    const margin = parseFloat(getComputedStyle(this.root).paddingBottom);
    return (window.innerHeight - (bottom - top - pictures) - margin) / rows.size;
  }

  toggleFullScreen() {
    if (document.fullscreenElement === this.root) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  /**
   * A sentence below the picture. With `aloud` a screen reader reads it, when the reader has moved a control, unless a
   * class is voting.
   *
   * @param {string} html
   */
  summarise(html, { aloud = false } = {}) {
    this.summaryLine.innerHTML = html;
    if (!aloud) return;
    clearTimeout(this.saying);
    this.saying = window.setTimeout(() => (this.live.textContent = this.hidden ? "" : this.summaryLine.textContent), 600);
  }

  // Python

  /**
   * Send a request to the kernel; the promise fails with what Python said.
   *
   * @param {object} request
   * @returns {Promise<Answer>}
   */
  ask(request) {
    const id = Math.random().toString(36).slice(2); // several requests, of several views, may be on their way
    return new Promise((resolve, reject) => {
      /** @type {<Value>(settle: (value: Value) => void, value: Value) => void} */
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.model.off("msg:custom", receive);
        settle(value);
      };
      /** @param {any} content @param {DataView[]} buffers */
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

  /**
   * A button, with a kernel alone, for what Python computes: `request()` is asked for, `take(answer, request)` shows it.
   *
   * @template {object} Request
   * @param {string} label
   * @param {() => Request} request
   * @param {(answer: Answer, request: Request) => void} take
   */
  askButton(label, request, take) {
    if (!hasKernel(this.model)) return;
    const button = this.button(label, async () => {
      const asked = request();
      button.disabled = true;
      button.textContent = "Computing \u2026";
      try {
        take(await this.ask(asked), asked);
      } catch (error) {
        this.summarise(refusal(error), { aloud: true });
      }
      button.disabled = false;
      button.textContent = label;
    });
  }

  // Life

  /**
   * @param {EventTarget} target
   * @param {string} event
   * @param {(event: any) => void} handler
   */
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
    if (rgb) this.root.classList.toggle("ntk-dark", 0.3 * Number(rgb[0]) + 0.6 * Number(rgb[1]) + 0.1 * Number(rgb[2]) > 128);
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
    this.listen(window, "hashchange", () => this.followAddress());
    if (this.linked) this.show();
    this.root.dataset.ntkState = "ready";
  }

  /** Whoever follows a link to a setting sees it; the mathematics above it may still grow. */
  show() {
    const scroll = () => this.root.scrollIntoView();
    scroll();
    /** @type {any} */ (window).MathJax?.startup?.promise?.then(scroll);
  }
}

/**
 * What a module exports as its `render`: `build(frame)` adds controls and panels and draws. An error is shown in one line and
 * marks the root element.
 *
 * @template {Record<string, any>} State
 * @param {{ name: string, question: string, tries: string[], build: (frame: Frame<State>) => void }} widget
 */
export function renderWith({ name, question, tries, build }) {
  /** @param {{ model: Model, el: HTMLElement }} view */
  return ({ model, el }) => {
    /** @type {Frame<State>} */
    const frame = new Frame({ model, el, name, question, tries });
    try {
      build(frame);
      frame.ready();
    } catch (error) {
      console.error(error);
      frame.root.dataset.ntkState = "error";
      frame.root.replaceChildren(element("p", { class: "ntk-error" }, `This widget could not start: ${messageOf(error)}`));
    }
    return () => frame.cleanups.forEach((cleanup) => cleanup());
  };
}
