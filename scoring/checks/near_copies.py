"""Short answers that are a classmate's nearly letter by letter.

Runs of words say little about a short answer: one slip breaks most of them, and a few words in a row are alike by
chance. What is not alike by chance is the whole of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from rapidfuzz.distance import Indel

from scoring.checks.copying import Match, Overlap, Shingles, candidate_pairs, overlap

_LINK = 2  # words in a row that two answers share before they are compared at all
_MANY = 3  # learners who say exactly the same: what so many say is the usual answer, not a copy
_OWN = 0.4  # share of an answer's words that must be the learner's own and not the task's


def near_copies(
    answers: Sequence[Sequence[str]], learners: Sequence[Hashable], of_the_task: Shingles, *, words: int, longest: int,
    likeness: float,
) -> list[Match | None]:  # fmt: skip
    """For each short answer, the answer of another learner that is nearly the same, if there is one.

    Likeness is the share of letters left in place (Indel: 1 - insertions and deletions over both lengths), so that
    slips, other punctuation and a word more or less don't matter. Near linear, as `copying.closest_classmates`.

    Args:
        answers: each answer's words, in file order.
        learners: whose answer each is; a learner's own other attempts are never a match.
        of_the_task: shingles of the task's texts; an answer made mostly of them is left out.
        words: the fewest words of an answer that is compared; still shorter ones are alike by chance.
        longest: the most words.
        likeness: from which share of letters two answers are nearly the same, 0 to 1.
    """
    short = [
        answer if words <= len(answer) <= longest and overlap(answer, of_the_task).share <= 1 - _OWN else ()
        for answer in answers
    ]
    said = [" ".join(answer) for answer in short]
    saying: dict[str, set[Hashable]] = defaultdict(set)
    for text, learner in zip(said, learners, strict=True):
        saying[text].add(learner)
    usual = {text for text, who in saying.items() if len(who) > _MANY}
    best: list[Match | None] = [None] * len(answers)
    for first, second in candidate_pairs(short, run=_LINK, fewest=1):
        if learners[first] == learners[second] or said[first] in usual or said[second] in usual:
            continue
        alike = Indel.normalized_similarity(said[first], said[second], score_cutoff=likeness)
        if not alike:
            continue
        for index, other in ((first, second), (second, first)):
            known = best[index]
            if known is None or (alike, -other) > (known.overlap.share, -known.index):
                shared = round(alike * len(short[index]))
                best[index] = Match(other, Overlap(alike, shared, shared))
    return best
