// What one person has in hand at the review desk: the levels, reasons and comments chosen and not saved yet. Knows
// nothing of the page.

class Desk extends Mail {
  constructor() {
    super();
    this.drafts = new Map(); // response id -> what is chosen on it
    this.active = 0; // the criterion that the next number sets
    this.writing = null; // the criterion whose comment is open, "" for the whole answer
    this.refused = null; // a decision that was not saved, with what stands instead
    this.members = null; // the group of alike answers that was looked at
    this.found = null; // what the search found
    this.drawing = false;
  }

  // Reading

  get rubric() { return this.data.rubric; }
  get draft() { return this.drafts.get(this.current) ?? EMPTY_DRAFT; }

  part(id) { return this.view.parts[id]; }

  // The level that shows as chosen: the one in hand, else the one that a person gave before.
  chosen(id, draft = this.draft) {
    const part = this.part(id);
    return draft.levels[id] ?? (part.reviewed ? part.final : null);
  }

  // Whether the choice in hand is another one than the machine suggested when it was begun, or suggests for any
  // of the alike answers that it shall stand for.
  differs(forAll = false) {
    const suggested = [this.draft.seen, ...(forAll ? this.openMembers.map((member) => member.machine) : [])];
    const levels = Object.entries(this.draft.levels);
    return levels.some(([id, level]) => suggested.some((seen) => id in seen && seen[id] !== level));
  }

  // Of the alike answers that were looked at, those that nobody has decided, and the one that shows.
  get openMembers() {
    if (this.members?.id !== this.current) return [];
    return this.members.list.filter((member) => !member.reviewed || member.id === this.current);
  }

  // What the student is to read: a text, "" where nothing is written, null where nothing shall be told.
  comment(target, draft = this.draft) {
    const stands = target in draft.comments ? draft.comments[target] : this.view.comments[target];
    return stands === undefined ? "" : stands;
  }

  // The person's own comment for the level, told where nothing is written.
  ready(target) { return this.data.ready[target]?.[this.chosen(target)] ?? ""; }

  template(target) { return this.data.templates[target]?.[this.chosen(target)] ?? ""; }

  settled(message, answer) {
    if (!answer.done) {
      if (answer.refused) this.refused = { ...answer.refused, message };
      return;
    }
    for (const id of answer.saved) this.drafts.delete(id);
    if (answer.saved.length) this.refused = null;
    const draft = this.drafts.get(message.response_id);
    for (const [target, text] of Object.entries(message.comments ?? {})) {
      if (draft?.comments[target] === text) delete draft.comments[target];
    }
    if (answer.members) this.members = { id: message.response_id, list: answer.members };
    this.found = answer.found ?? null;
  }

  show(id) {
    if (id === null || id === this.current) return;
    this.current = id;
    this.members = null;
    this.writing = null;
    const first = this.view ? this.rubric.findIndex((criterion) => this.chosen(criterion.id) === null) : 0;
    this.active = Math.max(0, first);
  }

  // The choice in hand carries the revision and the suggestion that were on the screen when its first level was set.
  begin() {
    const { id, revision, parts } = this.view;
    const draft = this.drafts.get(id) ?? { levels: {}, reason: "", reasonKind: "", comments: {} };
    if (!Object.keys(draft.levels).length) {
      const suggested = Object.entries(parts).filter(([, part]) => part.machine !== null);
      draft.revision = revision;
      draft.seen = Object.fromEntries(suggested.map(([key, part]) => [key, part.machine.level]));
    }
    this.drafts.set(id, draft);
    return draft;
  }

  setLevel(value, index = this.active) {
    const criterion = this.rubric[index];
    if (!criterion.levels.some((level) => level.value === value)) {
      return this.stop(`“${criterion.name}” has no level ${value}.`);
    }
    this.begin().levels[criterion.id] = value;
    this.active = Math.min(index + 1, this.rubric.length - 1);
    this.hush();
  }

  back() {
    const index = this.rubric.findLastIndex((criterion) => criterion.id in this.draft.levels);
    if (index < 0) return this.stop("Nothing is chosen that could be cleared.");
    delete this.begin().levels[this.rubric[index].id];
    this.active = index;
  }

  setReason(place) {
    const reason = this.data.reasons[place];
    if (reason === undefined || !this.differs(true)) return this.stop("A reason is for another level than the model's.");
    const draft = this.begin();
    draft.reasonKind = draft.reasonKind === reason ? "" : reason;
    this.hush();
  }

  approve() {
    if (this.view.hidden) return this.stop("The model's level is hidden here until you have scored. Choose a level.");
    const open = this.rubric.filter((criterion) => this.chosen(criterion.id) === null);
    if (!open.length && !Object.keys(this.draft.levels).length) {
      return this.stop("This answer is decided already. Choose a level to change it.");
    }
    const draft = this.begin();
    const without = open.find((criterion) => !(criterion.id in draft.seen));
    if (without) return this.stop(`There was no suggestion for “${without.name}”. Choose a level.`);
    for (const criterion of open) draft.levels[criterion.id] = draft.seen[criterion.id];
    return this.save();
  }

  save() {
    if (this.refused?.message.response_id === this.current) return this.stop("Say first which decision shall stand.");
    const missing = this.rubric.filter((criterion) => this.chosen(criterion.id) === null);
    if (missing.length) {
      this.active = this.rubric.indexOf(missing[0]);
      return this.stop(`Choose a level for ${missing.map((criterion) => `“${criterion.name}”`).join(", ")}.`);
    }
    if (!Object.keys(this.draft.levels).length) return this.step(1);
    if (this.lacksReason()) return STOP;
    this.post(this.decision("decide", this.differs()));
  }

  saveForAll() {
    if (this.members?.id !== this.current) return this.stop("Look at the alike answers first.");
    if (this.rubric.some((criterion) => this.draft.levels[criterion.id] === undefined)) {
      return this.stop("Choose a level for every criterion; it will stand for all of these answers.");
    }
    if (this.lacksReason(true)) return STOP;
    const of = (what) => Object.fromEntries(this.openMembers.map((member) => [member.id, what(member)]));
    const revisions = { ...of((member) => member.revision), [this.current]: this.draft.revision };
    const seen = { ...of((member) => member.machine), [this.current]: this.draft.seen };
    this.post({ ...this.decision("decide_group", this.differs(true)), revisions, seen });
  }

  decision(kind, withReason) {
    const { revision, seen, levels, reason, reasonKind } = this.draft;
    const said = withReason ? { reason, reason_kind: reasonKind } : { reason: "", reason_kind: "" };
    return { kind, revision, seen, levels, ...said, comments: this.newComments };
  }

  lacksReason(forAll = false) {
    const { reason, reasonKind } = this.draft;
    const given = this.data.free_text === "required" ? reason.trim() : reason.trim() || reasonKind;
    if (!this.differs(forAll) || given) return false;
    this.say("reason", "You chose another level than the model. Say why, then save.");
    return true;
  }

  // Over somebody else's decision, after looking at it.
  saveAnyway() {
    const { message } = this.refused;
    this.show(message.response_id);
    this.drafts.delete(message.response_id);
    Object.assign(this.begin(), {
      levels: message.levels, reason: message.reason, reasonKind: message.reason_kind, comments: message.comments,
    });
    this.refused = null;
    if (message.kind === "decide") return this.save();
    this.members = null;
    return this.lookAtAlike();
  }

  leaveAsItIs() {
    this.drafts.delete(this.refused.message.response_id);
    this.refused = null;
    this.hush();
  }

  // Without waiting where the answer is here already; the server hears of it and sends the ones after.
  step(direction) {
    const id = (direction > 0 ? this.after : this.before).get(this.current);
    this.hush();
    if (id === undefined) this.post({ kind: "step", direction });
    else this.goTo(id);
  }

  goTo(id) {
    const here = this.views.has(id);
    this.found = null;
    if (here) this.show(id);
    this.post({ kind: "go", response_id: id }, !here);
  }

  keepComment(target, text) {
    if (text === this.comment(target)) return;
    this.begin().comments[target] = text;
  }

  // An emptied field means that nothing shall be told; what stands ready anyway needs no copy.
  closeComment(target) {
    const ready = this.ready(target);
    if (ready && this.comment(target) === "") this.keepComment(target, null);
    else if (ready && this.comment(target) === ready) this.keepComment(target, "");
    this.writing = null;
  }

  // Keeps the comment of a criterion from this one student, or lets it be told again.
  withhold(target = this.rubric[this.active].id) {
    if (this.comment(target) === null) this.keepComment(target, "");
    else if (this.comment(target) || this.ready(target)) this.keepComment(target, null);
    else return this.stop("No comment stands ready here; nothing is told as it is.");
    this.saveComments();
  }

  get newComments() {
    const { comments } = this.view;
    return Object.fromEntries(Object.entries(this.draft.comments).filter(([id, text]) => text !== (id in comments ? comments[id] : "")));
  }

  saveComments() {
    if (Object.keys(this.newComments).length) this.post({ kind: "comment", comments: this.newComments });
  }

  mark(index) {
    if (this.drawing || index === this.active) return;
    this.active = index;
    this.changed();
  }

  flag(on, note) { this.post({ kind: "flag", on, note }); }
  undo() { this.post({ kind: "undo" }); }
  redo() { this.post({ kind: "redo" }); }
  lookAtAlike() {
    if (this.view.group_size < 2) return this.stop("No other answer of this upload says the same.");
    if (this.members?.id === this.current) this.members = null;
    else this.post({ kind: "alike" });
  }
  search(words) { this.post({ kind: "search", words }); }
  jump(to) { this.post({ kind: "jump", to }); }
  setQueue(order, only) { this.post({ kind: "queue", order, only }); }
}

const EMPTY_DRAFT = Object.freeze({
  revision: null, seen: Object.freeze({}), levels: Object.freeze({}), reason: "", reasonKind: "", comments: Object.freeze({}),
});
