// Connects one desk to the page and to the server. The page calls the default export again with each new data.

const desks = new Map(); // upload -> desk: outlives a look at another screen, with what is chosen and unsaved there
const rooms = new WeakMap(); // the component's root -> what is mounted there
const LEAF_MS = 150; // leafing quickly through answers sends the last one only
const SLOW_MS = 1500;
const RESEND_MS = 8000;

const settings = {
  keys: localStorage.getItem("evenhand-keys") !== "off",
  all: localStorage.getItem("evenhand-describe") === "all",
  set(name, value) {
    this[name] = value;
    localStorage.setItem(name === "keys" ? "evenhand-keys" : "evenhand-describe",
      name === "keys" ? (value ? "on" : "off") : (value ? "all" : "marked"));
  },
};

class Room {
  constructor(root) {
    this.root = root;
    this.find = { kind: null, text: "" };
    this.drawn = new Map(); // section -> what it was last drawn from
    this.tabbed = false; // whether the focus was moved by the Tab key last, not by a click
    this.onPoint = () => { this.tabbed = false; };
    this.onKey = (event) => {
      if (event.key === "Tab") this.tabbed = true;
      const help = this.part("help");
      if (help.open && event.key === "?") help.close();
      else if (event.key === "Escape") {
        if (!this.escape(event)) return;
      } else if (!settings.keys || help.open || !this.desk.view || !press(event, this.desk, (what, target) => this.open(what, target), this.tabbed)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    this.onLeave = (event) => { if (this.desk.busy) event.preventDefault(); };
    window.addEventListener("keydown", this.onKey, true);
    window.addEventListener("pointerdown", this.onPoint, true);
    window.addEventListener("beforeunload", this.onLeave);
    this.timer = setInterval(() => this.lookAfter(), 1000);
  }

  part(name) { return this.root.querySelector(`[data-part=${name}]`); }

  connect(component) {
    const { data, setStateValue } = component;
    if (!desks.has(data.upload)) desks.set(data.upload, new Desk());
    const desk = desks.get(data.upload);
    const returned = this.desk !== desk;
    this.desk = desk;
    desk.changed = () => this.draw();
    desk.send = (message) => {
      clearTimeout(this.leaf);
      const send = () => { desk.pending.sent = performance.now(); setStateValue("message", message); };
      if (desk.pending.holds) send();
      else this.leaf = setTimeout(send, LEAF_MS);
    };
    if (returned && desk.pending === null && desk.data !== null) desk.show(data.current);
    desk.receive(data);
    if (returned) {
      // Sent, but the screen was left before the answer came: the same message again is the same decision.
      if (desk.pending) desk.send(desk.pending.message);
      if (document.activeElement === document.body) this.toDesk();
    }
  }

  disconnect() {
    clearInterval(this.timer);
    clearTimeout(this.leaf);
    window.removeEventListener("keydown", this.onKey, true);
    window.removeEventListener("pointerdown", this.onPoint, true);
    window.removeEventListener("beforeunload", this.onLeave);
    this.desk.changed = () => {};
  }

  // A lost connection must not lose a decision: it is sent again until it is acknowledged, and told meanwhile.
  lookAfter() {
    const { desk } = this;
    if (!desk.busy) return;
    const waited = performance.now() - desk.pending.sent;
    if (waited > SLOW_MS && !desk.pending.message.again) desk.say("waiting", "Working …");
    if (waited > RESEND_MS) {
      desk.say("waiting", "Not saved yet: waiting for the server.");
      desk.pending.message = { ...desk.pending.message, again: (desk.pending.message.again ?? 0) + 1 };
      desk.send(desk.pending.message);
    }
    this.draw();
  }

  toDesk() { this.part("desk").focus({ preventScroll: true }); }

  // Acts that move the focus. What was typed ahead of them was not meant as keys, so nothing more of it is used.
  open(what, target) {
    const { desk } = this;
    if (what === "help") return this.help();
    if (what === "descriptors") settings.set("all", !settings.all);
    if (what === "search" || what === "jump") {
      this.find = { kind: what, text: "" };
      desk.found = null;
      this.wanted = "find";
    }
    if (what.startsWith("comment")) {
      const criterion = what === "comment-whole" ? "" : target ?? desk.rubric[desk.active].id;
      desk.writing = criterion;
      if (!desk.comment(criterion)) desk.keepComment(criterion, desk.template(criterion));
      this.wanted = `comment-${criterion}`;
    }
    return what === "descriptors" ? undefined : STOP;
  }

  help() {
    const help = this.part("help");
    help.replaceChildren(...drawHelp(settings, () => help.close()));
    help.showModal();
    return STOP;
  }

  closeFind() {
    this.find = { kind: null, text: "" };
    this.desk.found = null;
    this.toDesk();
    this.draw();
  }

  // Out of whatever is open; false when there is nothing of ours to leave.
  escape(event) {
    if (this.part("help").open) this.part("help").close();
    else if (this.find.kind) this.closeFind();
    else if (this.part("desk").contains(event.composedPath()[0])) this.toDesk();
    else return false;
    return true;
  }

  // Draws anew only the sections whose content changed, and keeps focus and caret in them.
  draw() {
    const { desk, find } = this;
    if (!desk.view || desk.drawing) return;
    desk.drawing = true;
    const open = (what, target) => this.open(what, target);
    const { view, members, refused, active, writing } = desk;
    const { levels, reasonKind, comments } = desk.draft;
    const written = writing === undefined ? comments : { ...comments, [writing]: "" };
    this.section("bar", [desk.data.queue, desk.notice.kind === "refused"], () => drawBar(desk, open));
    this.section("find", [find.kind, desk.found], () => drawFind(desk, find, () => this.closeFind()));
    this.section("refused", [refused], () => drawRefused(desk));
    this.section("answer", [view, members], () => drawAnswer(desk));
    this.section("reason", [view.id, levels, reasonKind, members], () => drawReason(desk));
    this.section("rubric", [view, levels, written, active, writing, members, settings.all],
      () => drawRubric(desk, settings, open));
    this.section("acts", [view, levels], () => drawActs(desk, open));
    const said = this.part("said");
    said.className = `said ${desk.notice.kind}`;
    if (said.textContent !== desk.notice.text) said.textContent = desk.notice.text;
    const top = this.part("desk");
    const moved = { answer: top.dataset.response !== String(view.id), criterion: this.active !== undefined && this.active !== active };
    top.dataset.response = view.id;
    top.dataset.busy = desk.busy ? "yes" : "no";
    this.active = active;
    desk.drawing = false;
    this.bringIntoView(moved);
    this.focusWanted();
  }

  section(name, from, make) {
    const stamp = JSON.stringify(from);
    if (this.drawn.get(name) === stamp) return;
    this.drawn.set(name, stamp);
    const host = this.part(name);
    const had = host.contains(this.root.activeElement) ? this.root.activeElement : null;
    const caret = had && "selectionStart" in had ? [had.selectionStart, had.selectionEnd] : null;
    host.replaceChildren(...make().filter(Boolean));
    if (!had) return;
    const again = had.dataset.focus && host.querySelector(`[data-focus="${CSS.escape(had.dataset.focus)}"]`);
    if (!again) return this.toDesk();
    again.focus({ preventScroll: true });
    if (caret && caret[0] !== null) again.setSelectionRange(...caret);
  }

  bringIntoView(moved) {
    const { desk } = this;
    const sheet = this.root.querySelector(".sheet");
    if (desk.notice.kind === "reason") this.part("reason").scrollIntoView({ block: "nearest" });
    else if (moved.answer && sheet.getBoundingClientRect().top < 0) sheet.scrollIntoView({ block: "start" });
    else if (moved.criterion) this.root.querySelector(".marked")?.scrollIntoView({ block: "nearest" });
  }

  focusWanted() {
    if (!this.wanted) return;
    const field = this.root.querySelector(`[data-focus="${CSS.escape(this.wanted)}"]`);
    this.wanted = null;
    field?.focus();
    if (field?.value) field.setSelectionRange(field.value.length, field.value.length);
  }
}

export default function reviewer(component) {
  const root = component.parentElement;
  if (!rooms.has(root)) rooms.set(root, new Room(root));
  const room = rooms.get(root);
  const run = {};
  room.run = run;
  room.connect(component);
  // An older run's clean-up may come after a newer run began; only the last one is the end.
  return () => setTimeout(() => {
    if (room.run !== run) return;
    room.disconnect();
    rooms.delete(root);
  });
}
