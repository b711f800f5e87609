// Comfort only: finding, folding and sorting. Without it everything is there to be read.
"use strict";

for (const tools of document.querySelectorAll(".tools")) {
  tools.hidden = false;
}

for (const input of document.querySelectorAll("[data-filter]")) {
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const one of document.querySelectorAll(input.dataset.filter)) {
      one.hidden = !one.textContent.toLowerCase().includes(wanted);
    }
  });
}

for (const button of document.querySelectorAll("[data-fold]")) {
  button.addEventListener("click", () => {
    for (const one of document.querySelectorAll("details.change")) {
      one.open = button.dataset.fold === "open";
    }
  });
}

// What a link leads to is opened, and everything is when it is printed.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details")) {
    one.open = true;
  }
});

function value(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim().replaceAll(",", "");
  const number = Number.parseFloat(text);
  return Number.isNaN(number) ? text.toLowerCase() : number;
}

for (const table of document.querySelectorAll("[data-sortable]")) {
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.ariaSort !== "ascending";
      for (const other of table.tHead.rows[0].cells) {
        other.removeAttribute("aria-sort");
      }
      head.ariaSort = up ? "ascending" : "descending";
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => {
        const [a, b] = [value(one, column), value(other, column)];
        const order = typeof a === typeof b ? (a < b ? -1 : Number(a > b)) : typeof a === "number" ? 1 : -1;
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  }
}
