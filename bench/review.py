"""What each step of a review costs with 50,000 answers in the upload, against 500."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median

from sqlalchemy import insert, select, update

from bench.engine import texts
from db.queries import criterion_ids
from db.tables import MachineScore, Response, Upload, utc_now
from scoring.domain import UploadStatus
from scoring.intake.checking import Mapping
from scoring.intake.exporting import write_csv
from scoring.services.actors import Actor
from scoring.services.house import Services, open_services, prepare
from scoring.services.review import QueueOrder
from scoring.services.review_state import refresh
from scoring.settings import Settings

ANSWERS, CLASS = 50_000, 500
ROUNDS = 30
MAPPING = Mapping("answer", "student")
ALIKE = 20  # answers in each group


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Median milliseconds of each step in the large and the small upload, and their ratio."""
    count = ANSWERS // 10 if quick else ANSWERS
    large, small = _steps(count), _steps(CLASS)
    return [
        {
            "step": step,
            f"{count:,} answers, ms": large[step],
            f"{CLASS} answers, ms": small[step],
            "ratio": large[step] / small[step],
        }
        for step in large
    ]


def _steps(count: int) -> dict[str, float]:
    with _school(count) as (services, actor, upload_id, ids):
        review, chance, numbers = services.review, Random(1), itertools.count()
        levels = {c.id: c.levels[0].value for c in review.response(actor, ids[0]).task.criteria}
        mark = review.queue(actor, upload_id).mark

        def nonce() -> str:
            return f"n{next(numbers)}"

        def decide() -> object:
            i = chance.choice(ids)
            view = review.response(actor, i)
            began = time.perf_counter()
            review.decide(actor, i, view.revision, levels, nonce(), "a reason")
            return time.perf_counter() - began

        def decide_group() -> object:
            members = review.group(actor, chance.choice(ids))
            began = time.perf_counter()
            review.decide_group(actor, members[0].id, {m.id: m.revision for m in members}, levels, nonce(), "a reason")
            return time.perf_counter() - began

        def following(order: QueueOrder, *, unreviewed_only: bool) -> object:
            return review.next(actor, upload_id, order, chance.choice(ids), unreviewed_only=unreviewed_only)

        steps: dict[str, Callable[[], object]] = {
            "progress": lambda: review.queue(actor, upload_id),
            "one answer with all that is shown": lambda: review.response(actor, chance.choice(ids)),
            "five answers around one": lambda: review.responses(
                actor, review.window(actor, upload_id, QueueOrder.UNCERTAIN, chance.choice(ids))
            ),
            "decide": decide,
            "undo": lambda: review.undo_last(actor, upload_id, nonce(), mark),
            "redo": lambda: review.redo_last(actor, upload_id, nonce(), mark),
            f"decide on {ALIKE} alike": decide_group,
            f"undo on {ALIKE} alike": lambda: review.undo_last(actor, upload_id, nonce(), mark),
            "jump": lambda: review.jump(actor, upload_id, f"s{chance.randrange(count)}"),
            "search": lambda: review.search(actor, upload_id, "energy"),
        }
        for order in QueueOrder:
            steps[f"next unreviewed, {order}"] = lambda order=order: following(order, unreviewed_only=True)  # type: ignore[misc]
            steps[f"next of all, {order}"] = lambda order=order: following(order, unreviewed_only=False)  # type: ignore[misc]
        return {name: _median_ms(step) for name, step in steps.items()}


def _median_ms(step: Callable[[], object]) -> float:
    """Of a step's own seconds where it says them, else of the whole call."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        own = step()
        seconds.append(own if isinstance(own, float) else time.perf_counter() - began)
    return 1000 * median(seconds)


@contextmanager
def _school(count: int) -> Iterator[tuple[Services, Actor, str, list[int]]]:
    """An upload of so many answers, scored at random and a third of it reviewed; a tenth was drawn blind."""
    data = write_csv(["student", "answer"], [[f"s{i}", text] for i, text in enumerate(texts(count))])
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "var")
        prepare(settings)
        services = open_services(settings)
        code = services.accounts.new_setup_code()
        assert code is not None
        token = services.accounts.set_up(code, "Ada", "ada@school.example", "a long enough sentence", "local")
        actor = services.accounts.resume(token)
        section = services.sections.create(actor, "Grade 7")
        task = next(t for t in services.tasks.available(actor) if t.scorable)
        upload_id = services.uploads.submit(actor, section.id, task.version_id, "c.csv", data, MAPPING, "once")
        yield services, actor, upload_id, _score(services, upload_id)
        services.close()


def _score(services: Services, upload_id: str) -> list[int]:
    """Write what a worker would, and a person's decisions on a third."""
    chance = Random(0)
    with services.database.write() as session:
        upload = session.get_one(Upload, upload_id)
        upload.status = UploadStatus.DONE
        ids = list(session.scalars(select(Response.id).where(Response.upload_id == upload_id).order_by(Response.id)))
        groups = [{"id": i, "alike_group": f"g{place // ALIKE}"} for place, i in enumerate(ids)]
        session.execute(update(Response), groups)
        values = []
        for i in ids:
            for criterion in criterion_ids(session, upload.task_version_id).values():
                share = chance.random()
                values.append(
                    {
                        "response_id": i, "criterion_id": criterion, "student_version_id": 1, "level": 0,
                        "expected": 1 - share, "probabilities": [share, 1 - share], "job_id": upload_id,
                        "created_at": utc_now(),
                    }
                )  # fmt: skip
        session.execute(insert(MachineScore), values)
        refresh(session, ids)
        session.execute(update(Response), [{"id": i, "reviewed": True} for i in ids[::3]])
    return ids
