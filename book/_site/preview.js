// Shows what a link of the text leads to, in place: when it is pointed at, reached by keyboard, or tapped.
//
// `tools/ntksite/previews.py` writes what is shown into a script beside each page, which is loaded at the first need. A
// second tap, or a click, follows the link as ever. Escape, leaving, or a tap elsewhere closes the preview.
(() => {
  "use strict";

  const LINKS = "a.reference.internal[href*='#']";
  const GAP = 4; // between link and preview
  const OPEN_AFTER = 250; // ms
  const CLOSE_AFTER = 300; // time to move the pointer from the link to the preview

  const { previews = "", mathjax = "" } = document.currentScript?.dataset ?? {};

  /** @typedef {{ MathJax?: any, ntkPreviews?: Record<string, string> }} Page */
  const page = /** @type {Window & Page} */ (window);

  /** @type {Map<string, Promise<void>>} */
  const loaded = new Map();

  /**
   * Loads a script once; one that cannot be loaded is as good as an empty one.
   *
   * @param {string} address
   */
  const load = (address) => {
    const script = document.createElement("script");
    script.src = address;
    const done = loaded.get(address) ?? new Promise((resolve) => {
      script.onload = script.onerror = () => resolve(undefined);
      document.head.append(script);
    });
    loaded.set(address, done);
    return done;
  };

  /**
   * Sets the formulas; a page without any has no MathJax yet.
   *
   * @param {HTMLElement} node
   */
  const typeset = async (node) => {
    if (!node.querySelector(".math")) return;
    if (!page.MathJax) {
      page.MathJax = { startup: { typeset: false } };
      await load(mathjax);
    }
    await page.MathJax.startup?.promise;
    await page.MathJax.typesetPromise?.([node]);
    for (const formula of node.querySelectorAll("[tabindex]")) formula.removeAttribute("tabindex");
  };

  const box = document.createElement("div");
  box.id = "ntk-preview";
  box.className = "ntk-preview";
  box.tabIndex = -1;
  box.hidden = true;

  /** @type {HTMLAnchorElement | null} */
  let shown = null;
  /** @type {HTMLAnchorElement | null} */
  let wanted = null;
  let timer = 0;
  let pointer = "mouse";

  /** Below the link, or above it where there is more room; never beyond the edge of the window. */
  const place = () => {
    if (!shown) return;
    const link = shown.getClientRects()[0] ?? shown.getBoundingClientRect();
    const above = link.top - 2 * GAP;
    const below = innerHeight - link.bottom - 2 * GAP;
    box.style.maxHeight = "";
    const upwards = box.offsetHeight > below && above > below;
    box.style.maxHeight = `${Math.max(upwards ? above : below, 80)}px`;
    box.style.left = `${Math.max(GAP, Math.min(link.left, document.documentElement.clientWidth - box.offsetWidth - GAP))}px`;
    box.style.top = `${upwards ? link.top - GAP - box.offsetHeight : link.bottom + GAP}px`;
  };

  const close = () => {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = wanted = null;
    box.hidden = true;
    box.replaceChildren();
  };

  /** @type {(link: HTMLAnchorElement, tapped: boolean) => Promise<void>} */
  const open = async (link, tapped) => {
    clearTimeout(timer); // of closing what was left for this link
    wanted = link;
    await load(previews);
    const html = page.ntkPreviews?.[link.getAttribute("href") ?? ""];
    if (wanted !== link) return;
    if (!html) {
      close();
      if (tapped) link.click();
      return;
    }
    const body = document.createElement("div");
    body.innerHTML = html;
    shown?.removeAttribute("aria-describedby");
    box.replaceChildren(body);
    box.setAttribute("role", tapped ? "dialog" : "tooltip");
    if (tapped) {
      const onwards = document.createElement("a");
      onwards.href = link.href;
      onwards.textContent = "Go there";
      onwards.className = "ntk-preview-go";
      onwards.addEventListener("click", () => close());
      box.append(onwards);
      box.setAttribute("aria-label", link.textContent ?? "");
    } else {
      box.removeAttribute("aria-label");
      link.setAttribute("aria-describedby", box.id);
    }
    link.closest("article")?.append(box);
    shown = link;
    box.hidden = false;
    place();
    if (tapped) box.focus({ preventScroll: true });
    for (const image of body.querySelectorAll("img")) image.addEventListener("load", place);
    await typeset(body);
    if (shown === link) place();
  };

  /** @type {(event: Event) => HTMLAnchorElement | null} */
  const linkOf = (event) => (event.target instanceof Element ? event.target.closest(LINKS) : null);

  /** @type {(event: Event) => boolean} */
  const inBox = (event) => event.target instanceof Node && box.contains(event.target);

  /** @type {(event: Event) => boolean} */
  const intoBox = (event) => event instanceof FocusEvent && event.relatedTarget instanceof Node && box.contains(event.relatedTarget);

  const closeSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(close, CLOSE_AFTER);
  };

  const start = () => {
    const article = document.querySelector("article.bd-article");
    article?.addEventListener("pointerover", (event) => {
      if (!(event instanceof PointerEvent) || event.pointerType === "touch") return;
      const link = linkOf(event);
      if (inBox(event) || (link && link === shown)) clearTimeout(timer);
      else if (link && link !== wanted) {
        clearTimeout(timer);
        timer = setTimeout(() => open(link, false), OPEN_AFTER);
      }
    });
    article?.addEventListener("pointerout", (event) => {
      if (event instanceof PointerEvent && event.pointerType !== "touch" && (linkOf(event) || inBox(event))) closeSoon();
    });
    article?.addEventListener("focusin", (event) => {
      const link = linkOf(event);
      if (link?.matches(":focus-visible")) open(link, false);
    });
    article?.addEventListener("focusout", (event) => {
      if (linkOf(event) && !intoBox(event) && !box.matches(":hover")) closeSoon();
    });
    article?.addEventListener("click", (event) => {
      const link = linkOf(event);
      if (!link || inBox(event) || pointer !== "touch" || !event.isTrusted || link === shown) return;
      event.preventDefault();
      open(link, true);
    });
    document.addEventListener("pointerdown", (event) => {
      pointer = event.pointerType;
      if (shown && !inBox(event) && linkOf(event) !== shown) close();
    });
    document.addEventListener("keydown", (event) => {
      pointer = "keyboard";
      if (event.key === "Escape" && shown) {
        const back = box.contains(document.activeElement) ? shown : null;
        close();
        back?.focus({ preventScroll: true });
      }
    });
    addEventListener("scroll", place, { passive: true });
    addEventListener("resize", place);
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
