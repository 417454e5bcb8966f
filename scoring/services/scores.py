"""An upload's scores as a table, and as a file to take away."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from db.engine import Database
from db.queries import hidden_in, human_scores, machine_scores, responses_frame, upload_stamp
from db.tables import Section, TaskVersion
from scoring.domain import HIDDEN, CriterionScore, HumanScore, Task, final_score
from scoring.intake.exporting import write_csv
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.check_words import check_words
from scoring.services.feedback import WHOLE_ANSWER, newest_comments, own_templates
from scoring.services.tasks import task_of
from scoring.services.uploads import require_upload

GIVEN_BY = {"machine": "model (unreviewed)", HIDDEN: "nobody yet (to be scored without the model)", "none": ""}


@dataclass(frozen=True)
class ScoreTable:
    """The scores of an upload.

    `frame` has one row per response, in file order: response_id, row, learner, name, attempt, text,
    revision, flags, total (points, missing where a criterion has no score), reviewed (by a person on
    every criterion), and per criterion id `c`: `c` (the level that stands), `c:machine`, `c:expected`,
    `c:probability` (that the machine gives to its own level), `c:source` (machine, override, …, none, or
    hidden: nothing of the machine's is there until somebody has scored the response without it).
    """

    task: Task
    figure: str
    frame: pd.DataFrame

    @property
    def reviewed(self) -> int:
        """How many responses a person has decided on every criterion."""
        return int(self.frame["reviewed"].sum())


@dataclass(frozen=True)
class Told:
    """What learners are told: comments by response and criterion, templates by criterion and level."""

    comments: Mapping[int, Mapping[str, str | None]]
    templates: Mapping[tuple[str, int], str]

    def on(self, row: Mapping[str, Any], criterion_id: str) -> str:
        """The comment of one cell of the export; empty while no person has decided on the answer."""
        if not row["reviewed"]:
            return ""
        comment = self.comments.get(row["response_id"], {}).get(criterion_id, "")
        if comment != "" or criterion_id == WHOLE_ANSWER:
            return comment or ""
        return self.templates.get((criterion_id, row[criterion_id]), "")


class Scores:
    """Reading and exporting scores."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stamp(self, actor: Actor, upload_id: str) -> tuple[str, int, int, int]:
        """Changes whenever the table would; for caching."""
        with self._database.read() as session:
            require_upload(session, require(session, actor), upload_id)
            return upload_stamp(session, upload_id)

    def table(self, actor: Actor, upload_id: str) -> ScoreTable:
        """All responses of an upload with the scores that stand."""
        with self._database.read() as session:
            upload = require_upload(session, require(session, actor), upload_id)
            version = session.get(TaskVersion, upload.task_version_id)
            assert version is not None
            task, figure = task_of(version), version.figure
            frame = responses_frame(session, upload_id)
            machine = machine_scores(session, upload_id=upload_id)
            human = human_scores(session, upload_id=upload_id)
            unseen = hidden_in(session, upload_id)
        return ScoreTable(task, figure, _with_scores(frame, machine, human, unseen, task))

    def export(self, actor: Actor, upload_id: str) -> tuple[str, bytes]:
        """The table as CSV: file name and bytes. Formula cells are neutralised; the export is on record.

        Answers that a person has decided carry what learners are told: the comment that was written on
        them, else the exporter's own template for the level that stands, unless somebody said that nothing
        shall be told there. Drafts of the rubric stay out.
        """
        with self._database.write() as session:
            user = require(session, actor)
            upload = require_upload(session, user, upload_id)
            section = session.get(Section, upload.section_id)
            assert section is not None
            stem, title = upload.file_name.rsplit(".", 1)[0], section.name
            version = session.get_one(TaskVersion, upload.task_version_id)
            told = Told(newest_comments(session, upload_id=upload_id), own_templates(session, user.id, version.task_id))
            record(session, user.id, "scores.export", "upload", upload_id)
        table = self.table(actor, upload_id)
        headers = ["Row", "Student", "Name", "Attempt", "Answer"]
        for criterion in table.task.criteria:
            headers += [
                criterion.name,
                f"{criterion.name}: given by",
                f"{criterion.name}: model's probability",
                f"{criterion.name}: comment",
            ]
        headers += ["Total", "Highest total", "Reviewed by a person", "Signs", "Comment"]
        return f"{stem} - {title} - scores.csv", write_csv(headers, map(_export_row(table.task, told), _records(table)))


def _with_scores(
    frame: pd.DataFrame,
    machine: Mapping[tuple[int, str], CriterionScore],
    human: Mapping[tuple[int, str], Sequence[HumanScore]],
    unseen: Collection[int],
    task: Task,
) -> pd.DataFrame:
    frame = frame.copy()
    ids = [int(response_id) for response_id in frame["response_id"]]
    for criterion in task.criteria:
        name = criterion.id
        scores = [machine.get((response_id, name)) for response_id in ids]
        finals = [
            final_score(score.level if score else None, human.get((i, name), ()), hidden=i in unseen)
            for i, score in zip(ids, scores, strict=True)
        ]
        frame[name] = pd.array([final.level for final in finals], dtype="Int64")
        frame[f"{name}:machine"] = pd.array([s.level if s else None for s in scores], dtype="Int64")
        frame[f"{name}:expected"] = pd.array([s.expected if s else None for s in scores], dtype="Float64")
        frame[f"{name}:probability"] = pd.array(
            [s.probability(criterion) if s else None for s in scores], dtype="Float64"
        )
        frame[f"{name}:source"] = [final.source for final in finals]
        frame[f"{name}:reviewed"] = [final.reviewed for final in finals]
    names = [criterion.id for criterion in task.criteria]
    frame["total"] = frame[names].sum(axis=1, min_count=len(names)).astype("Int64")
    frame["reviewed"] = frame[[f"{name}:reviewed" for name in names]].all(axis=1)
    return frame


def _records(table: ScoreTable) -> list[dict[str, Any]]:
    plain = table.frame.astype(object).where(table.frame.notna(), None)
    names = [str(column) for column in plain.columns]
    return [dict(zip(names, values, strict=True)) for values in plain.itertuples(index=False, name=None)]


def _export_row(task: Task, told: Told) -> Callable[[dict[str, Any]], list[str]]:
    def cells(row: dict[str, Any]) -> list[str]:
        values: list[Any] = [row["row"], row["learner"], row["name"], row["attempt"], row["text"]]
        for criterion in task.criteria:
            probability = row[f"{criterion.id}:probability"]
            source = row[f"{criterion.id}:source"]
            values += [
                row[criterion.id],
                GIVEN_BY.get(source, "a person"),
                None if probability is None else f"{probability:.2f}",
                told.on(row, criterion.id),
            ]
        values += [row["total"], task.highest, "yes" if row["reviewed"] else "no", check_words(row["flags"].split())]
        values.append(told.on(row, WHOLE_ANSWER))
        return ["" if value is None else str(value) for value in values]

    return cells
