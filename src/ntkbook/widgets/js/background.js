// Sums that would keep the reader waiting, in a worker: a second copy of the widget's own module, as a plain script, since
// on a page from disk a worker takes no module.

/**
 * At the top of a widget's script: its copy in the worker answers what the page asks.
 *
 * @template Question, Reply
 * @param {(question: Question) => Reply} answer
 */
export function serve(answer) {
  if ("importScripts" in globalThis) self.onmessage = ({ data }) => self.postMessage(answer(data));
}

/**
 * Asks the worker, or, where a page may have none, the same function after the next picture.
 *
 * @template Question, Reply
 */
export class Background {
  /**
   * @param {string} text Of the module, in which `answer` is served
   * @param {(question: Question) => Reply} answer
   */
  constructor(text, answer) {
    this.answer = answer;
    /** @type {{ question: Question, take: (reply: Reply) => void } | null} */
    this.asked = null;
    /** @type {{ question: Question, take: (reply: Reply) => void } | null} */
    this.next = null;
    const script = text.replace(/^export default /m, "self.widget = ").replace(/^export /gm, "");
    this.url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    /** @type {Worker | null} */
    this.worker = null;
    try {
      this.worker = new Worker(this.url);
      this.worker.onmessage = ({ data }) => this.receive(data);
      this.worker.onerror = () => this.doWithout();
    } catch {
      // not allowed here
    }
  }

  /**
   * Of several questions the last one counts: those that wait are passed over.
   *
   * @param {Question} question
   * @param {(reply: Reply) => void} take
   */
  ask(question, take) {
    this.next = { question, take };
    if (!this.asked) this.send();
  }

  send() {
    this.asked = this.next;
    this.next = null;
    if (!this.asked) return;
    const { question } = this.asked;
    if (this.worker) this.worker.postMessage(question);
    else requestAnimationFrame(() => setTimeout(() => this.receive(this.answer(question))));
  }

  /** Whether it waits for questions. */
  get idle() {
    return !this.asked;
  }

  /** @param {Reply} reply */
  receive(reply) {
    const asked = this.asked;
    const last = !this.next;
    this.send();
    if (last) asked?.take(reply);
  }

  doWithout() {
    this.close();
    this.worker = null;
    this.next ??= this.asked;
    this.send();
  }

  close() {
    this.worker?.terminate();
    URL.revokeObjectURL(this.url);
  }
}
