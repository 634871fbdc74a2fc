// Runs in a page of the built site: hands over its text as it is printed, to be bound with that of the other pages.

/** @typedef {{ id: string, level: number, html: string, text: string }} Heading */
/**
 * What a page gives: its headings and its text, its sheets of style, and the rules that its scripts have made.
 *
 * @typedef {{ headings: Heading[], html: string, sheets: string[], rules: string[] }} Part
 */

// In the other domain of the speech engine K^(2) is the second power of K.
const SPEECH = { locale: "en", domain: "mathspeak", style: "brief", modality: "speech" };

/** Every formula with what is said in its place, by MathJax's own speech. */
async function speak() {
  const mathjax = /** @type {any} */ (window).MathJax;
  await mathjax?.startup?.promise;
  const formulas = document.querySelectorAll("article mjx-container");
  if (!formulas.length) return;
  await mathjax.loader.load("a11y/sre");
  const { Sre } = mathjax._.a11y.sre;
  await Sre.setupEngine(SPEECH);
  await Sre.sreReady();
  for (const formula of formulas) {
    const hidden = formula.querySelector("mjx-assistive-mml");
    formula.setAttribute("role", "img");
    formula.setAttribute("aria-label", Sre.toSpeech(hidden?.innerHTML ?? ""));
    formula.removeAttribute("tabindex");
    hidden?.remove();
  }
}

/** @param {string} path */
const nameOf = (path) => path.split("/").at(-1)?.replace(/\.html$/, "") ?? "";

/** Names that are one page's own become the book's own: PAGE--ID. @param {Element} article @param {string} page */
function rename(article, page) {
  const own = (/** @type {string} */ id) => `${page}--${id}`;
  const lists = ["for", "aria-labelledby", "aria-describedby", "aria-controls"];
  for (const node of article.querySelectorAll("*")) {
    if (node.id) node.id = own(node.id);
    for (const name of lists) {
      const names = node.getAttribute(name);
      if (names) node.setAttribute(name, names.split(/\s+/).map(own).join(" "));
    }
    for (const { name, value } of [...node.attributes]) {
      if (value.includes("url(#")) node.setAttribute(name, value.replace(/url\(#([^)]+)\)/g, (_, id) => `url(#${own(id)})`));
    }
  }
}

/** A section is found where its heading stands, not where its box begins: at the end of a page these differ. @param {Element} article */
function anchor(article) {
  for (const heading of article.querySelectorAll("section[id] > :is(h1, h2, h3, h4)")) {
    const section = /** @type {Element} */ (heading.parentElement);
    heading.id = section.id;
    section.removeAttribute("id");
  }
}

/** Links lead to places of the book; what it does not hold is no link. @param {Element} article @param {string} page */
function relink(article, page) {
  for (const link of article.querySelectorAll("a[href]")) {
    const url = new URL(link.getAttribute("href") ?? "", location.href);
    if (url.origin !== location.origin) continue;
    const id = decodeURIComponent(url.hash.slice(1));
    const name = url.pathname === location.pathname ? page : nameOf(url.pathname);
    if (url.pathname.endsWith(".html")) link.setAttribute("href", `#${name}${id ? `--${id}` : ""}`);
    else link.removeAttribute("href");
  }
}

/** What the book's contents list of a page: chapters and sections. @param {Element} article @param {string} page */
function headings(article, page) {
  return [...article.querySelectorAll("section > h1, section > h2")].map((node) => {
    const chapter = node.tagName === "H1";
    return { id: chapter ? page : node.id, level: chapter ? 1 : 2, html: node.innerHTML, text: node.textContent ?? "" };
  });
}

/** What is chosen, written into the text. @param {Element} article */
function settle(article) {
  for (const input of article.querySelectorAll("input")) input.toggleAttribute("checked", input.checked);
  for (const option of article.querySelectorAll("option")) option.toggleAttribute("selected", option.selected);
}

/** The checks of a section are one line, where the links to each of them lead. @param {Element} article */
function foldChecks(article) {
  for (const fold of article.querySelectorAll("details.ntk-checks")) {
    const line = document.createElement("p");
    line.className = fold.className;
    for (const { id } of fold.querySelectorAll("[id]")) line.append(Object.assign(document.createElement("span"), { id }));
    line.append(fold.querySelector("summary")?.textContent ?? "");
    fold.replaceWith(line);
  }
}

const UNPRINTED = "script, style, button, .headerlink, .ntk-noscript, .ntk-hidden, details.hide.above-input, [class^=ntk-reading]";

/**
 * @param {string} page
 * @returns {Promise<Part>}
 */
export async function collect(page) {
  await speak();
  dispatchEvent(new Event("beforeprint"));
  const article = /** @type {HTMLElement} */ (document.querySelector("article.bd-article"));
  for (const node of article.querySelectorAll(UNPRINTED)) node.remove();
  foldChecks(article);
  settle(article);
  anchor(article);
  relink(article, page);
  rename(article, page);
  for (const figure of article.querySelectorAll("figure")) figure.setAttribute("role", "group"); // what it holds has words
  for (const image of article.querySelectorAll("img")) image.src = new URL(image.src).pathname;
  const sheets = [...document.styleSheets];
  const made = sheets.filter((sheet) => sheet.ownerNode instanceof HTMLStyleElement);
  const rules = made.flatMap((sheet) => [...sheet.cssRules].map((rule) => rule.cssText.replaceAll(location.origin, "")));
  const links = sheets.flatMap(({ href }) => (href ? [new URL(href).pathname] : []));
  return { headings: headings(article, page), html: article.innerHTML, rules, sheets: links };
}
