// Linear convergence: the training error beside the three rates of Corollary 2.5, and the least eigenvalue below it.

/** The runs of one setting: S_t / S_0 and lambda_min(K_t) / lambda for each seed, from a flat block of rows. */
class ConvergenceRuns {
  constructor(flat, times) {
    this.times = times;
    this.errors = [];
    this.eigenvalues = [];
    for (let start = 0; start < flat.length; start += 2 * times.length) {
      this.errors.push(Array.from(flat.slice(start, start + times.length)));
      this.eigenvalues.push(Array.from(flat.slice(start + times.length, start + 2 * times.length)));
    }
  }

  /** For each network the least of ln(S_0 / S_t) n / (lambda t) over t > 0: it obeys every rate up to this one. */
  slowest() {
    const rates = (row) => row.map((error, k) => -Math.log(error) / this.times[k]).filter((v, k) => k > 0 && !Number.isNaN(v));
    return this.errors.map((row) => Math.min(...rates(row)));
  }

  lowest() {
    return this.eigenvalues.map((row) => Math.min(...row.filter(Number.isFinite)));
  }
}

/** The place of a setting's block among all, axes in the order in which ntkbook.widgets.LinearConvergence stores them. */
function placeOf(meta, { activation, depth, labels, points, width }) {
  const chosen = [activation, depth, labels, points, width];
  const axes = [meta.activations, meta.depths, meta.labels, meta.points, meta.widths];
  return axes.reduce((place, axis, k) => place * axis.length + axis.indexOf(chosen[k]), 0);
}

const RATES = [
  { rate: 0.5, text: "paper", html: "e<sup>\u2212\u03bb<i>t</i>/2<i>n</i></sup>", colour: COLOURS[3], dash: "2 3" },
  { rate: 1, text: "proof", html: "e<sup>\u2212\u03bb<i>t</i>/<i>n</i></sup>", colour: COLOURS[4], dash: "none" },
  { rate: 2, text: "frozen kernel", html: "e<sup>\u22122\u03bb<i>t</i>/<i>n</i></sup>", colour: COLOURS[2], dash: "6 4" },
];

function buildConvergence(frame) {
  const { model, state } = frame;
  const meta = model.get("meta");
  const { times, seeds } = meta;
  const all = floats(model.get("data"));
  const block = seeds * 2 * times.length;
  const fresh = new Map(); // blocks that Python has computed, by place
  const names = { hardest: "slowest mode", signs: "random signs" };

  const initial = { points: meta.points[1], width: meta.widths[1], depth: meta.depths[0], activation: meta.activations[0], labels: meta.labels[0], ...meta.initial };
  frame.range("points", { label: "Points <i>n</i>", initial: initial.points, choices: () => meta.points });
  frame.range("width", { label: "Width <i>m</i>", initial: initial.width, choices: () => meta.widths });
  frame.range("depth", { label: "Hidden layers <i>H</i>", initial: initial.depth, choices: () => meta.depths });
  frame.select("activation", { label: "Activation", initial: initial.activation, options: meta.activations.map((value) => ({ value, label: value })) });
  frame.select("labels", { label: "Residual at the start", initial: initial.labels, options: meta.labels.map((value) => ({ value, label: names[value] ?? value })) });

  const error = new Chart({ title: "Training error <i>S<sub>t</sub></i> / <i>S</i><sub>0</sub> of each network" });
  const low = new Chart({ title: "Least eigenvalue of the kernel, \u03bb<sub>min</sub>(<i>K<sub>t</sub></i>) / \u03bb" });
  frame.panel(error);
  frame.panel(low);
  frame.legend([
    { label: `one of ${seeds} networks`, colour: COLOURS.exact, width: 1.4 },
    ...RATES.map(({ rate, html, colour, dash }) => ({
      label: `${html}${rate === 0.5 ? ", stated in the paper" : rate === 1 ? ", what its proof gives" : ", rate of the frozen kernel: no bound"}`,
      colour, dash, width: 1.6,
    })),
    { label: "\u03bb, of infinite width", colour: COLOURS.limit, dash: "5 4" },
  ]);

  function draw(aloud) {
    const place = placeOf(meta, state);
    const runs = new ConvergenceRuns(fresh.get(place) ?? all.slice(place * block, (place + 1) * block), times);
    const end = times[times.length - 1];
    const x = { min: 0, max: end, label: "*t* in units of *n* / \u03bb" };
    error.setAxes({ x, y: { min: 1e-5, max: 3, log: true } });
    for (const { rate, text, colour, dash } of RATES) {
      error.line(`rate ${rate}`, [0, end], [1, Math.exp(-rate * end)], { colour, dash, width: 1.8 });
      error.label(`name ${rate}`, end, Math.exp(-rate * end), text, { colour, anchor: "end", dx: -4, dy: rate === 2 ? -32 : -14 });
    }
    const top = clamp(1.15 * Math.max(...runs.eigenvalues.flat().filter(Number.isFinite)), 1.4, 4);
    low.setAxes({ x, y: { min: 0, max: top } });
    low.line("lambda", [0, end], [1, 1], { colour: COLOURS.limit, width: 1.6, dash: "5 4" });
    low.line("half", [0, end], [0.5, 0.5], { colour: COLOURS.guide, width: 1.2 });
    low.label("half name", end, 0.5, "\u03bb/2", { anchor: "end", dx: -4, dy: 9 });
    low.label("lambda name", end, 1, "\u03bb", { colour: COLOURS.limit, anchor: "end", dx: -4, dy: 9 });
    for (const chart of [error, low]) chart.remove((key) => key.startsWith("network"));
    runs.errors.forEach((row, k) => {
      error.line(`network ${k}`, times, row, { width: 1.4, opacity: 0.8 });
      low.line(`network ${k}`, times, runs.eigenvalues[k], { width: 1.4, opacity: 0.8 });
    });
    describe({ runs, place, aloud });
  }

  function describe({ runs, place, aloud }) {
    const { points, width, depth, activation, labels } = state;
    const least = meta.least[meta.activations.indexOf(activation)][meta.depths.indexOf(depth)][meta.points.indexOf(points)];
    const slowest = runs.slowest();
    const lowest = runs.lowest();
    const obey = RATES.map(({ rate }) => slowest.filter((v) => v >= rate * (1 - 1e-4)).length);
    const wide = lowest.filter((v) => v >= 0.5).length;
    const origin = fresh.has(place) ? "Computed just now by Python." : hasKernel(model) ? "" : "Precomputed.";
    const counts = RATES.map(({ html }, k) => `${obey[k]} below ${html}`).join(", ");
    frame.summarise(
      `\u03bb = ${readable(least, 2)}, <i>n</i>/\u03bb = ${readable(points / least, 2)}. Of ${runs.errors.length} networks ` +
        `${wide} ${wide === 1 ? "keeps" : "keep"} the least eigenvalue above \u03bb/2; ${counts}. <span class="ntk-quiet">${origin}</span>`,
      { aloud },
    );
    const setting = `${points} points, width ${width}, ${depth === 1 ? "one hidden layer" : `${depth} hidden layers`}, ${activation}, residual: ${names[labels] ?? labels}`;
    error.describe(`Training error against time on a logarithmic axis, with three straight lines for the rates one half, one and two times lambda over n. The slowest of the networks reaches ${slowest.map((v) => readable(v, 2)).join(", ")} times lambda over n. ${setting}.`);
    low.describe(`Least eigenvalue of the kernel over lambda against time; its least values are ${lowest.map((v) => readable(v, 2)).join(", ")}, the corollary asks for more than one half. ${setting}.`);
  }

  frame.changed = () => draw(true);

  let first = seeds;
  frame.askButton("New networks from Python", () => ({ ...state, first_seed: first }), ({ buffers }, asked) => {
    fresh.set(placeOf(meta, asked), floats(buffers[0]));
    first += seeds;
    draw(true);
  });

  frame.restore();
  draw(false);
}

export { ConvergenceRuns, placeOf };

export default {
  render: renderWith({
    name: "linear-convergence",
    question: "Which of the three rates does a network of this width obey?",
    tries: [
      "Widen the network from <i>m</i> = 2 to 128. Which of the three lines does every network stay below, and which only some?",
      "Set the residual at the start to random signs. Why do the networks run ahead of all three lines?",
      "Add points. At which width does the least eigenvalue at the start come up to \u03bb/2?",
    ],
    build: buildConvergence,
  }),
};
