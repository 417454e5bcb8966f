// What each key does: the one list behind the keyboard, the hints on the buttons and the help.

const REASON_KEYS = [..."qweiopzxvbmdl"];

const KEYS = [
  { key: "0–9", name: "Set the level of the marked criterion and go to the next one" },
  { key: "Backspace", name: "Clear the level set last", does: (desk) => desk.back() },
  { key: "a", name: "Approve the model's levels, where you have set none, and go on", does: (desk) => desk.approve() },
  { key: "Enter", name: "Save and go on", does: (desk) => desk.save() },
  { key: REASON_KEYS.slice(0, 5).join(" "), name: "Give the reason with this letter, when you chose another level" },
  { key: "j", also: ["ArrowRight"], shown: "j or →", name: "Next answer", repeats: true, does: (desk) => desk.step(1) },
  { key: "k", also: ["ArrowLeft"], shown: "k or ←", name: "Previous answer", repeats: true,
    does: (desk) => desk.step(-1) },
  { key: "u", name: "Undo: take back your last decision, as far as the start of this sitting",
    does: (desk) => desk.undo() },
  { key: "r", name: "Redo: put back what you undid", does: (desk) => desk.redo() },
  { key: "f", name: "Flag this answer, or take the flag away",
    does: (desk) => desk.flag(!desk.view.flagged, desk.view.flag_note) },
  { key: "c", name: "Comment on the marked criterion", opens: "comment" },
  { key: "Shift+c", shown: "Shift + c", name: "Comment on the whole answer", opens: "comment-whole" },
  { key: "h", name: "Hold the comment on the marked criterion back from this student, or tell it again",
    does: (desk) => desk.withhold() },
  { key: "s", name: "Look at the answers that say the same", does: (desk) => desk.lookAtAlike() },
  { key: "Shift+Enter", shown: "Shift + Enter", name: "Save for all answers that say the same, after a look at them",
    does: (desk) => desk.saveForAll() },
  { key: "Tab", name: "To the next criterion or button" },
  { key: "/", name: "Search the answers", opens: "search" },
  { key: "g", name: "Jump to a row or a student", opens: "jump" },
  { key: "t", name: "Show all descriptions of the levels, or those of the marked criterion only", opens: "descriptors" },
  { key: "y", name: "Save mine, when somebody else decided meanwhile",
    does: (desk) => (desk.refused ? desk.saveAnyway() : undefined) },
  { key: "n", name: "Leave theirs, when somebody else decided meanwhile",
    does: (desk) => (desk.refused ? desk.leaveAsItIs() : undefined) },
  { key: "?", name: "This help", opens: "help" },
  { key: "Esc", name: "Out of a text, a search or this help" },
];

const KEY_OF = new Map(KEYS.flatMap((entry) => [entry.key, ...(entry.also ?? [])].map((key) => [key, entry])));

// The key by the sign that it types; on a keyboard with another script, by its place.
function keyOf(event) {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (digit && !event.shiftKey) return digit[1];
  const placed = /^Key([A-Z])$/.exec(event.code);
  let key = event.key;
  if (key.length === 1 && !/[\x21-\x7e]/.test(key) && placed) key = placed[1];
  if (/^[a-z]$/i.test(key)) key = key.toLowerCase();
  return event.shiftKey && (key === "c" || key === "Enter") ? `Shift+${key}` : key;
}

const WRITES = "input:not([type=checkbox]):not([type=radio]):not([type=button]), textarea, select, [contenteditable], "
  + "[role=textbox], [role=combobox], [role=listbox], [role=menu], [role=dialog], dialog";
const ANSWERS_ENTER = "button, a[href], summary, [role=button], [role=tab], [role=link], input";
const ANSWERS_ARROWS = "[role=tab], [role=slider], [role=radiogroup], [role=grid]";

// Whether a key press is for whoever has the focus: somebody types, or went there with the Tab key. What got the
// focus by a click only must not swallow Enter.
function isForTheFocus(event, key, tabbed) {
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (target.closest(WRITES)) return true;
  if ((key === "Enter" || key === "Shift+Enter") && target.closest(ANSWERS_ENTER)) {
    return tabbed && target.getAttribute("role") !== "radio";
  }
  return key.startsWith("Arrow") && target.closest(ANSWERS_ARROWS) !== null && target.getRootNode() === document;
}

// Handles one key press; true when it was for the desk.
function press(event, desk, open, tabbed) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  const key = keyOf(event);
  if (isForTheFocus(event, key, tabbed)) return false;
  const reason = REASON_KEYS.indexOf(key);
  let does = KEY_OF.get(key)?.does;
  if (/^\d$/.test(key)) does = () => desk.setLevel(Number(key));
  else if (reason >= 0) does = () => desk.setReason(reason);
  else if (KEY_OF.get(key)?.opens) does = () => open(KEY_OF.get(key).opens);
  if (!does) return false;
  // A key held down is one press, but for leafing through; a decision is never repeated by holding.
  if (!event.repeat || (KEY_OF.get(key)?.repeats && !desk.busy)) desk.act(() => does(desk));
  return true;
}
