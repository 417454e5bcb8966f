// The criteria: levels to choose from, the model's suggestion beside them, comments, and the reason.

function drawRubric(desk, settings, open) {
  return [
    desk.view.hidden ? el("p", { class: "hidden-model" },
      "Drawn at random to be scored by you alone. The model's level is hidden until you have.") : null,
    ...desk.rubric.map((criterion, index) => drawCriterion(desk, settings, open, criterion, index)),
    el("div", { class: "whole" },
      commentButton(desk, open, "", "Comment on the whole answer", "Shift + c"),
      desk.rubric.length > 1 ? button(desk, settings.all ? "Describe the marked one only" : "Describe all levels", "t",
        () => open("descriptors"), { class: "quiet" }) : null,
      drawComment(desk, "", "Comment on the whole answer")),
  ];
}

function drawCriterion(desk, settings, open, criterion, index) {
  const marked = index === desk.active;
  const part = desk.part(criterion.id);
  const chosen = desk.chosen(criterion.id);
  const values = criterion.levels.map((level) => level.value);
  const focused = values.includes(chosen) ? chosen : values[0];
  const wide = marked || settings.all || desk.rubric.length === 1;
  const move = (event) => {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const radios = [...event.currentTarget.querySelectorAll("[role=radio]")];
    const here = radios.indexOf(event.target.closest("[role=radio]"));
    radios[Math.max(0, Math.min(radios.length - 1, here + way))].focus();
  };
  const id = `criterion-${index}`;
  return el("section", { class: `criterion${marked ? " marked" : ""}${wide ? " wide" : ""}` },
    el("div", { class: "criterion-head" },
      el("h3", { id }, criterion.name),
      commentButton(desk, open, criterion.id, "Comment", marked ? "c" : "", `Comment on ${criterion.name}`)),
    wide && criterion.description ? el("p", { class: "description" }, criterion.description) : null,
    el("p", { class: "suggestion", id: `${id}-model` }, suggestion(desk.view, part),
      marked && desk.rubric.length > 1 ? el("span", { class: "marker" }, " Numbers set this one.") : null),
    el("div", { class: "levels", role: "radiogroup", "aria-labelledby": id, "aria-describedby": `${id}-model`,
      onkeydown: move },
      criterion.levels.map((level) => drawLevel(desk, criterion, index, level, { part, chosen, wide,
        reachable: level.value === focused }))),
    drawComment(desk, criterion.id, `Comment on ${criterion.name}`));
}

function drawLevel(desk, criterion, index, level, { part, chosen, wide, reachable }) {
  const isChosen = level.value === chosen;
  const suggested = part.machine?.level === level.value;
  const share = part.machine?.shares[level.value - criterion.levels[0].value];
  const name = level.label || (wide && level.descriptor ? "" : `Level ${level.value}`);
  return el("button", {
    type: "button", role: "radio", "aria-checked": isChosen ? "true" : "false", tabindex: reachable ? "0" : "-1",
    class: `level${isChosen ? " chosen" : ""}${suggested ? " suggested" : ""}`,
    "data-focus": `level-${index}-${level.value}`, "data-criterion": criterion.id, "data-level": level.value,
    onmousedown: keepFocus, onclick: () => desk.act(() => desk.setLevel(level.value, index)),
    onfocus: () => desk.mark(index),
  },
  el("kbd", null, String(level.value)),
  el("span", { class: "level-words" },
    name ? el("strong", null, name) : null, wide && level.descriptor ? el("span", null, level.descriptor) : null),
  el("span", { class: "level-signs" },
    suggested ? el("span", { class: "model" }, "model") : null,
    wide && share !== undefined ? el("span", { class: "share" }, `${share}%`) : null,
    isChosen ? el("span", { class: "check" }, "✓ chosen") : null));
}

function suggestion(view, part) {
  if (view.hidden) return "";
  const decided = part.reviewed ? `${part.words} ` : "";
  if (part.machine === null) return `${decided}The model gave no score here.`;
  const { level, sure, likely } = part.machine;
  const range = likely.length > 1 ? `, ${likely[0]} to ${likely.at(-1)} are likely` : "";
  return `${decided}The model says level ${level} (${sure}% sure${range}).`;
}

function drawReason(desk) {
  const forAll = desk.openMembers.length > 1;
  if (!desk.differs(forAll)) return [];
  const { draft } = desk;
  const { reasons, free_text: freeText } = desk.data;
  const write = freeText === "never" ? null : el("label", null,
    el("span", null, freeText === "required" ? "In your own words" : "Or in your own words"),
    el("input", {
      type: "text", maxlength: 2000, "data-focus": "reason", value: draft.reason,
      oninput: (event) => { desk.begin().reason = event.target.value; },
      onkeydown: (event) => { if (event.key === "Enter") event.target.blur(); },
    }));
  return [el("section", { class: "reason", "aria-labelledby": "reason-head" },
    el("h3", { id: "reason-head" }, "Why another level than the model?"),
    el("div", { class: "reasons", role: "group", "aria-labelledby": "reason-head" }, reasons.map((reason, place) =>
      button(desk, reason, REASON_KEYS[place], () => desk.setReason(place),
        { "aria-pressed": draft.reasonKind === reason ? "true" : "false", "data-focus": `reason-${place}` }))),
    write)];
}

function commentButton(desk, open, target, label, key, name = label) {
  return button(desk, desk.comment(target) ? `${label}: change` : label, key, () => open("comment", target),
    { class: "quiet", "aria-label": name });
}

function drawComment(desk, target, label) {
  const text = desk.comment(target);
  if (desk.writing !== target) return drawTold(desk, target, text);
  // Drawing anew takes the field away for a moment; that is not leaving it.
  const leave = () => {
    if (desk.drawing) return;
    desk.closeComment(target);
    desk.act(() => desk.saveComments());
  };
  return el("label", { class: "comment-field" }, el("span", null, `${label}. The student reads this.`), el("textarea", {
    rows: 3, maxlength: 4000, dir: "auto", "data-focus": `comment-${target}`,
    oninput: (event) => desk.keepComment(target, event.target.value), onblur: leave,
    onkeydown: (event) => { if (event.key === "Enter" && event.ctrlKey) event.target.blur(); },
  }, text ?? ""), el("span", { class: "tip" }, "Kept when you leave the field; Esc leaves it."));
}

// What the student will read, once the answer is decided, and a way to keep it from this one.
function drawTold(desk, target, text) {
  const told = text === null ? "" : text || desk.ready(target);
  if (!told && text !== null) return null;
  const key = desk.rubric[desk.active].id === target ? "h" : "";
  const label = text === null ? "Tell it again" : "Tell nothing here";
  const name = desk.rubric.find((criterion) => criterion.id === target)?.name ?? "the whole answer";
  return el("div", { class: `comment${text ? "" : " quiet-comment"}` },
    el("p", { dir: "auto" }, text === null ? "Nothing is told here." : told),
    text ? null : el("span", { class: "tip" }, text === null ? "" : "Yours for this level, told with the grades."),
    target === "" && text !== null ? null : button(desk, label, key,
      () => desk.withhold(target), { class: "quiet", "aria-label": `${label}: ${name}` }));
}
