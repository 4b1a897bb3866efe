// Comparing: evaluations of one workspace, two to eight of them. The first one that is ticked says which workspace.
const MOST = 8;

function follow(form) {
  const boxes = [...form.querySelectorAll("input[name=job]")];
  const ticked = boxes.filter((box) => box.checked);
  const workspace = ticked.length ? ticked[0].dataset.workspace : "";
  for (const box of boxes) {
    if (box.dataset.never === undefined) box.dataset.never = box.disabled ? "1" : "";
    const elsewhere = workspace && box.dataset.workspace !== workspace;
    box.disabled = Boolean(box.dataset.never || elsewhere || (ticked.length >= MOST && !box.checked));
  }
  if (workspace) form.elements.workspace.value = workspace;
  const button = form.querySelector("button");
  button.disabled = ticked.length < 2;
  button.textContent = ticked.length < 2 ? "Compare" : `Compare ${ticked.length}`;
  const told = form.querySelector("[data-compare-told]");
  if (!ticked.length) told.textContent = "Tick two or more of a workspace to compare them.";
  else if (ticked.length === 1) told.textContent = `Tick at least one more of workspace ${workspace}.`;
  else told.textContent = `${ticked.length} of workspace ${workspace}`;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-compare]");
  if (form) follow(form);
});
// A browser that goes back keeps the ticks.
window.addEventListener("pageshow", () => document.querySelectorAll("[data-compare]").forEach(follow));
