"""Durable training: a task is taught to a copy of the active student, in steps of a few seconds.

The training itself is a generator in this process's memory. Each step advances it a little and saves,
in one write, what it finished and how far it is. After a kill it is made anew and told what was
finished; the tensors of that lie in the run's folder. The active version is never touched.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dbos import DBOS
from sqlalchemy import select

from db.engine import Database
from db.tables import Adaptation, StudentVersion, TaskVersion, utc_now
from scoring.errors import EvenhandError, InvalidInput, ModelUnavailable, StorageFull
from scoring.jobs import ADD_TASK, BRING_UP_TO_DATE
from scoring.services.adaptations import small
from scoring.services.runs import OPEN, RunStatus
from scoring.services.tasks import task_of
from scoring.services.versions import is_no_space, read_manifest, register_student
from scoring.training.adaptation import Event, adapt
from scoring.worker.grafting import graft_version
from scoring.worker.trainings import DISK_FULL, Tools, Training, Trainings, fenced, folder_of, saving
from scoring.worker.turns import Rank, Turns
from scoring.worker.workflows import ENDED, RECOVERIES, patiently

logger = logging.getLogger(__name__)
STEP_S = 3.0
LOOK_AGAIN_S = 0.2
DISK_FULL_PAUSE_S = 5.0
DISK_FULL_TRIES = 12
TRAINED = "trained"
INTERRUPTED = "The training was interrupted. Start it once more; the active model was not touched."
DRIFTED = "The new version would have changed scores of other tasks, so it was thrown away. Tell an administrator."
WAITING = "Waiting while a class is being scored."


class _Held:
    """What the steps work with; set once, before the engine of jobs is launched."""

    trainings: Trainings


def configure(
    database: Database,
    turns: Turns,
    folder: Path,
    *,
    encoder: str,
    device: str,
    trainer: Callable[..., Iterator[Event]] = adapt,
) -> None:
    """Give the steps their database, the data folder, and the model's surroundings.

    Args:
        database: Of the house.
        turns: Of this worker: training makes room for whoever waits for a score.
        folder: The data folder; runs lie in `adaptations`, versions in `versions`.
        encoder: As in the settings.
        device: As in the settings.
        trainer: What trains; another one only where a test is not about the model.
    """
    _Held.trainings = Trainings(Tools(database, turns, folder, encoder, device, trainer))


@DBOS.workflow(name=ADD_TASK, max_recovery_attempts=RECOVERIES)
def add_task(run_id: str, job_id: str) -> str:
    """Train a run's task; returns the final status."""
    return perform(run_id, job_id, train)


@DBOS.workflow(name=BRING_UP_TO_DATE, max_recovery_attempts=RECOVERIES)
def bring_up_to_date(run_id: str, job_id: str) -> str:
    """Put what a candidate learned onto the base of the run; returns the final status."""
    return perform(run_id, job_id, graft_task)


def train(run_id: str, job_id: str) -> str:
    """Advance until the training is over; `TRAINED`, or why it went no further."""
    while (status := train_some(run_id, job_id)) == RunStatus.RUNNING:
        pass
    return status


def perform(run_id: str, job_id: str, work: Callable[[str, str], str]) -> str:
    """Do a run's work and record how it ended, in words for a person."""
    try:
        with _Held.trainings.tools.turns.at(Rank.TRAINING):
            if begin_training(run_id, job_id) != RunStatus.RUNNING:
                return clear_away(run_id, RunStatus.CANCELLED)
            status = work(run_id, job_id)
            if status == TRAINED:
                status = list_candidate(run_id, job_id)
            return clear_away(run_id, status)
    except ModelUnavailable as error:
        # The message names folders, which are for administrators.
        logger.error("Adaptation %s: %s", run_id, error)
        message = "The scoring model can't be loaded. An administrator sees why under Health."
        return clear_away(run_id, end_training(run_id, job_id, RunStatus.FAILED, message))
    except StorageFull as error:
        logger.error("Adaptation %s: %s", run_id, error)
        return clear_away(run_id, end_training(run_id, job_id, RunStatus.FAILED, DISK_FULL))
    except EvenhandError as error:
        return clear_away(run_id, end_training(run_id, job_id, RunStatus.FAILED, str(error)))
    except Exception as error:
        # The boundary of the worker: the person is told, the log has the trace.
        logger.exception("Adaptation %s failed.", run_id)
        message = f"Something went wrong in training ({type(error).__name__}). The active model was not touched."
        return clear_away(run_id, end_training(run_id, job_id, RunStatus.FAILED, message))


@DBOS.step()
@patiently
def begin_training(run_id: str, job_id: str) -> str:
    """Mark the run as running, and keep the examples as they are now: it may go on in another process."""
    if _Held.trainings.examples(run_id, job_id) is None:
        return RunStatus.CANCELLED
    with _database().write() as session:
        run = fenced(session, run_id, job_id)
        if run is None:
            return RunStatus.CANCELLED
        run.status, run.started_at = RunStatus.RUNNING, run.started_at or utc_now()
    return RunStatus.RUNNING


@DBOS.step()
@patiently
def train_some(run_id: str, job_id: str) -> str:
    """Train for a few seconds and save what came of it; `TRAINED` once it is over."""
    running = _Held.trainings.get(run_id, job_id)
    if running is None:
        return RunStatus.CANCELLED
    waited = False
    deadline = time.monotonic() + STEP_S
    while not running.over and time.monotonic() < deadline:
        if _Held.trainings.tools.turns.busy(Rank.TRAINING):
            waited = True
            time.sleep(LOOK_AGAIN_S)
            continue
        try:
            event = next(running.events, None)
        except OSError as error:
            _Held.trainings.forget(run_id)
            if not is_no_space(error):
                raise
            return _wait_for_space(run_id, error)
        if event is None:
            running.over = True
            break
        waited, running.last = False, event
        if event.result is not None:
            running.parts[event.key] = dict(event.result)
            break
    if not _save(run_id, job_id, running, WAITING if waited else ""):
        _Held.trainings.drop(run_id)
        return RunStatus.CANCELLED
    return TRAINED if running.over else RunStatus.RUNNING


@DBOS.step()
@patiently
def graft_task(run_id: str, job_id: str) -> str:
    """Copy the task of a run's source onto its base, and prove that nothing else moved."""
    with _database().read() as session:
        run = fenced(session, run_id, job_id)
        if run is None:
            return RunStatus.CANCELLED
        source = session.get_one(StudentVersion, run.source_version_id)
        base, folder = folder_of(session, run.base_student_version_id), Path(source.folder)
        task = task_of(session.get_one(TaskVersion, run.task_version_id))
        report = dict(source.card.get("adaptation") or {})
    for path in (base, folder):
        read_manifest(path)
    texts = [row.text for row in _Held.trainings.examples(run_id, job_id) or ()]
    with saving():
        drift = graft_version(
            base,
            folder,
            task.id,
            _Held.trainings.version_folder(run_id),
            texts,
            report,
            encoder=_Held.trainings.tools.encoder,
        )
    with _database().write() as session:
        run = fenced(session, run_id, job_id)
        if run is None:
            return RunStatus.CANCELLED
        run.stage, run.message, run.done, run.total = "report", "Checked that no other task has moved.", 1, 1
        run.parts = {"report": {"report": {**report, "drift": drift}}}
    return TRAINED


@DBOS.step()
@patiently
def list_candidate(run_id: str, job_id: str) -> str:
    """List the finished version as a candidate, unless it would move another task's scores."""
    with _database().read() as session:
        run = fenced(session, run_id, job_id)
        if run is None:
            return RunStatus.CANCELLED
        report = run.parts["report"]["report"]
        base_id, task_version_id, actor_id = run.base_student_version_id, run.task_version_id, run.requested_by
    if not report["drift"]["identical"]:
        raise InvalidInput(DRIFTED)
    key = _patient_copy(run_id, base_id, task_version_id, actor_id)
    with _database().write() as session:
        run = fenced(session, run_id, job_id)
        if run is None:
            return RunStatus.CANCELLED
        version = session.scalars(select(StudentVersion).where(StudentVersion.version_key == key)).one()
        run.candidate_version_id, run.report = version.id, report
        run.parts = {key: small(part) for key, part in run.parts.items() if key != "report"}
        run.status, run.finished_at, run.message, run.error = RunStatus.DONE, utc_now(), str(report["verdict"]), ""
        run.done = run.total
    return RunStatus.DONE


@DBOS.step()
@patiently
def end_training(run_id: str, job_id: str, status: str, error: str) -> str:
    """Record how the run ended, unless it was cancelled meanwhile."""
    return _finish(run_id, job_id, status, error)


@DBOS.step()
def clear_away(run_id: str, status: str) -> str:
    """Remove the run's folder and its training from memory."""
    _Held.trainings.drop(run_id)
    shutil.rmtree(_Held.trainings.folder(run_id), ignore_errors=True)
    return status


def tidy() -> None:
    """Tell of runs whose job ended without saying so, and remove folders of runs that are over."""
    with _database().read() as session:
        waiting = session.execute(select(Adaptation.id, Adaptation.job_id).where(Adaptation.status.in_(OPEN))).all()
    for run_id, job_id in waiting:
        status = DBOS.get_workflow_status(job_id)
        if status is None or status.status in ENDED:
            logger.error("Adaptation %s: its job ended unfinished.", run_id)
            _finish(run_id, job_id, RunStatus.FAILED, INTERRUPTED)
    home = _Held.trainings.tools.data_dir / "adaptations"
    there = {path.name for path in home.iterdir()} if home.exists() else set()
    for run_id in there - _Held.trainings.held():
        with _database().read() as session:
            run = session.get(Adaptation, run_id)
        if run is None or run.status not in OPEN:
            shutil.rmtree(home / run_id, ignore_errors=True)


def _save(run_id: str, job_id: str, running: Training, waiting: str) -> bool:
    """Write progress and finished parts; whether the run is still wanted."""
    with _database().write() as session:
        run = fenced(session, run_id, job_id)
        if run is None:
            return False
        if running.parts:
            run.parts = {**run.parts, **running.parts}
            if "report" in running.parts:
                run.report = running.parts["report"]["report"]
        if running.last is not None:
            run.stage, run.message = running.last.stage, running.last.message
            run.done, run.total = running.last.done, running.last.total
        run.message = waiting or run.message
    running.parts = {}
    return True


def _wait_for_space(run_id: str, error: OSError) -> str:
    """Let some time pass, so that the step after this one goes on from what was saved."""
    full = _Held.trainings.full
    full[run_id] = full.get(run_id, 0) + 1
    if full[run_id] >= DISK_FULL_TRIES:
        raise InvalidInput(DISK_FULL) from error
    logger.error("Adaptation %s: the disk is full. Trying again in %.0f s.", run_id, DISK_FULL_PAUSE_S)
    time.sleep(DISK_FULL_PAUSE_S)
    return RunStatus.RUNNING


def _patient_copy(run_id: str, base_id: int, task_version_id: int, actor_id: int) -> str:
    store = _Held.trainings.tools.data_dir / "versions"
    while True:
        try:
            return register_student(
                _database(), _Held.trainings.version_folder(run_id), store, actor_id,
                parent_id=base_id, task_version_id=task_version_id,
            )  # fmt: skip
        except StorageFull as error:
            _wait_for_space(run_id, OSError(str(error)))


def _finish(run_id: str, job_id: str, status: str, error: str) -> str:
    with _database().write() as session:
        run = fenced(session, run_id, job_id)
        if run is None:
            return RunStatus.CANCELLED
        run.status, run.error, run.finished_at = status, error, utc_now()
        run.parts = {key: small(part) for key, part in run.parts.items() if key != "report"}
    return status


def _database() -> Database:
    return _Held.trainings.tools.database
