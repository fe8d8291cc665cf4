"use strict";
for (const trend of document.querySelectorAll(".trend")) trend.scrollLeft = trend.scrollWidth; // the newest day is on the right
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true; // paper cannot be unfolded
});
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim().toLowerCase();
      const isNumber = head.classList.contains("n");
      const keyed = rows.map((row) => [value(row), row]);
      keyed.sort(([a], [b]) => {
        if ((a === "") !== (b === "")) return a === "" ? 1 : -1;
        return (isNumber ? a - b : a.localeCompare(b)) * (up ? 1 : -1);
      });
      body.append(...keyed.map(([, row]) => row));
    });
  }
}
for (const tools of document.querySelectorAll(".tools")) {
  tools.hidden = false;
  const table = document.getElementById(tools.dataset.table);
  const input = tools.querySelector("input");
  const says = tools.querySelector("output");
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    says.textContent = `${shown} of ${rows.length} shown`;
  });
}
