// Mounts the book's widgets on pages without a kernel.
//
// myst-nb leaves two kinds of script on a page: one with the state of every widget model, and one where each view
// belongs. Each model's state carries its own ES module (`_esm`) and style (`_css`), as anywidget defines them; this
// script imports the module and calls its `render({model, el})` with a model that has no kernel behind it.
(() => {
  "use strict";

  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

  /**
   * A saved model: its state, and the places in it of what is binary.
   *
   * @typedef {{ state: Record<string, any>, buffers?: { path: (string | number)[], data: string }[] }} Saved
   */
  /** @typedef {{ model: StaticModel, widget: Promise<any> }} Loaded */

  /** @param {string} base64 */
  const bytes = (base64) => {
    const text = atob(base64);
    const array = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
    return new DataView(array.buffer);
  };

  /**
   * The saved state with its binary parts put back where they belong.
   *
   * @param {Saved} saved
   */
  const restore = ({ state, buffers = [] }) => {
    for (const { path, data } of buffers) {
      const parent = path.slice(0, -1).reduce((/** @type {any} */ node, key) => node[key], state);
      parent[path[path.length - 1]] = bytes(data);
    }
    return state;
  };

  /** @typedef {(model: StaticModel, value: any) => void} Listener */

  // What a widget may ask of its model, answered from the saved state alone.
  class StaticModel {
    ntkStatic = true;
    #state;
    /** @type {Map<string, Set<Listener>>} */
    #listeners = new Map();

    /** @param {Record<string, any>} state */
    constructor(state) {
      this.#state = state;
    }

    /** @param {string} name */
    get(name) {
      return this.#state[name];
    }

    /** @type {(name: string, value: any) => void} */
    set(name, value) {
      if (this.#state[name] === value) return;
      this.#state[name] = value;
      this.#emit(`change:${name}`, value);
      this.#emit("change", value);
    }

    save_changes() {}

    send() {}

    /** @type {(event: string, callback: Listener) => void} */
    on(event, callback) {
      this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(callback));
    }

    /** @type {(event?: string | null, callback?: Listener | null) => void} */
    off(event, callback) {
      if (event === undefined || event === null) this.#listeners.clear();
      else if (callback === undefined || callback === null) this.#listeners.delete(event);
      else this.#listeners.get(event)?.delete(callback);
    }

    /** @type {(event: string, value: any) => void} */
    #emit(event, value) {
      for (const callback of [...(this.#listeners.get(event) ?? [])]) callback(this, value);
    }
  }

  /**
   * Views of the same model share it, and its module is imported once.
   *
   * @param {Saved} saved
   * @returns {Loaded}
   */
  const load = (saved) => {
    const model = new StaticModel(restore(saved));
    const source = new Blob([model.get("_esm")], { type: "text/javascript" });
    const url = URL.createObjectURL(source);
    const widget = import(url)
      .then(async (module) => {
        let definition = module.default ?? module;
        if (typeof definition === "function") definition = await definition();
        await definition.initialize?.({ model });
        return definition;
      })
      .finally(() => URL.revokeObjectURL(url));
    return { model, widget };
  };

  /** @param {string | undefined} css */
  const addStyle = (css) => {
    if (!css || [...document.querySelectorAll("style[data-ntk-css]")].some((node) => node.textContent === css)) return;
    const style = document.createElement("style");
    style.dataset.ntkCss = "";
    style.textContent = css;
    document.head.append(style);
  };

  /** @type {(el: HTMLElement, error: unknown) => void} */
  const fail = (el, error) => {
    console.error(error);
    const root = /** @type {HTMLElement} */ (el.querySelector("[data-ntk-widget]") ?? el);
    root.dataset.ntkWidget ??= "unknown";
    root.dataset.ntkState = "error";
    const note = document.createElement("p");
    note.className = "ntk-error";
    note.setAttribute("role", "alert");
    note.textContent = `This interactive figure could not be shown (${error instanceof Error ? error.message : error}).`;
    root.append(note);
  };

  /** @type {(script: Element, saved: Record<string, Saved>, loaded: Record<string, Loaded>) => Promise<void>} */
  const mount = async (script, saved, loaded) => {
    const el = document.createElement("div");
    el.className = "ntk-view";
    script.after(el);
    try {
      const id = JSON.parse(script.textContent ?? "").model_id;
      if (!saved[id]?.state?._esm) throw new Error("its saved state is missing");
      loaded[id] ??= load(saved[id]);
      const { model, widget } = loaded[id];
      const definition = await widget;
      addStyle(model.get("_css"));
      await definition.render({ model, el });
    } catch (error) {
      fail(el, error);
    }
  };

  const start = () => {
    const views = [...document.querySelectorAll(VIEW)];
    /** @type {Record<string, Saved>} */
    const saved = {};
    try {
      for (const script of document.querySelectorAll(STATE)) Object.assign(saved, JSON.parse(script.textContent ?? "").state);
    } catch (error) {
      console.error(error); // each view then reports that its state is missing
    }
    /** @type {Record<string, Loaded>} */
    const loaded = {};
    for (const script of views) mount(script, saved, loaded);
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
