// The page that makes an evaluation: scores that come and go, and columns put into the prompts.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form.new");
  if (!form) return;
  const scores = document.getElementById("scores");
  const prompts = [document.getElementById("in-system"), document.getElementById("in-user")];

  // Scores and grades: copies of what the server made, with the next number in their names.
  function nextNumber(root, pattern) {
    const taken = [...root.querySelectorAll("[name]")].map((input) => pattern.exec(input.name)).filter(Boolean);
    return 1 + Math.max(-1, ...taken.map((found) => Number(found[1])));
  }
  function copyOf(id, replacements) {
    const holder = document.createElement("template");
    holder.innerHTML = replacements.reduce(
      (html, [from, to]) => html.replaceAll(from, to),
      document.getElementById(id).innerHTML,
    );
    return holder.content.firstElementChild;
  }
  function changed(element) {
    element.dispatchEvent(new Event("change", { bubbles: true }));
  }
  function addScore() {
    const score = copyOf("blank-score", [["__score__", nextNumber(scores, /^score-(\d+)-/)]]);
    scores.append(score);
    score.querySelector("input").focus();
    changed(scores);
  }
  function addGrade(score) {
    const rows = score.querySelector(".grades tbody");
    const grade = copyOf("blank-grade", [
      ["__score__", score.dataset.score],
      ["__grade__", nextNumber(score, /-label-(\d+)$/)],
    ]);
    rows.append(grade);
    grade.querySelector("input").focus();
  }
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const score = button.closest(".score");
    if ("addScore" in button.dataset) addScore();
    else if ("addGrade" in button.dataset) addGrade(score);
    else if ("removeGrade" in button.dataset) {
      button.closest("tr").remove();
      score.querySelector("[data-add-grade]").focus();
      changed(scores);
    } else if ("removeScore" in button.dataset) {
      score.remove();
      form.querySelector("[data-add-score]").focus();
      changed(scores);
    } else if ("insert" in button.dataset) insertColumn(button.dataset.insert);
  });
  document.addEventListener("click", (event) => {
    const target = document.getElementById(event.target.dataset?.goto || "");
    if (!target) return;
    event.preventDefault();
    target.closest("details")?.setAttribute("open", "");
    target.focus();
  });

  // A job is made once, however often the button is pressed.
  form.addEventListener("submit", () => (form.querySelector("[type=submit]").disabled = true));
  window.addEventListener("pageshow", () => (form.querySelector("[type=submit]").disabled = false));

  // Columns: by a chip to where the cursor was last, or from a list that opens with {{.
  let current = prompts[1];
  function replaceText(area, from, to, text) {
    area.focus();
    area.setSelectionRange(from, to);
    // execCommand keeps what can be undone; where it does not work, the text alone is put in.
    if (!document.execCommand("insertText", false, text)) {
      area.setRangeText(text, from, to, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
  function insertColumn(text) {
    replaceText(current, current.selectionStart, current.selectionEnd, text);
  }

  const list = document.getElementById("complete");
  const said = document.getElementById("complete-said");
  let opened = null; // {area, from, chosen}

  function columns() {
    return [...document.querySelectorAll("[data-column]")].map(({ dataset }) => [dataset.column, dataset.insert]);
  }
  function close() {
    if (!opened) return;
    opened.area.removeAttribute("aria-activedescendant");
    opened.area.removeAttribute("aria-controls");
    opened = null;
    list.hidden = true;
    said.textContent = "";
  }
  function update(area) {
    const before = area.value.slice(0, area.selectionStart);
    const typed = /\{\{-?\s*([\w.]*)$/.exec(before);
    const word = typed ? typed[1].replace(/^item\./, "") : "";
    const wanted = "item".startsWith(word) ? "" : word.toLowerCase();
    const found = typed ? columns().filter(([name]) => name.toLowerCase().includes(wanted)) : [];
    if (!found.length) return close();
    opened = { area, from: typed.index, found, chosen: 0 };
    list.replaceChildren(
      ...found.map(([name], index) => {
        const option = document.createElement("div");
        option.id = `complete-${index}`;
        option.setAttribute("role", "option");
        option.textContent = name;
        return option;
      }),
    );
    list.hidden = false;
    area.setAttribute("aria-controls", "complete");
    place(area, typed.index);
    choose(0);
    said.textContent = `${found.length} ${found.length === 1 ? "column" : "columns"}: arrows choose, Enter inserts`;
  }
  function choose(index) {
    const { area, found } = opened;
    opened.chosen = (index + found.length) % found.length;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === opened.chosen)));
    area.setAttribute("aria-activedescendant", `complete-${opened.chosen}`);
    list.children[opened.chosen].scrollIntoView({ block: "nearest" });
  }
  function take(index) {
    const { area, from, found } = opened;
    const rest = /^[\w.]*\s*-?\}\}/.exec(area.value.slice(area.selectionEnd));
    const to = area.selectionEnd + (rest ? rest[0].length : 0);
    close();
    replaceText(area, from, to, found[index][1]);
    close(); // the insertion is typing, too
  }
  // Where a character stands in a textarea is found in a copy of it that is laid out like any text.
  function place(area, index) {
    const mirror = document.createElement("div");
    mirror.className = "mirror";
    const style = getComputedStyle(area);
    for (const name of ["fontFamily", "fontSize", "lineHeight", "letterSpacing", "padding", "borderWidth", "boxSizing"]) {
      mirror.style[name] = style[name];
    }
    mirror.style.width = style.width;
    mirror.textContent = area.value.slice(0, index);
    const mark = document.createElement("span");
    mark.textContent = "{{";
    mirror.append(mark);
    document.body.append(mirror);
    const parent = list.offsetParent.getBoundingClientRect();
    const box = area.getBoundingClientRect();
    const left = box.left - parent.left + mark.offsetLeft;
    const below = box.top - parent.top + mark.offsetTop + mark.offsetHeight - area.scrollTop;
    list.style.left = `${Math.max(0, Math.min(left, parent.width - list.offsetWidth - 8))}px`;
    list.style.top = `${Math.min(below, box.bottom - parent.top) + 4}px`;
    mirror.remove();
  }
  for (const area of prompts) {
    area.setAttribute("aria-autocomplete", "list");
    area.addEventListener("focus", () => (current = area));
    area.addEventListener("input", () => update(area));
    area.addEventListener("blur", close);
    area.addEventListener("keydown", (event) => {
      if (!opened) return;
      const moves = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in moves) choose(opened.chosen + moves[event.key]);
      else if (event.key === "Enter" || event.key === "Tab") take(opened.chosen);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
    });
  }
  list.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the prompt keeps the focus
    const index = [...list.children].indexOf(event.target.closest("[role=option]"));
    if (index >= 0) take(index);
  });
});
