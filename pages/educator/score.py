"""A class's file becomes an upload: choose, map, see every problem, submit."""

from __future__ import annotations

import uuid
from pathlib import Path

import pandas as pd
import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.selection import select_upload
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.task_card import show_criterion, show_task
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary
from scoring.services.uploads import CheckedFile, ClassFile, Mapping

SEVERITIES = {"error": "left out", "warning": "look at", "note": "note"}
PREVIEW_ROWS = 5


@st.cache_resource(max_entries=8, ttl=900, show_spinner="Reading the file…")
def read(user_id: int, sha: str, sheet: str | None, _actor: Actor, _name: str, _data: bytes) -> ClassFile:
    """The file as read, once per file rather than once per click."""
    return services().uploads.read_file(_actor, _name, _data, sheet)


@st.cache_resource(max_entries=8, ttl=900, show_spinner="Checking every row…")
def check(
    user_id: int, sha: str, sheet: str, mapping: Mapping, _actor: Actor, _file: ClassFile
) -> CheckedFile:
    """The rows as checked, once per choice of columns."""
    return services().uploads.check(_actor, _file, mapping)


def choose_task(actor: Actor) -> TaskSummary | None:
    """The task picker with the task beside it."""
    tasks = [task for task in services().tasks.available(actor) if task.scorable]
    if not tasks:
        empty_state(
            "menu_book",
            "No task can be scored yet",
            "An administrator sees under **Model versions** and **Health** why.",
        )
        return None
    chosen: TaskSummary = st.selectbox(
        "Task", tasks, format_func=lambda t: f"{t.task.title} (grade {t.task.grade})" if t.task.grade else t.task.title
    )  # fmt: skip
    with st.expander("Show the task and its rubric"):
        show_task(chosen.task, chosen.figure)
        st.divider()
        for criterion in chosen.task.criteria:
            show_criterion(criterion)
    return chosen


def choose_columns(file: ClassFile, suggested: Mapping | None) -> Mapping:
    """Which column holds what, on the first rows of the file."""
    preview = pd.DataFrame([row.cells for row in file.rows[:PREVIEW_ROWS]], columns=list(file.headers))
    st.dataframe(preview, hide_index=True, alt=f"The first {len(preview)} rows of the file")
    st.caption(
        f"{len(file.rows):,} rows under the header" + (f" · sheet “{file.sheet}”" if file.sheet else "")
    )
    headers: list[str | None] = list(file.headers)
    none = "(not in this file)"

    def pick(label: str, guess: str | None, optional: bool, key: str, hint: str) -> str | None:
        options = [None, *headers] if optional else headers
        index = options.index(guess) if guess in options else 0
        return st.selectbox(
            label, options, index=index, format_func=lambda h: none if h is None else h, help=hint, key=f"{key}-{file.sha256}-{file.sheet}"
        )  # fmt: skip

    columns = st.columns(3)
    with columns[0]:
        answer = pick(
            "Answers are in", suggested and suggested.answer, False, "answer", "The column with the texts."
        )
    with columns[1]:
        learner = pick(
            "Students are known by", suggested and suggested.learner, True, "learner",
            "A number or name that is the same in your next file. Without it, students are named by their row.",
        )  # fmt: skip
    with columns[2]:
        name = pick(
            "Names are in", suggested and suggested.learner_name, True, "name",
            "Only to show beside the answers. Names are optional.",
        )  # fmt: skip
    assert answer is not None
    attempt = suggested.attempt if suggested and suggested.attempt in file.headers else None
    return Mapping(
        answer=answer, learner=learner, learner_name=name, attempt=attempt if attempt != answer else None
    )


def show_problems(checked: CheckedFile) -> bool:
    """Every problem by row; returns whether the file may be submitted as things are."""
    errors = len(checked.rows) - len(checked.good)
    warnings = sum(problem.severity == "warning" for problem in checked.problems)
    for note in checked.notes:
        st.info(note, icon=":material/info:")
    if not checked.problems:
        st.success(f"All {len(checked.rows):,} rows are fine.", icon=":material/check_circle:")
        return True
    table = pd.DataFrame(
        [
            {
                "Row": p.number,
                "What": SEVERITIES[p.severity],
                "Column": p.field,
                "Found": p.found,
                "Problem": p.message,
            }
            for p in sorted(checked.problems, key=lambda p: (p.severity != "error", p.number))
        ]
    )
    word = "row" if errors == 1 else "rows"
    if errors:
        st.error(f"{errors:,} {word} can't be taken; {len(checked.good):,} can.", icon=":material/block:")
    if warnings:
        st.warning(f"{warnings:,} things to look at. These rows will be taken.", icon=":material/warning:")
    st.dataframe(
        table, hide_index=True, height=min(38 * (len(table) + 1), 320), alt=f"{len(table)} problems by row",
        column_config={"Row": st.column_config.NumberColumn(width="small"), "What": st.column_config.TextColumn(width="small"),
                       "Problem": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    if not checked.good:
        st.error("No row of this file can be used. Choose another column above, or correct the file.")
        return False
    if errors:
        return st.checkbox(
            f"Take the {len(checked.good):,} good rows and leave out the {errors:,} listed above"
        )
    return True


def submit_token(file_id: str) -> str:
    """One token per file on this form, so that a double click submits once."""
    tokens = st.session_state.setdefault(Key.SUBMIT_TOKEN, {})
    return tokens.setdefault(file_id, uuid.uuid4().hex)


def sample_files() -> list[Path]:
    """Class files to try things out with."""
    folder = services().settings.classroom.parent / "classfiles"
    return sorted(path for path in folder.glob("*") if path.suffix in {".csv", ".xlsx"})


def offer_samples() -> None:
    """Something to try for somebody who has no file at hand."""
    files = sample_files()
    if not files:
        return
    with st.expander("No file at hand? Try a sample class"):
        st.caption(
            "Invented answers of invented students. Each file fits one task; “messy” ones have problems on purpose."
        )
        with st.container(horizontal=True):
            for path in files:
                st.download_button(
                    path.name, path.read_bytes(), file_name=path.name, icon=":material/download:",
                    key=f"sample-{path.name}", on_click="ignore",
                )  # fmt: skip


def main(actor: Actor) -> None:
    """The screen, from top to bottom in the order of the work."""
    heading(
        "Score a class",
        "Upload the answers of one class to one task. Nothing is saved before you press the last button.",
    )
    sections = services().sections.mine(actor)
    if not sections:
        empty_state(
            "groups", "First, make a section", "Answers belong to a class. Name yours under **My sections**."
        )
        st.page_link("educator/sections.py", label="Go to My sections", icon=":material/arrow_forward:")
        return
    left, right = st.columns(2)
    with left:
        section = st.selectbox("Section", sections, format_func=lambda s: s.name)
    with right:
        task = choose_task(actor)
    if task is None:
        return
    form = st.session_state.setdefault(Key.FORM, 0)
    uploaded = st.file_uploader(
        "File of answers (CSV, TSV or XLSX)", type=None, key=f"file-{form}",
        help="An export of Canvas, Moodle or Google Forms, or any sheet with one column of answers.",
    )  # fmt: skip
    if uploaded is None:
        offer_samples()
        return
    data = uploaded.getvalue()
    file = read(actor.user_id, uploaded.file_id, None, actor, uploaded.name, data)
    if len(file.sheets) > 1:
        sheet = st.selectbox(
            "Sheet", file.sheets, index=file.sheets.index(file.sheet), key=f"sheet-{file.sha256}"
        )
        file = read(actor.user_id, uploaded.file_id, sheet, actor, uploaded.name, data)
    for note in file.notes:
        st.info(note, icon=":material/info:")
    earlier = services().uploads.same_file(actor, section.id, file.sha256)
    if earlier:
        st.warning(
            f"This very file was uploaded to {section.name} before, on {earlier[0].created_at:%d %B %Y at %H:%M} UTC "
            f"for “{earlier[0].task_title}”. Uploading it again makes new attempts.",
            icon=":material/content_copy:",
        )
    st.subheader("Which column is which?", anchor=False)
    mapping = choose_columns(file, services().uploads.suggest_mapping(actor, file))
    checked = check(actor.user_id, uploaded.file_id, file.sheet, mapping, actor, file)
    st.subheader("What the check found", anchor=False)
    ready = show_problems(checked)
    blanks = sum(row.is_blank for row in checked.good)
    count = len(checked.good) - blanks
    if blanks:
        st.caption(f"{blanks:,} blank answers are kept for you to decide; the model does not score them.")
    if st.button(
        f"Score {count:,} answers", type="primary", icon=":material/play_arrow:", disabled=not ready
    ):
        with st.spinner("Saving the answers…"):
            upload_id = services().uploads.submit(
                actor, section.id, task.version_id, uploaded.name, data, mapping, submit_token(uploaded.file_id),
                sheet=file.sheet or None, take_good_rows=True,
            )  # fmt: skip
        st.session_state[Key.FORM] = form + 1
        select_upload(upload_id)
        remember_notice(f"{len(checked.good):,} answers saved; scoring begins.")
        st.switch_page("educator/results.py", query_params={Key.UPLOAD: upload_id})


with told_plainly():
    main(current_actor())
