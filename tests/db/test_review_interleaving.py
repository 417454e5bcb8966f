"""In whatever order things happen, no score ever lands on another response, and none vanishes.

Two raters, reloads, double clicks, undo and redo, groups, privacy requests, and a worker that scores again.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update

from db.engine import Database
from db.tables import Response
from scoring.domain import CriterionScore, FinalScore, HumanScoreKind, UploadStatus
from scoring.errors import Conflict, NotFound
from scoring.inference.engine import ResponseScore
from scoring.services.review import QueueOrder, StaleDecision
from scoring.worker import workflows
from tests.conftest import School

COUNT = 5
GROUP = (0, 1, 2)  # say the same; the first of them was drawn blind
CRITERIA = ("heat", "claim")


@dataclass
class Given:
    """What the model remembers of one score: where it belongs, and that it stands."""

    order: int
    who: int
    response: int
    criterion: str
    level: int
    source: str
    taken_back: bool = False


@dataclass
class Event:
    """A message of one rater as the log has it: a decision, its taking back, or its putting back."""

    kind: str  # do, undo, redo
    rows: list[Given]  # of a retraction: those that it took back
    group: bool
    order: int
    put_back: bool = False


@dataclass
class Screen:
    """A response as a rater's screen last showed it."""

    revision: int
    seen: dict[str, int]


@dataclass
class Sent:
    """A message that was saved, to be sent once more."""

    who: int
    send: Callable[[], object]
    responses: tuple[int, ...]


@dataclass
class Scorer:
    """Stands for the student: gives the levels that the test chose."""

    levels: dict[str, int] = field(default_factory=dict)

    def get(self, _database: Database, _version: int) -> Scorer:
        return self

    def score(self, _task: str, texts: Sequence[str]) -> list[ResponseScore]:
        scores = (
            CriterionScore("heat", self.levels["heat"], float(self.levels["heat"]), (0.2, 0.3, 0.5), (0, 1)),
            CriterionScore("claim", self.levels["claim"], float(self.levels["claim"]), (0.4, 0.6)),
        )
        return [ResponseScore(scores, ((0.5, 0.5),), truncated=False) for _ in texts]


_who, _which = st.integers(0, 1), st.integers(0, COUNT - 1)
_levels = st.dictionaries(st.sampled_from(CRITERIA), st.integers(0, 1), min_size=1)


class Interleaving(RuleBasedStateMachine):
    """The services against a model of plain lists."""

    def __init__(self, school: School) -> None:
        super().__init__()
        self.school, self.review = school, school.services.review
        self.raters = (school.educator, school.administrator)
        self.numbers = itertools.count(1)
        self.machine: dict[int, dict[str, int]] = defaultdict(dict)
        self.given: list[Given] = []
        self.log: tuple[list[Event], list[Event]] = ([], [])
        self.sent: list[Sent] = []
        self.screens: dict[tuple[int, int], Screen] = {}
        self.scorer = Scorer()
        workflows.configure(school.database, self.scorer, 1)  # type: ignore[arg-type]

    @initialize()
    def upload(self) -> None:
        rows = [(f"s{n}", f"Name {n}", f"Answer {n}.") for n in range(COUNT)]
        self.other = self.school.response_ids(self.school.upload(rows, token="other"))
        self.upload_id = self.school.upload(rows)
        self.ids = self.school.response_ids(self.upload_id)
        self.revision = dict.fromkeys(self.ids, 0)
        self.drawn = self.ids[0]
        self.group = {self.ids[n] for n in GROUP}
        with self.school.database.write() as session:
            session.execute(update(Response).where(Response.id == self.drawn).values(blind=True))
            session.execute(update(Response).where(Response.id.in_(self.group)).values(alike_group="same"))
        for who, i in itertools.product((0, 1), self.ids):
            self.screens[who, i] = Screen(0, {})

    # What the model knows -----------------------------------------------------------------------------

    def standing(self, response: int, criterion: str) -> Given | None:
        rows = [g for g in self.given if (g.response, g.criterion) == (response, criterion) and not g.taken_back]
        return rows[-1] if rows else None

    def decided(self, response: int) -> bool:
        return all(self.standing(response, criterion) for criterion in CRITERIA)

    def hidden(self, response: int) -> bool:
        undecided = self.drawn in self.ids and not self.decided(self.drawn)
        return undecided and (response == self.drawn or response in self.group)

    def shown(self, response: int) -> dict[str, int]:
        return {} if self.hidden(response) else dict(self.machine[response])

    def final(self, response: int, criterion: str) -> FinalScore:
        given, unseen = self.standing(response, criterion), self.hidden(response)
        if given:
            tells = unseen and given.source in ("confirm", "override")
            return FinalScore(given.level, True, "blind" if tells else given.source)
        level = self.shown(response).get(criterion)
        source = "hidden" if unseen else "none" if level is None else "machine"
        return FinalScore(level, False, source)

    def source(self, response: int, criterion: str, level: int) -> str:
        if self.hidden(response):
            return "blind"
        return "confirm" if self.machine[response].get(criterion, level) == level else "override"

    def save(self, who: int, responses: Sequence[int], levels: Mapping[str, int], *, group: bool) -> None:
        rows = [
            Given(next(self.numbers), who, i, c, level, "group" if group else self.source(i, c, level))
            for i in responses
            for c, level in levels.items()
        ]
        self.given += rows
        self.log[who].append(Event("do", rows, group, rows[-1].order))
        for i in responses:
            self.revision[i] += 1

    def take_back(self, who: int, event: Event) -> set[int]:
        for row in event.rows:
            row.taken_back = True
        self.log[who].append(Event("undo", list(event.rows), event.group, next(self.numbers)))
        touched = {row.response for row in event.rows}
        for i in touched:
            self.revision[i] += 1
        return touched

    def standing_events(self, who: int) -> Iterator[Event]:
        for event in reversed(self.log[who]):
            if event.kind != "undo" and any(not row.taken_back for row in event.rows):
                yield event

    def to_put_back(self, who: int) -> Event | None:
        for event in reversed(self.log[who]):
            if not event.rows or event.kind == "redo" or (event.kind == "undo" and event.put_back):
                continue
            return event if event.kind == "undo" else None
        return None

    def nonce(self) -> str:
        return f"n{next(self.numbers)}"

    # What people do -----------------------------------------------------------------------------------

    @rule(who=_who, which=_which)
    def look(self, who: int, which: int) -> None:
        if which < len(self.ids):
            view = self.review.response(self.raters[who], self.ids[which])
            self.screens[who, view.id] = Screen(
                view.revision, {part.criterion.id: part.machine.level for part in view.criteria if part.machine}
            )

    @rule(who=_who, which=_which, levels=_levels, fresh=st.booleans())
    def decide(self, who: int, which: int, levels: dict[str, int], fresh: bool) -> None:
        if which >= len(self.ids):
            return
        if fresh:
            self.look(who, which)
        i, nonce = self.ids[which], self.nonce()
        screen = self.screens[who, i]
        revision, seen = screen.revision, dict(screen.seen)

        def send() -> object:
            return self.review.decide(self.raters[who], i, revision, levels, nonce, "a reason", seen)

        if revision != self.revision[i]:
            with pytest.raises(StaleDecision) as refused:
                send()
            assert refused.value.now.revision == self.revision[i]
        elif seen != self.shown(i):
            with pytest.raises(Conflict, match="scored this response again"):
                send()
        else:
            send()
            self.save(who, [i], levels, group=False)
            self.sent.append(Sent(who, send, (i,)))

    @rule(who=_who, levels=_levels, fresh=st.booleans(), first=st.sampled_from(GROUP))
    def decide_group(self, who: int, levels: dict[str, int], fresh: bool, first: int) -> None:
        members = [i for i in self.ids if i in self.group]
        if not members:
            return
        looked_at, nonce = members[first % len(members)], self.nonce()
        if fresh:
            for member in self.review.group(self.raters[who], looked_at):
                self.screens[who, member.id] = Screen(member.revision, dict(member.machine))
        revisions = {i: self.screens[who, i].revision for i in members}

        def send() -> object:
            return self.review.decide_group(self.raters[who], looked_at, revisions, levels, nonce, "a reason")

        if revisions != {i: self.revision[i] for i in members}:
            with pytest.raises(StaleDecision):
                send()
        else:
            ordered = [looked_at, *(i for i in members if i != looked_at)]
            assert send() == ordered
            self.save(who, ordered, levels, group=True)
            self.sent.append(Sent(who, send, tuple(ordered)))

    @rule(who=_who)
    def undo_last(self, who: int) -> None:
        nonce, event = self.nonce(), next(self.standing_events(who), None)

        def send() -> object:
            return self.review.undo_last(self.raters[who], self.upload_id, nonce, 0)

        if event is None:
            with pytest.raises(Conflict, match="left to take back"):
                send()
            return
        first = send()
        touched = self.take_back(who, event)
        assert first in touched
        self.sent.append(Sent(who, send, tuple(touched)))

    @rule(who=_who, which=_which)
    def undo_here(self, who: int, which: int) -> None:
        if which >= len(self.ids):
            return
        i, nonce, revision = self.ids[which], self.nonce(), self.screens[who, self.ids[which]].revision

        def send() -> object:
            return self.review.undo(self.raters[who], i, revision, nonce)

        event = next((e for e in self.standing_events(who) if i in {row.response for row in e.rows}), None)
        if event is None or revision != self.revision[i]:
            with pytest.raises(Conflict):
                send()
            return
        send()
        self.sent.append(Sent(who, send, tuple(self.take_back(who, event))))

    @rule(who=_who)
    def redo_last(self, who: int) -> None:
        nonce, event = self.nonce(), self.to_put_back(who)

        def send() -> object:
            return self.review.redo_last(self.raters[who], self.upload_id, nonce, 0)

        if event is None:
            with pytest.raises(Conflict, match="left to put back"):
                send()
            return
        touched = {row.response for row in event.rows}
        later = [e for e in self.log[1 - who] if e.order > event.order and touched & {r.response for r in e.rows}]
        if later:
            with pytest.raises(StaleDecision):
                send()
            return
        send()
        rows = [Given(next(self.numbers), who, r.response, r.criterion, r.level, r.source) for r in event.rows]
        self.given += rows
        event.put_back = True
        self.log[who].append(Event("redo", rows, event.group, rows[-1].order))
        for i in touched:
            self.revision[i] += 1
        self.sent.append(Sent(who, send, tuple(touched)))

    @rule(who=_who, levels=_levels)
    def redo_after_a_colleague_decided(self, who: int, levels: dict[str, int]) -> None:
        """Three steps that seldom follow each other by chance."""
        event = next(self.standing_events(who), None)
        if event is not None:
            self.undo_last(who)
            self.decide(1 - who, self.ids.index(event.rows[0].response), levels, fresh=True)
            self.redo_last(who)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def press_again(self, data: st.DataObject) -> None:
        """A double click, or a retry after a lost connection, however late."""
        sent = data.draw(st.sampled_from(self.sent))
        if all(i in self.ids for i in sent.responses):
            sent.send()

    @rule(which=_which, heat=st.integers(0, 2), claim=st.integers(0, 1))
    def worker_scores(self, which: int, heat: int, claim: int) -> None:
        if which >= len(self.ids):
            return
        i, job = self.ids[which], f"job{next(self.numbers)}"
        self.scorer.levels = {"heat": heat, "claim": claim}
        self.school.set_upload(self.upload_id, job_id=job, status=UploadStatus.RUNNING)
        done = workflows.score_chunk(self.upload_id, job, 1, True, i - 1)
        assert done["after"] == i
        self.machine[i] = dict(self.scorer.levels)

    @precondition(lambda self: len(self.ids) > 2 and len(self.given) > 4)
    @rule(which=st.integers(0, 20))
    def erase(self, which: int) -> None:
        if which >= len(self.ids):  # seldom
            return
        i = self.ids.pop(which)
        self.review.erase_response(self.school.educator, i)
        with pytest.raises(NotFound, match="erased"):
            self.review.decide(self.school.educator, i, self.revision[i], {"heat": 1}, self.nonce())
        self.given = [g for g in self.given if g.response != i]
        for event in itertools.chain(*self.log):
            event.rows = [row for row in event.rows if row.response != i]

    # What must hold -----------------------------------------------------------------------------------

    @invariant()
    def every_response_shows_its_own_scores(self) -> None:
        frame = self.school.services.scores.table(self.school.educator, self.upload_id).frame.set_index("response_id")
        assert list(frame.index) == self.ids
        for i in self.ids:
            view = self.review.response(self.school.educator, i)
            assert (view.revision, view.machine_hidden) == (self.revision[i], self.hidden(i))
            for part in view.criteria:
                key = part.criterion.id
                assert part.final == self.final(i, key)
                assert (part.machine.level if part.machine else None) == self.shown(i).get(key)
                row = frame.loc[i]
                shown = None if pd.isna(row[key]) else int(row[key])
                assert (shown, row[f"{key}:source"]) == (part.final.level, part.final.source)
                kept = [entry.level for entry in part.history if entry.kind is not HumanScoreKind.RETRACT]
                assert kept == [g.level for g in self.given if (g.response, g.criterion) == (i, key)]
                raters = [entry.rater for entry in part.history if entry.kind is not HumanScoreKind.RETRACT]
                names = [self.raters[g.who].name for g in self.given if (g.response, g.criterion) == (i, key)]
                assert raters == names

    @invariant()
    def the_queue_knows_what_is_done(self) -> None:
        state = self.review.queue(self.school.educator, self.upload_id)
        decided = [i for i in self.ids if self.decided(i)]
        assert (state.total, state.reviewed) == (len(self.ids), len(decided))
        following = self.review.next(self.school.educator, self.upload_id, QueueOrder.UNCERTAIN, None)
        assert (following is None) == (len(decided) == len(self.ids))
        if self.drawn in self.ids and not self.decided(self.drawn):
            assert following == self.drawn
        with self.school.database.read() as session:
            for row in session.scalars(select(Response).where(Response.id.in_(self.ids))):
                seen = not row.blind and not self.hidden(row.id) and bool(self.machine[row.id])
                assert (row.uncertainty is not None) == seen
                assert row.machine_total == (sum(self.machine[row.id].values()) if seen else None)

    @invariant()
    def nothing_strays_into_another_upload(self) -> None:
        with self.school.database.read() as session:
            rows = session.execute(select(Response.revision, Response.reviewed).where(Response.id.in_(self.other)))
            assert set(rows) == {(0, False)}

    def teardown(self) -> None:
        assert self.school.services.audit.verify(self.school.administrator).intact
        self.school.services.close()


@pytest.mark.timeout(900)  # a failure is made smaller before it is told
def test_no_order_of_events_moves_or_loses_a_score(open_school: Callable[[Path], School], tmp_path: Path) -> None:
    numbers = itertools.count()
    run_state_machine_as_test(
        lambda: Interleaving(open_school(tmp_path / str(next(numbers)))),
        settings=settings(max_examples=15, stateful_step_count=25, deadline=None),
    )
