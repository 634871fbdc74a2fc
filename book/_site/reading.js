// What a reader's browser remembers, on this machine alone: chapters read, exercises solved, the last place.
//
// The marks stand under one key of the browser's storage, named by the folder of the site, since other books may lie on
// the same host. The place stands beside it: it is written without being asked, by pages that may not have heard yet of
// a mark that another one made. Every page shows anew what another changed. Where nothing can be kept, nothing is shown.
// `tools/ntksite/reading.py` tells a chapter its name, and the first page the chapters, their sections and exercises.
(() => {
  "use strict";

  /** @typedef {{ read: string[], solved: string[], last: string[] }} Memory `last`: a chapter, and a section or "" */
  /** @typedef {{ title: string, sections: Record<string, string>, exercises: string[] }} Chapter */

  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement)) return;
  const { chapter = "", chapters = "" } = script.dataset;
  const root = new URL("..", script.src);
  const MARKS = `ntk-reading-1 ${root.pathname}`;
  const PLACE = `${MARKS} last`;

  const storage = (() => {
    try {
      const found = localStorage;
      found.setItem(`${MARKS} probe`, "");
      found.removeItem(`${MARKS} probe`);
      return found instanceof Storage ? found : null; // another is the page's own, forgotten with it
    } catch {
      return null;
    }
  })();
  if (!storage) return;

  /** @type {(value: unknown) => string[]} */
  const list = (value) => (Array.isArray(value) ? value : []);

  /**
   * Whatever stands under a key: what is not understood counts as nothing.
   *
   * @param {string} key
   */
  const parse = (key) => {
    try {
      return Object(JSON.parse(storage.getItem(key) ?? "null"));
    } catch {
      return {};
    }
  };

  /** @returns {Memory} */
  const recall = () => {
    const marks = parse(MARKS);
    return { read: list(marks.read), solved: list(marks.solved), last: list(parse(PLACE)) };
  };

  /** @type {((memory: Memory) => void)[]} */
  const parts = [];

  const show = () => {
    const memory = recall();
    for (const part of parts) part(memory);
  };

  /** @type {(key: string, value: object) => void} */
  const keep = (key, value) => {
    try {
      storage.setItem(key, JSON.stringify(value));
    } catch {
      // no room left: all stays as it was
    }
    show();
  };

  /**
   * What this script puts into a page has a class that is not printed.
   *
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {string} name
   * @param {string} [text]
   */
  const element = (tag, name, text = "") => {
    const node = document.createElement(tag);
    node.className = `ntk-reading ntk-reading-${name}`;
    node.textContent = text;
    return node;
  };

  /** @type {(kind: "read" | "solved", name: string, text: string, label?: string) => HTMLButtonElement} */
  const toggle = (kind, name, text, label) => {
    const button = element("button", "toggle", text);
    button.type = "button";
    if (label) button.setAttribute("aria-label", label);
    button.addEventListener("click", () => {
      const { read, solved } = recall();
      const marks = { read, solved };
      const others = marks[kind].filter((other) => other !== name);
      keep(MARKS, { ...marks, [kind]: others.length < marks[kind].length ? others : [...others, name] });
    });
    parts.push((memory) => button.setAttribute("aria-pressed", `${memory[kind].includes(name)}`));
    return button;
  };

  /**
   * The document that a link leads to, as the build names it.
   *
   * @param {HTMLAnchorElement} link
   */
  const target = (link) => {
    if (link.getAttribute("href") === "#") return chapter;
    const { pathname } = new URL(link.href);
    return pathname.startsWith(root.pathname) ? pathname.slice(root.pathname.length).replace(/\.html$/, "") : "";
  };

  /** @param {string} selector */
  const links = (selector) => /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll(selector)]);

  // -- every page: a mark in the contents --------------------------------------------------------------------------

  for (const link of links(".bd-docs-nav a.reference.internal")) {
    const mark = element("span", "mark", "✓");
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", "read");
    parts.push(({ read }) => (read.includes(target(link)) ? link.append(" ", mark) : mark.remove()));
  }

  const article = document.querySelector("article.bd-article");

  // -- a chapter: what can be marked, and the section in view --------------------------------------------------------

  if (chapter && article) {
    for (const exercise of article.querySelectorAll("div.exercise[id]")) {
      const title = exercise.querySelector(".admonition-title");
      const number = title?.querySelector(".caption-number")?.textContent?.trim() ?? "";
      title?.append(" ", toggle("solved", exercise.id, "Solved", `Solved: ${number}`));
    }
    const end = element("div", "end");
    end.append(toggle("read", chapter, "Mark chapter as read"));
    article.append(end);

    /** @param {string} section */
    const remember = (section) => {
      const { last } = recall();
      if (last[0] !== chapter || last[1] !== section) keep(PLACE, [chapter, section]);
    };

    let timer = 0;
    let looked = scrollY;
    const look = () => {
      looked = scrollY;
      const begun = [...article.querySelectorAll("section section[id]")]
        .filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
      remember(begun.at(-1)?.id ?? "");
    };
    /** @param {() => void} then */
    const soon = (then) => {
      clearTimeout(timer);
      timer = setTimeout(then, 300);
    };
    addEventListener("scroll", () => soon(look), { passive: true });
    addEventListener("pagehide", () => scrollY !== looked && look()); // too early for the timer, or for the event
    if (recall().last[0] !== chapter) soon(look); // when what the page before this one wrote has arrived
  }

  // -- the first page: how far one has come, where one stopped, and how to forget it ---------------------------------

  if (chapters && article) {
    const known = new Map(/** @type {[string, Chapter][]} */ (Object.entries(JSON.parse(chapters))));
    const rows = links("article table a").filter((link) => known.has(target(link)));
    for (const link of rows) {
      const exercises = known.get(target(link))?.exercises ?? [];
      const note = element("span", "progress");
      link.after(note);
      parts.push(({ read, solved }) => {
        const done = exercises.filter((label) => solved.includes(label)).length;
        const said = [read.includes(target(link)) && "read", done && `${done} of ${exercises.length} solved`];
        note.textContent = said.filter(Boolean).join(" · ");
      });
    }

    const line = element("p", "continue", "Continue: ");
    const onwards = document.createElement("a");
    line.append(onwards);
    article.querySelector("h1")?.after(line);
    parts.push(({ last: [name = "", section = ""] }) => {
      const stopped = known.get(name);
      const title = new Map(Object.entries(stopped?.sections ?? {})).get(section);
      line.hidden = !stopped;
      onwards.href = new URL(`${name}.html${title === undefined ? "" : `#${section}`}`, root).href;
      onwards.textContent = [stopped?.title, title].filter(Boolean).join(" — ");
    });

    const kept = element("p", "kept", "What you mark as read or solved, and where you stopped, is kept in this browser only and sent nowhere. ");
    const button = element("button", "forget");
    const status = document.createElement("span");
    /** @type {Memory | null} */
    let forgotten = null;
    button.type = "button";
    status.setAttribute("role", "status");
    button.addEventListener("click", () => {
      const back = forgotten;
      forgotten = back ? null : recall();
      status.textContent = back ? "" : " Forgotten. You can undo this until you leave the page.";
      if (back) {
        keep(MARKS, { read: back.read, solved: back.solved });
        keep(PLACE, back.last);
      } else {
        for (const key of [MARKS, PLACE]) storage.removeItem(key);
        show();
      }
    });
    kept.append(button, status);
    (rows[0]?.closest("section") ?? article).append(kept);
    parts.push(() => {
      button.textContent = forgotten ? "Undo" : "Forget what I read";
      button.hidden = !forgotten && [MARKS, PLACE].every((key) => storage.getItem(key) === null);
    });
  }

  addEventListener("storage", ({ key }) => (key ?? MARKS).startsWith(MARKS) && show());
  addEventListener("pageshow", ({ persisted }) => persisted && show());
  show();
})();
