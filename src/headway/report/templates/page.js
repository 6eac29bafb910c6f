"use strict";
(() => {
  const words = document.querySelector(".wrap").dataset;
  const parts = [...document.querySelectorAll("details.part")];
  const make = (name, text, more) => Object.assign(document.createElement(name), {textContent: text}, more);

  // A link to a place in a closed part opens it.
  const reveal = () => {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let e = place; e; e = e.parentElement) if (e.localName === "details") e.open = true;
    if (place) place.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });
  if (location.hash) reveal();

  // Paper has every part, whatever is open.
  let shut = [];
  addEventListener("beforeprint", () => {
    shut = parts.filter(part => !part.open);
    shut.forEach(part => { part.open = true; });
  });
  addEventListener("afterprint", () => shut.forEach(part => { part.open = false; }));

  if (parts.length) {
    const all = make("button", words.open, {type: "button"});
    all.addEventListener("click", () => {
      const open = parts.some(part => !part.open);
      parts.forEach(part => { part.open = open; });
      all.textContent = open ? words.close : words.open;
    });
    const line = make("p", "", {className: "tools"});
    line.append(all);
    parts[0].closest("section").before(line);
  }

  const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const number = text => {
    const found = text.replaceAll("\u2212", "-").match(/^\s*[<>≤≥]?\s*(-?\d[\d  \u202f]*(?:[.,]\d+)?)/u);
    return found ? parseFloat(found[1].replace(/\s/gu, "").replace(",", ".")) : NaN;
  };
  const texts = row => [...row.cells].map(cell => cell.textContent.trim());

  // A cell as a spreadsheet reads it: numbers as numbers, text never as a formula.
  const cell = text => {
    if (/^[−+-]?\d[\d  \u202f]*(?:[.,]\d+)?$/u.test(text)) {
      return text.replace("−", "-").replace(/\s/gu, "");
    }
    const safe = /^'*(?:[\s\u200b\ufeff]*[=+\-@＝＋－＠]|[\t\r\n])/u.test(text) ? "'" + text : text;
    return /["\r\n,;\t]/u.test(safe) || safe !== safe.trim() ? '"' + safe.replaceAll('"', '""') + '"' : safe;
  };
  const write = rows => "\ufeff" + rows.map(row => row.map(cell).join(words.delimiter)).join("\r\n") + "\r\n";

  const sort = (table, body, rows, head, column) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("th[aria-sort]").forEach(th => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keys = new Map(rows.map(row => [row, row.cells[column].textContent.trim()]));
    const filled = [...keys.values()].filter(text => text && text !== words.missing);
    const numeric = filled.filter(text => !isNaN(number(text))).length * 2 > filled.length;
    const value = row => numeric ? number(keys.get(row)) : keys.get(row);
    const blank = row => numeric ? isNaN(value(row)) : !value(row) || value(row) === words.missing;
    const compare = (a, b) => {
      if (blank(a) || blank(b)) return blank(a) - blank(b);
      const order = numeric ? value(a) - value(b)
        : value(a).localeCompare(value(b), document.documentElement.lang, {numeric: true});
      return up ? order : -order;
    };
    body.append(...[...rows].sort(compare));
  };

  document.querySelectorAll("[data-tools]").forEach((box, place) => {
    const table = box.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
    const title = table.caption.textContent.trim();
    const id = "filter-" + place;
    const label = make("label", words.filter + " ", {htmlFor: id});
    const field = make("input", "", {type: "search", id});
    field.setAttribute("aria-label", words.filter + ": " + title);
    const count = make("span", "", {className: "note"});
    count.setAttribute("role", "status");
    const save = make("button", words.download, {type: "button"});
    save.setAttribute("aria-label", words.download + ": " + title);
    const tools = make("div", "", {className: "tools"});
    tools.append(label, field, count, save);
    box.before(tools);
    field.addEventListener("input", () => {
      const asked = plain(field.value).split(/\s+/u).filter(Boolean);
      rows.forEach(row => {
        const text = plain(texts(row).join(" "));
        row.hidden = !asked.every(word => text.includes(word));
      });
      const shown = rows.filter(row => !row.hidden).length;
      count.textContent = words.shown.replace("{n}", shown).replace("{all}", rows.length);
    });
    const top = table.tHead.rows[0];
    [...top.cells].forEach((head, column) => {
      const name = head.textContent;
      if (!name.trim()) return;
      const button = make("button", name, {type: "button", title: words.sort});
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(table, body, rows, head, column));
    });
    save.addEventListener("click", () => {
      const shown = [...body.rows].filter(row => !row.hidden).map(texts);
      const link = make("a", "", {
        href: URL.createObjectURL(new Blob([write([texts(top), ...shown])], {type: "text/csv"})),
        download: box.dataset.tools + ".csv",
      });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href));
    });
  });
})();
