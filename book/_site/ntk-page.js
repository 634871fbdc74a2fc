// What a page does by itself: the Tab key stops at a formula only where it scrolls, and an address opens its fold.
(() => {
  "use strict";

  const sizes = new ResizeObserver((entries) => {
    for (const { target: formula } of entries) {
      if (formula.scrollWidth > formula.clientWidth + 1) formula.setAttribute("tabindex", "0");
      else formula.removeAttribute("tabindex");
    }
  });

  const watchFormulas = async () => {
    await (/** @type {any} */ (window).MathJax?.startup?.promise);
    for (const formula of document.querySelectorAll("div.math, mjx-container")) sizes.observe(formula);
  };

  const openFold = () => {
    const fold = document.getElementById(location.hash.slice(1));
    if (!(fold instanceof HTMLDetailsElement)) return;
    fold.open = true;
    fold.scrollIntoView();
  };

  addEventListener("hashchange", openFold);
  addEventListener("load", openFold);
  addEventListener("load", watchFormulas);
})();
