"use strict";
(() => {
  // Told where a mark is pointed at, and mark by mark with the arrow keys once a chart has the focus.
  const tip = document.getElementById("tip");
  const told = (mark) => mark.querySelector("title")?.textContent || "";
  const hide = () => { tip.hidden = true; };
  const show = (mark) => {
    const text = mark.dataset.told || told(mark);
    if (!text) return hide();
    tip.textContent = text;
    tip.hidden = false;
    const at = mark.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(at.left + at.width / 2 - tip.offsetWidth / 2, room))}px`;
    tip.style.top = `${at.top > tip.offsetHeight + 12 ? at.top - tip.offsetHeight - 6 : at.bottom + 6}px`;
  };
  const marksOf = (chart) => [...chart.querySelectorAll("[data-told]")].filter((mark) => mark.checkVisibility());
  for (const chart of document.querySelectorAll("figure svg[role=img]")) {
    for (const title of chart.querySelectorAll("path > title, rect > title")) {
      title.parentNode.dataset.told = title.textContent; // else the browser shows its own beside ours
      title.remove();
    }
    if (!chart.querySelector("[data-told]")) continue;
    chart.tabIndex = 0;
    let at = -1;
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Escape: 0 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const marks = marksOf(chart);
      if (!step || !marks.length) return hide();
      at = (at + step + marks.length) % marks.length;
      show(marks[at]);
    });
    chart.addEventListener("blur", () => { at = -1; hide(); });
  }
  for (const cell of document.querySelectorAll(".matrix td[title]")) {
    cell.dataset.told = cell.title;
    cell.removeAttribute("title");
  }
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest?.("[data-told]");
    if (mark) show(mark); else hide();
  });
  document.addEventListener("scroll", hide, { passive: true });

  // A competitor is switched off and on in every figure at once.
  const entries = [...document.querySelectorAll(".legend li[data-key]")];
  const toggle = (key) => {
    const mine = entries.filter((entry) => entry.dataset.key === key).map((entry) => entry.firstElementChild);
    const on = mine[0].getAttribute("aria-pressed") !== "true";
    for (const button of mine) button.setAttribute("aria-pressed", String(on));
    for (const line of document.querySelectorAll(`svg[role=img] .${key}`)) line.style.display = on ? "" : "none";
  };
  for (const entry of entries) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(...entry.childNodes);
    button.addEventListener("click", () => toggle(entry.dataset.key));
    entry.append(button);
  }

  // Tables are sorted by a click on a column's name, and saved as they stand.
  const words = (cell) => cell.textContent.trim().replace(/\s+/g, " ");
  const number = (text) => {
    const found = text.replace(/[\u2212]/g, "-").match(/^[^\d.+-]*([+-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?)/);
    return found ? parseFloat(found[1].replace(/,/g, "")) : NaN;
  };
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (!isNaN(x) && !isNaN(y)) return x - y;
    return isNaN(x) !== isNaN(y) ? (isNaN(x) ? 1 : -1) : a.localeCompare(b);
  };
  const sort = (table, header, column) => {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (down ? -1 : 1) * compare(words(a.cells[column]), words(b.cells[column])));
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sort(table, header, column));
      header.append(button);
    });
  }
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const save = (table) => {
    const lines = [...table.rows].map((row) => [...row.cells].map((cell) => quoted(words(cell))).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = `${(table.caption ? words(table.caption) : "table").slice(0, 40).replace(/\W+/g, "_")}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  for (const table of document.querySelectorAll("table")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "save";
    button.textContent = "Save this table as CSV";
    button.addEventListener("click", () => save(table));
    (table.closest(".scroll") || table).after(button);
  }
})();
