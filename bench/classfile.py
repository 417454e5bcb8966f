"""What a file of 50,000 rows costs on its way to the table, against a class of 30."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.engine import texts
from scoring.intake.checking import Mapping, check_rows
from scoring.intake.exporting import write_csv
from scoring.intake.reading import read_class_file
from scoring.services.house import open_services, prepare
from scoring.settings import Settings

ROWS, CLASS = 50_000, 30
MAPPING = Mapping("answer", "student")


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Seconds of each stage for the large file and for one class, and their ratio per row."""
    large = _stages(ROWS // 10 if quick else ROWS)
    small = _stages(CLASS)
    rows = ROWS // 10 if quick else ROWS
    return [
        {
            "stage": stage,
            f"{rows:,} rows, s": large[stage],
            f"{CLASS} rows, s": small[stage],
            "cost per row, large against small": (large[stage] / rows) / (small[stage] / CLASS),
        }
        for stage in large
    ]


def _stages(count: int) -> dict[str, float]:
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
        seconds = {}

        def timed(stage: str, run: Callable[[], object]) -> object:
            began = time.perf_counter()
            result = run()
            seconds[stage] = time.perf_counter() - began
            return result

        file = timed("read", lambda: read_class_file("class.csv", data))
        timed("check", lambda: check_rows(file, MAPPING))  # type: ignore[arg-type]
        upload_id = timed(
            "read, check and save",
            lambda: services.uploads.submit(actor, section.id, task.version_id, "class.csv", data, MAPPING, "once"),
        )
        timed("table", lambda: services.scores.table(actor, str(upload_id)))
        timed("export", lambda: services.scores.export(actor, str(upload_id)))
        services.close()
    return seconds
