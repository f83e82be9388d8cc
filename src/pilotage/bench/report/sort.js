document.addEventListener("click", event => {
  const head = event.target.closest("th button")?.parentNode;
  if (!head) return;
  const body = head.closest("table").tBodies[0], sign = head.ariaSort === "ascending" ? -1 : 1;
  const value = row => { const cell = row.cells[head.cellIndex]; return cell.dataset.value ?? cell.textContent; };
  const order = (a, b) => (Number(a) < Number(b) ? -1 : Number(a) > Number(b) ? 1 : a.localeCompare(b, "en", { numeric: true }));
  body.append(...[...body.rows].sort((a, b) => sign * order(value(a), value(b))));
  for (const each of head.parentNode.cells) each.ariaSort = each === head ? (sign > 0 ? "ascending" : "descending") : null;
});
