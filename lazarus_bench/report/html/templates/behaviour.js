"use strict";
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  root.classList.add("scripted");

  const stored = (value) => {
    // A file opened from disk may have no storage; then the choice lasts as long as the page.
    try {
      if (value === undefined) return localStorage.getItem("lazarus-bench-theme");
      localStorage.setItem("lazarus-bench-theme", value);
    } catch {}
    return null;
  };
  const button = $("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const paint = () => button.setAttribute("aria-pressed", String(dark()));
  const known = stored();
  if (known === "dark" || known === "light") root.dataset.theme = known;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    stored(root.dataset.theme);
    paint();
  });
  system.addEventListener("change", paint);
  paint();

  const form = $("filters");
  const reveal = () => {
    let target = null;
    try {
      target = $(decodeURIComponent(location.hash.slice(1)));
    } catch {}
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (!target) return;
    // A link leads to its claim, though the filters hide it.
    if (target.closest("[hidden]")) {
      form.reset();
      filter();
    }
    target.scrollIntoView();
    const at = target.tagName === "DETAILS" ? target.querySelector("summary") : target;
    at.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  // The same link followed twice changes no hash, but its target may have been closed since.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) setTimeout(reveal);
  });

  const folded = [];
  addEventListener("beforeprint", () => {
    for (const at of document.querySelectorAll("details:not([open])")) {
      folded.push(at);
      at.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const at of folded.splice(0)) at.open = false;
  });

  if (!form) return reveal();
  const sections = new Map();
  for (const at of document.querySelectorAll("details.claim")) sections.set(at.dataset.claim, at);
  const plain = (text) => text.normalize("NFKD").toLowerCase();
  const rows = [...document.querySelectorAll("#table .row")].map((at) => ({
    at,
    text: plain(`${at.dataset.claim} ${at.textContent} ${sections.get(at.dataset.claim).textContent}`),
  }));
  const filter = () => {
    const words = plain($("query").value).split(/\s+/).filter(Boolean);
    const verdicts = new Set([...form.querySelectorAll("[name=verdict]:checked")].map((at) => at.value));
    const family = $("family").value;
    const subject = $("subject").value;
    const claims = new Set();
    let count = 0;
    for (const { at, text } of rows) {
      const { dataset } = at;
      const fits =
        verdicts.has(dataset.verdict) &&
        (!family || dataset.family === family) &&
        (!subject || dataset.subject === subject) &&
        words.every((word) => text.includes(word));
      at.hidden = !fits;
      // A claim says its sentence once: where its first row is hidden, the next one says it.
      at.querySelector(".claim").classList.toggle("again", claims.has(dataset.claim));
      if (!fits) continue;
      count += 1;
      claims.add(dataset.claim);
    }
    for (const body of document.querySelectorAll("#table tbody")) body.hidden = !body.querySelector(".row:not([hidden])");
    for (const [claim, at] of sections) at.hidden = !claims.has(claim);
    for (const at of document.querySelectorAll("section.family")) at.hidden = !at.querySelector(".claim:not([hidden])");
    $("nothing").hidden = count > 0;
    $("table").hidden = count === 0;
    $("shown").textContent = `${count} of ${rows.length} verdicts shown`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  const fold = (open) => {
    for (const at of sections.values()) if (!open || !at.hidden) at.open = open;
  };
  $("open").addEventListener("click", () => fold(true));
  $("close").addEventListener("click", () => fold(false));
  // A browser keeps what was typed when a page is loaded again.
  filter();
  reveal();
})();
