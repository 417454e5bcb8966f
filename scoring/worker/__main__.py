"""The worker process: `python -m scoring.worker`. Loads the student and does the durable work."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from dbos import DBOS, DBOSPortableJSONSerializer
from filelock import FileLock, Timeout

import scoring.cores  # noqa: F401  must come before PyTorch
from db.engine import Database
from scoring.errors import EvenhandError
from scoring.jobs import (
    APPLICATION_NAME,
    APPLICATION_VERSION,
    BACKGROUND_QUEUE,
    BULK_QUEUE,
    INTERACTIVE_QUEUE,
    POLLING_INTERVAL_S,
    PREVIEW_QUEUE,
    TRAINING_QUEUE,
)
from scoring.services.house import prepare
from scoring.settings import Settings, read_settings
from scoring.worker import adapting, explaining, previewing, workflows
from scoring.worker.ahead import Ahead
from scoring.worker.explainers import Explainers
from scoring.worker.heartbeat import Heartbeat
from scoring.worker.meanings import Meanings
from scoring.worker.students import Students

logger = logging.getLogger("scoring.worker")
LOCK_WAIT_S = 30
LOOK_AFTER_S = 10
# Jobs of a queue that run at once. Several people may wait; the model serves the most urgent pass first.
AT_ONCE = {INTERACTIVE_QUEUE: 16, BULK_QUEUE: 1, PREVIEW_QUEUE: 1, TRAINING_QUEUE: 1, BACKGROUND_QUEUE: 1}


def main() -> int:
    """Run until told to stop, or until the process that started this one is gone."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("dbos").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    exit_when_orphaned()
    settings = read_settings()
    settings.make_data_dir()
    lock = FileLock(settings.data_dir / f"worker-{settings.executor_id}.lock")
    try:
        # The last worker of this name may still be dying; two at once would share its jobs.
        lock.acquire(timeout=LOCK_WAIT_S)
    except Timeout:
        logger.error("Another worker runs as %s; give this one another EVENHAND_EXECUTOR_ID.", settings.executor_id)
        return 3
    with lock:
        return serve(settings, stop)


def serve(settings: Settings, stop: threading.Event) -> int:
    """Take work until `stop` is set."""
    prepare(settings)
    database = Database(settings.url)
    students = Students(encoder=settings.encoder, device=settings.device)
    explainers = Explainers(database, students)
    meanings = Meanings(students.turns, settings.device)
    workflows.configure(database, students, settings.chunk_size, meanings)
    explaining.configure(database, explainers)
    adapting.configure(database, students.turns, settings.data_dir, encoder=settings.encoder, device=settings.device)
    previewing.configure(database, students.turns, encoder=settings.encoder, device=settings.device)
    with Heartbeat(database, settings.executor_id, students.details) as heartbeat:
        DBOS(
            config={
                "name": APPLICATION_NAME,
                "system_database_url": settings.url,
                "application_version": APPLICATION_VERSION,
                "executor_id": settings.executor_id,
                "serializer": DBOSPortableJSONSerializer(),
                "notification_listener_polling_interval_sec": POLLING_INTERVAL_S,
                "run_migrations": False,
                "log_level": "WARNING",
            }
        )
        try:
            students.warm(database)
        except EvenhandError as error:
            heartbeat.report("failed", str(error))
            logger.error("%s", error)
            return 4
        DBOS.listen_queues(list(AT_ONCE))
        DBOS.launch()
        for queue, at_once in AT_ONCE.items():
            DBOS.register_queue(
                queue,
                worker_concurrency=at_once,
                polling_interval_sec=POLLING_INTERVAL_S,
                on_conflict="always_update",
            )
        heartbeat.report("ready")
        # Nobody waits for it yet; the first upload need not either.
        threading.Thread(target=meanings.available, name="meanings", daemon=True).start()
        logger.info("Ready: %s", students.details())
        with Ahead(database, explainers):
            while not stop.wait(LOOK_AFTER_S):
                workflows.close_abandoned()
                explaining.tidy()
                adapting.tidy()
                previewing.tidy()
        heartbeat.report("stopping")
        logger.info("Stopping.")
        DBOS.destroy(workflow_completion_timeout_sec=5)
    database.close()
    return 0


def exit_when_orphaned() -> None:
    """End this process when its supervisor is gone, even by SIGKILL; jobs resume in the next worker."""
    supervisor = os.environ.get("EVENHAND_SUPERVISOR_PID")
    if not supervisor:
        return

    def watch() -> None:
        while os.getppid() == int(supervisor):
            threading.Event().wait(0.5)
        os._exit(5)

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
