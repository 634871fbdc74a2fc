// A page on paper: in the light colours, with what is folded open, and with the address where a figure moves.
(() => {
  "use strict";

  /** @type {(() => void)[]} */
  const undo = [];

  const address = () => /** @type {HTMLLinkElement | null} */ (document.querySelector('link[rel="canonical"]'))?.href ?? "";

  /** @param {HTMLElement} widget */
  const point = (widget) => {
    const where = `${address()}#${widget.id}`;
    const line = document.createElement("p");
    line.className = "ntk-on-paper";
    line.textContent = "This is one setting of an interactive figure. ";
    if (address()) {
      const link = document.createElement("a");
      link.href = where;
      link.textContent = where;
      line.append("It moves at ", link, ".");
    } else line.append("It moves on this chapter's page of the site.");
    widget.append(line);
    undo.push(() => line.remove());
  };

  addEventListener("beforeprint", () => {
    const { theme } = document.documentElement.dataset;
    document.documentElement.dataset.theme = "light";
    undo.push(() => (document.documentElement.dataset.theme = theme));
    for (const fold of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details.sd-dropdown:not([open])"))) {
      fold.open = true;
      undo.push(() => (fold.open = false));
    }
    for (const widget of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-ntk-widget]"))) point(widget);
  });

  addEventListener("afterprint", () => {
    while (undo.length) undo.pop()?.();
  });
})();
