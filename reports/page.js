"use strict";
const table = document.getElementById("run-table");
const body = table.tBodies[0];
const filter = document.getElementById("filter");
const shown = document.getElementById("shown");
const total = shown.textContent.split(" of ")[1];

filter.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  let number = 0;
  for (const row of body.rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    number += row.hidden ? 0 : 1;
  }
  shown.textContent = `${number} of ${total}`;
});

const key = (row, column) => {
  const text = row.cells[column].textContent.trim();
  if (text === "–") return NaN;
  const number = Number(text.replaceAll(",", "").replaceAll("−", "-").replace("∞", "Infinity"));
  return text === "" || Number.isNaN(number) ? text : number;
};
const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") {
    return Number.isNaN(a) - Number.isNaN(b) || a - b;
  }
  return String(a).localeCompare(String(b));
};
for (const [column, heading] of [...table.tHead.rows[0].cells].entries()) {
  heading.firstElementChild.addEventListener("click", () => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].sort((a, b) => compare(key(a, column), key(b, column)));
    body.append(...(down ? rows.reverse() : rows));
  });
}

// On paper nothing can be opened.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("#verdicts details:not([open])")];
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
});
