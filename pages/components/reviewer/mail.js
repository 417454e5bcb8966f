// One message at a time between the desk and the server, and what came meanwhile in the order in which it came.

const STOP = "stop"; // what an act returns when it could not be done and what was typed after it must not be
const KEPT_VIEWS = 60;
const DROPPED_SHOWS_MS = 5000;

class Mail {
  constructor() {
    this.data = null; // what the server said last
    this.views = new Map(); // response id -> its newest view
    this.after = new Map(); // response id -> the one after it in the order
    this.before = new Map();
    this.current = null; // the response that shows
    this.pending = null; // the message that is not acknowledged yet
    this.waiting = []; // acts that came meanwhile, in order
    this.notice = { kind: "", text: "", until: 0 };
    this.send = () => {}; // set by whoever connects the desk to the server
    this.changed = () => {}; // set by whoever draws it
  }

  get view() { return this.views.get(this.current) ?? null; }
  get busy() { return this.pending !== null && this.pending.holds; }

  // Hearing from the server

  receive(data) {
    this.data = data;
    for (const view of data.answers) {
      this.views.delete(view.id);
      this.views.set(view.id, view);
    }
    for (const id of [...this.views.keys()].slice(0, Math.max(0, this.views.size - KEPT_VIEWS))) {
      if (id !== this.current) this.views.delete(id);
    }
    if (this.current === null) this.show(data.current);
    if (this.pending !== null && data.answer_to?.nonce === this.pending.message.nonce) this.settle(data.answer_to);
    if (this.view === null && !this.busy) this.show(data.current);
    data.order.forEach((id, place) => {
      if (place + 1 < data.order.length) {
        this.after.set(id, data.order[place + 1]);
        this.before.set(data.order[place + 1], id);
      }
    });
    this.drain();
    this.changed();
  }

  settle(answer) {
    const { message } = this.pending;
    this.pending = null;
    if (this.notice.kind === "waiting") this.say("", "");
    if (message.kind === "queue" && answer.done) {
      this.after.clear();
      this.before.clear();
    }
    this.settled(message, answer);
    if (!answer.done) this.say("refused", answer.text);
    else if (answer.text && performance.now() > this.notice.until) this.say("done", answer.text);
    if (answer.show !== null) this.show(answer.show);
    if (!answer.done) this.drop();
  }

  // Acting. Everything that depends on the answer that shows comes through `act`.

  act(does) {
    if (this.busy) this.waiting.push(does);
    else if (does() === STOP) this.drop();
    this.changed();
  }

  drain() {
    while (this.waiting.length && !this.busy) {
      if (this.waiting.shift()() === STOP) this.drop();
    }
  }

  // What was typed ahead was meant for what did not come.
  drop() {
    const count = this.waiting.length;
    this.waiting = [];
    if (!count) return;
    this.notice.text += ` ${count === 1 ? "One press" : `${count} presses`} after that did nothing.`;
    this.notice.until = performance.now() + DROPPED_SHOWS_MS;
  }

  say(kind, text) { this.notice = { kind, text, until: 0 }; }

  // Takes the last word away, but for one about presses that did nothing, which is left to be read.
  hush() { if (performance.now() > this.notice.until) this.say("", ""); }

  stop(text) {
    this.say("refused", text);
    return STOP;
  }

  post(message, holds = true) {
    const nonce = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const posted = { response_id: this.current, ...message, nonce };
    this.pending = { message: posted, holds, sent: performance.now() };
    this.send(posted);
  }
}
