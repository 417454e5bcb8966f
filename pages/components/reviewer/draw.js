// The desk as elements. Typed text becomes text nodes only, never markup.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== false && child !== ""));
  return node;
}

function hint(key) {
  return key ? el("kbd", { "aria-hidden": "true" }, key) : null;
}

// A click leaves the focus where it is, so that the keys go on working; but a text in hand is kept first.
function keepFocus(event) {
  event.preventDefault();
  const field = event.currentTarget.getRootNode().activeElement;
  if (field?.matches("input, textarea")) field.blur();
}

// A button does what its key does.
function button(desk, label, key, does, attributes = {}) {
  return el("button", {
    type: "button", "aria-keyshortcuts": key ? key.replace(" + ", "+") : null,
    onmousedown: keepFocus, onclick: () => desk.act(does), ...attributes,
  }, el("span", null, label), hint(key));
}

function drawBar(desk, open) {
  const { queue, orders, filters } = desk.data;
  const pick = (label, name, entries, chosen, change) => el("label", { class: "pick" }, el("span", null, label),
    el("select", { "data-focus": name, onchange: (event) => { change(event.target.value); event.target.blur(); } },
      entries.map(({ value, name: shown }) => el("option", { value, selected: value === chosen }, shown))));
  const blind = queue.blind_left
    ? el("p", { class: "blind-left" }, `${queue.blind_left} left to score without the model; they come first.`) : null;
  return [
    el("div", { class: "progress" },
      el("progress", { max: Math.max(1, queue.total), value: queue.reviewed, "aria-label": "Answers reviewed" }),
      el("p", { class: "counts" }, queue.words), blind),
    el("div", { class: "picks" },
      pick("Order", "order", orders, queue.order, (value) => desk.act(() => desk.setQueue(value, queue.only))),
      pick("Show", "only", filters, queue.only, (value) => desk.act(() => desk.setQueue(queue.order, value))),
      button(desk, "Search", "/", () => open("search")),
      button(desk, "Jump", "g", () => open("jump")),
      button(desk, "Keys", "?", () => open("help"))),
  ];
}

function drawFind(desk, find, leave) {
  if (!find.kind) return [];
  const label = find.kind === "search" ? "Words in the answer" : "Row number or student";
  const send = (event) => {
    event.preventDefault();
    const text = find.text.trim();
    if (text) desk.act(() => (find.kind === "search" ? desk.search(text) : desk.jump(text)));
    if (find.kind === "jump") leave();
  };
  const results = desk.found === null ? null : desk.found.length
    ? el("ul", { class: "results" }, desk.found.map(({ id, who, snippet }) => el("li", null,
      el("button", { type: "button", onclick: () => { leave(); desk.act(() => desk.goTo(id)); } },
        el("strong", null, who), el("span", { dir: "auto" }, snippet)))))
    : el("p", null, "No answer holds these words.");
  return [el("form", { class: "find", role: "search", onsubmit: send },
    el("label", null, el("span", null, label), el("input", {
      type: "search", "data-focus": "find", value: find.text, autocomplete: "off",
      oninput: (event) => { find.text = event.target.value; },
    })),
    el("button", { type: "submit" }, find.kind === "search" ? "Search" : "Jump"),
    el("button", { type: "button", onclick: leave }, "Close", hint("Esc")), results)];
}

function drawAnswer(desk) {
  const { view } = desk;
  const badges = view.badges.map(({ kind, text }) => el("span", { class: `badge ${kind}` }, text));
  const note = view.flagged ? el("label", { class: "note" }, el("span", null, "Note on the flag"), el("input", {
    type: "text", maxlength: 500, "data-focus": "note", value: view.flag_note,
    onchange: (event) => desk.act(() => desk.flag(true, event.target.value)),
  })) : null;
  const claimed = view.claimed_by
    ? el("p", { class: "claimed" }, `${view.claimed_by} is looking at this answer too.`) : null;
  const alike = view.group_size > 1
    ? button(desk, `${view.group_size} answers say the same`, "s", () => desk.lookAtAlike(),
      { class: "quiet", "aria-expanded": desk.members?.id === view.id ? "true" : "false" }) : null;
  return [
    el("h2", null, view.who), el("div", { class: "badges" }, badges), claimed,
    el("div", { class: "text", dir: "auto" }, view.text || "(blank)"),
    note, alike, drawMembers(desk),
  ];
}

function drawMembers(desk) {
  if (desk.members?.id !== desk.current) return null;
  const open = desk.openMembers.length;
  return el("div", { class: "members" },
    el("ul", null, desk.members.list.map((member) => el("li", null,
      el("strong", null, member.who), member.id === desk.current ? " (this one)" : "",
      member.reviewed ? ` · decided: ${member.words}` : "", el("span", { dir: "auto" }, member.text || "(blank)")))),
    button(desk, `Save for all ${open}`, "Shift + Enter", () => desk.saveForAll(), { disabled: open < 2 }));
}

function drawRefused(desk) {
  const { refused } = desk;
  if (!refused) return [];
  return [
    el("p", null, el("strong", null, `${refused.who}: your decision was not saved.`)),
    el("p", null, refused.text),
    el("table", null, el("thead", null, el("tr", null, ["", "Yours", "What stands now"].map((name) =>
      el("th", { scope: "col" }, name)))), el("tbody", null, refused.rows.map((row) => el("tr", null,
      el("th", { scope: "row" }, row.name), el("td", null, row.yours), el("td", { dir: "auto" }, row.stands))))),
    refused.gone ? button(desk, "Understood", "n", () => desk.leaveAsItIs()) : el("div", { class: "ways" },
      button(desk, refused.message.kind === "decide" ? "Save mine" : "Look at them again", "y", () => desk.saveAnyway()),
      button(desk, "Leave what stands", "n", () => desk.leaveAsItIs())),
  ];
}

function drawActs(desk, open) {
  const { view, draft } = desk;
  const begun = Object.keys(draft.levels).length > 0;
  return [
    el("div", { class: "main-acts" },
      view.hidden ? null : button(desk, begun ? "Approve the rest" : "Approve model", "a", () => desk.approve(),
        { disabled: !Object.values(view.parts).some((part) => part.machine), class: begun ? "" : "primary" }),
      button(desk, "Save and go on", "Enter", () => desk.save(), { class: begun || view.hidden ? "primary" : "" })),
    el("div", { class: "more-acts" },
      button(desk, "Previous", "k", () => desk.step(-1)), button(desk, "Next", "j", () => desk.step(1)),
      button(desk, "Undo", "u", () => desk.undo()), button(desk, "Redo", "r", () => desk.redo()),
      button(desk, view.flagged ? "Unflag" : "Flag", "f", () => desk.flag(!view.flagged, view.flag_note),
        { "aria-pressed": view.flagged ? "true" : "false" }),
      button(desk, "Comment", "c", () => open("comment"), { class: "roomy" })),
  ];
}

function drawHelp(settings, close) {
  return [
    // Read from the beginning, not from the first field on.
    el("h2", { id: "help-title", tabindex: "-1", autofocus: true }, "Keys"),
    el("p", null, "They work wherever you are on this screen, but not while you type a text."),
    el("dl", null, KEYS.map(({ key, shown, name }) => el("div", null, el("dt", null, hint(shown ?? key)),
      el("dd", null, el("span", { class: "for-readers" }, `${shown ?? key}: `), name)))),
    el("label", { class: "switch" }, el("input", {
      type: "checkbox", checked: settings.keys, onchange: (event) => settings.set("keys", event.target.checked),
    }), "Use these keys"),
    el("button", { type: "button", class: "primary", onclick: close }, "Close", hint("Esc")),
  ];
}
