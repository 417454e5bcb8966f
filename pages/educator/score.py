"""A class's file becomes an upload: choose, map, see every problem, submit."""

from __future__ import annotations

import uuid

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.components.class_file import choose_columns, show_notes, show_problems
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.selection import select_upload
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.task_card import show_criterion, show_task
from pages.components.words import counted, plain, told_apart
from scoring.services.actors import Actor
from scoring.services.sections import SectionSummary
from scoring.services.tasks import TaskSummary
from scoring.services.uploads import CheckedFile, ClassFile, Mapping


@st.cache_resource(max_entries=8, ttl=900, show_spinner="Reading the file…")
def read(user_id: int, file_id: str, sheet: str | None, _actor: Actor, _name: str, _data: bytes) -> ClassFile:
    """The file as read, once per file rather than once per click."""
    return services().uploads.read_file(_actor, _name, _data, sheet)


@st.cache_resource(max_entries=8, ttl=900, show_spinner="Checking every row…")
def check(user_id: int, file_id: str, sheet: str, mapping: Mapping, _actor: Actor, _file: ClassFile) -> CheckedFile:
    """The rows as checked, once per choice of columns."""
    return services().uploads.check(_actor, _file, mapping)


def choose_section(sections: list[SectionSummary]) -> SectionSummary:
    """The section picker."""
    labelled = told_apart(sections, lambda section: section.name, lambda section: ", ".join(section.educators))
    return labelled[st.selectbox("Section", labelled)]


def choose_task(actor: Actor) -> TaskSummary | None:
    """The task picker; nothing when no task can be scored."""
    tasks = [task for task in services().tasks.available(actor) if task.scorable]
    if not tasks:
        empty_state(
            "menu_book",
            "No task can be scored yet",
            "An administrator sees under **Model versions** and **Health** why.",
        )
        return None
    labelled = told_apart(
        tasks,
        lambda task: f"{task.task.title} (grade {task.task.grade})" if task.task.grade else task.task.title,
        lambda task: task.task.id,
    )
    return labelled[st.selectbox("Task", labelled)]


def show_rubric(task: TaskSummary) -> None:
    """The chosen task on demand, so that the right one is chosen."""
    with st.expander("Show the task and its rubric"):
        left, right = st.columns(2, gap="large")
        with left:
            show_task(task.task, task.figure)
        with right:
            for criterion in task.task.criteria:
                show_criterion(criterion)


def read_upload(actor: Actor, uploaded: UploadedFile, data: bytes) -> ClassFile:
    """The file, of a workbook the sheet that is chosen."""
    file = read(actor.user_id, uploaded.file_id, None, actor, uploaded.name, data)
    if len(file.sheets) < 2:
        return file
    sheet = st.selectbox("Sheet", file.sheets, index=file.sheets.index(file.sheet), key=f"sheet-{file.sha256}")
    return read(actor.user_id, uploaded.file_id, sheet, actor, uploaded.name, data)


def warn_of_earlier(actor: Actor, section: SectionSummary, file: ClassFile) -> None:
    """Say that these very bytes came in before; it may be meant."""
    earlier = services().uploads.same_file(actor, section.id, file.sha256)
    if earlier:
        st.warning(
            f"This very file was uploaded to {plain(section.name)} before, on "
            f"{earlier[0].created_at:%d %B %Y at %H:%M} UTC for “{plain(earlier[0].task_title)}”. "
            "Uploading it again makes new attempts.",
            icon=":material/content_copy:",
        )


def submit(
    actor: Actor, section: SectionSummary, task: TaskSummary, uploaded: UploadedFile, data: bytes, mapping: Mapping,
    sheet: str,
) -> None:  # fmt: skip
    """Save the answers and go to their results."""
    # One token per file, section and task on this form, so that a double click submits once.
    tokens = st.session_state.setdefault(Key.SUBMIT_TOKEN, {})
    token = tokens.setdefault((uploaded.file_id, section.id, task.version_id), uuid.uuid4().hex)
    with st.spinner("Saving the answers…"):
        upload_id = services().uploads.submit(
            actor, section.id, task.version_id, uploaded.name, data, mapping, token,
            sheet=sheet or None, take_good_rows=True,
        )  # fmt: skip
    st.session_state[Key.FORM] = st.session_state.get(Key.FORM, 0) + 1
    select_upload(upload_id)
    saved = services().uploads.get(actor, upload_id).responses
    remember_notice(f"{counted(saved, 'answer')} saved; scoring begins.")
    st.switch_page("educator/results.py", query_params={Key.UPLOAD.value: upload_id})


def offer_samples() -> None:
    """Something to try for somebody who has no file at hand."""
    folder = services().settings.classroom.parent / "classfiles"
    files = sorted(path for path in folder.glob("*") if path.suffix in {".csv", ".xlsx"})
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
            "groups", "First, make a section", "Answers belong to a class. Name yours under **My sections**.",
            "educator/sections.py", "Go to My sections",
        )  # fmt: skip
        return
    left, right = st.columns(2)
    with left:
        section = choose_section(sections)
    with right:
        task = choose_task(actor)
    if task is None:
        return
    show_rubric(task)
    uploaded = st.file_uploader(
        "File of answers (CSV, TSV or XLSX)", type=None, key=f"file-{st.session_state.get(Key.FORM, 0)}",
        max_upload_size=services().settings.max_upload_mb,
        help="An export of Canvas, Moodle or Google Forms, or any sheet with one column of answers.",
    )  # fmt: skip
    if uploaded is None:
        offer_samples()
        return
    data = uploaded.getvalue()
    file = read_upload(actor, uploaded, data)
    warn_of_earlier(actor, section, file)
    st.subheader("Which column is which?", anchor=False)
    mapping = choose_columns(file, services().uploads.suggest_mapping(actor, file, task.version_id))
    checked = check(actor.user_id, uploaded.file_id, file.sheet, mapping, actor, file)
    st.subheader("What the check found", anchor=False)
    show_notes(checked.notes)
    ready = show_problems(checked)
    blanks = sum(row.is_blank for row in checked.good)
    count = len(checked.good) - blanks
    if blanks:
        verb = "is" if blanks == 1 else "are"
        st.caption(f"{counted(blanks, 'blank answer')} {verb} kept for you to decide; the model does not score blanks.")
    label = f"Score {counted(count, 'answer')}" if count else "Save without scoring"
    if st.button(label, type="primary", icon=":material/play_arrow:", disabled=not ready):
        submit(actor, section, task, uploaded, data, mapping, file.sheet)


with told_plainly():
    main(current_actor())
