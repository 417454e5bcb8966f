"""The labelled answers of a task: how many there are, and a file of more, checked row by row before it is saved."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pages.components.authoring.charts import level_bars
from pages.components.authoring.labelling import show_answers
from pages.components.authoring.stepper import Standing, Step, go, next_button
from pages.components.class_file import NONE, PREVIEW_ROWS, SEVERITIES
from pages.components.frame import told_plainly
from pages.components.session import Key, remember_notice, services
from pages.components.words import counted, plain
from scoring.domain import Task
from scoring.services.actors import Actor
from scoring.services.examples import CheckedExamples, ClassFile, ExampleColumns, ExampleOverview, RowProblem


def show_examples(actor: Actor, stands: Standing) -> None:
    """The step: what there is, a file of more, the answers themselves."""
    overview, task = stands.overview, stands.task
    if not overview.labelled and not overview.unlabelled:
        st.info(
            "This task has no answers yet. The model learns it from answers that people have scored: about 30 are a "
            "start, 60 and more make its scores steady. Give some answers at every level.",
            icon=":material/inbox:",
        )
    else:
        show_overview(task.task, overview, f"{task.version_id}")
    if overview.ready:
        next_button(task.id, Step.TRAIN, "Go on to training")
    st.markdown("#### Add answers from a file")
    with told_plainly():
        _add_file(actor, stands)
    if overview.labelled or overview.unlabelled:
        show_answers(actor, task)


def show_overview(task: Task, overview: ExampleOverview, key: str) -> None:
    """Counts, levels, and what more would help."""
    with st.container(horizontal=True, gap="large"):
        st.metric("Labelled answers", f"{overview.labelled:,}", width="content")
        st.metric(
            "Waiting for a label", f"{overview.unlabelled:,}", width="content",
            help="Answers without levels help the model, too: it reads them, and proposes which to label next.",
        )  # fmt: skip
        st.metric(
            "Rated by two people", f"{overview.twice:,}", width="content",
            help="With a second rating, the model can be compared with how well people agree with each other.",
        )  # fmt: skip
    if not overview.ready:
        st.warning(plain(overview.why_not), icon=":material/warning:")
    show_levels(task, overview.distribution, {thin.criterion_id: thin.value for thin in overview.thinnest}, key)
    show_advice(overview.advice)


def show_levels(
    task: Task, distribution: Mapping[str, Mapping[int, int]], thinnest: Mapping[str, int], key: str
) -> None:
    """One chart a criterion."""
    across = min(4, max(2, len(task.criteria)))
    for start in range(0, len(task.criteria), across):
        row = task.criteria[start : start + across]
        for column, criterion in zip(st.columns(across, vertical_alignment="bottom"), row, strict=False):
            with column:
                st.markdown(f"**{plain(criterion.name)}**")
                level_bars(
                    criterion, distribution.get(criterion.id, {}), thinnest.get(criterion.id),
                    f"levels-{key}-{criterion.id}",
                )  # fmt: skip


def show_advice(advice: tuple[str, ...]) -> None:
    """What more would help, the most useful first."""
    if advice:
        st.markdown("**What more would help**\n\n" + "\n".join(f"- {plain(sentence)}" for sentence in advice))


def _add_file(actor: Actor, stands: Standing) -> None:
    form = st.session_state.get(Key.FORM, 0)
    carried = st.session_state.get(Key.CARRIED)
    uploaded = st.file_uploader(
        "File of labelled answers (CSV, TSV or XLSX)", key=f"examples-{form}",
        max_upload_size=services().settings.max_upload_mb,
        help="One row an answer: its text, and a column of levels for each criterion. Rows without levels are kept to "
        "be labelled later. Moodle’s Pattern Match files (mark, response) are read as they are.",
    )  # fmt: skip
    if uploaded is not None:
        name, data = uploaded.name, uploaded.getvalue()
    elif carried is not None and carried[0] == stands.task.id:
        _, name, data = carried
        st.info(
            "These labelled answers came with the file that you took the task from. Nothing is saved yet.",
            icon=":material/inventory_2:",
        )
    else:
        return
    digest = hashlib.sha256(data).hexdigest()
    file = _read(actor.user_id, stands.task.id, digest, None, actor, name, data)
    sheet = None
    if len(file.sheets) > 1:
        sheet = st.selectbox(
            "Sheet", file.sheets, index=file.sheets.index(file.sheet), key=f"examples-sheet-{file.sha256}"
        )
        file = _read(actor.user_id, stands.task.id, digest, sheet, actor, name, data)
    columns = choose_columns(file, services().examples.suggest(actor, stands.task.id, file), stands.task.task)
    checked = _check(
        f"{actor.user_id} {stands.task.version_id} {stands.overview.labelled} {stands.overview.unlabelled} "
        f"{file.sha256} {file.sheet}",
        repr(columns), actor, stands.task.id, file, columns,
    )  # fmt: skip
    st.markdown("#### What the check found")
    if not show_check(
        checked, stands.task.task, f"{file.sha256[:12]}-{hashlib.sha256(repr(columns).encode()).hexdigest()[:8]}"
    ):
        return
    replace = bool(stands.overview.labelled or stands.overview.unlabelled) and st.checkbox(
        f"Remove the {counted(stands.overview.labelled + stands.overview.unlabelled, 'answer')} that the task has first"
    )
    if st.button(f"Save {counted(len(checked.good), 'answer')}", type="primary", icon=":material/save:"):
        tokens = st.session_state.setdefault(Key.SUBMIT_TOKEN, {})
        token = tokens.setdefault(("examples", stands.task.id, form, file.sha256), uuid.uuid4().hex)
        saved = services().examples.save(
            actor, stands.task.id, name, data, columns, token, sheet=sheet, replace=replace
        )
        st.session_state[Key.FORM] = form + 1
        st.session_state.pop(Key.CARRIED, None)
        changed = f", {saved.changed:,} changed" if saved.changed else ""
        remember_notice(f"{counted(saved.added, 'answer')} added{changed}.")
        go(stands.task.id, Step.EXAMPLES)


@st.cache_resource(max_entries=8, ttl=900, show_spinner="Reading the file…")
def _read(
    user_id: int, task_id: int, digest: str, sheet: str | None, _actor: Actor, _name: str, _data: bytes
) -> ClassFile:
    return services().examples.read_file(_actor, task_id, _name, _data, sheet)


@st.cache_resource(max_entries=8, ttl=900, show_spinner="Checking every row…")
def _check(
    what: str, chosen: str, _actor: Actor, _task_id: int, _file: ClassFile, _columns: ExampleColumns
) -> CheckedExamples:
    return services().examples.check(_actor, _task_id, _file, _columns)


def choose_columns(file: ClassFile, suggested: ExampleColumns | None, task: Task) -> ExampleColumns:
    """Which column holds what, on the first rows of the file."""
    preview = pd.DataFrame([row.cells for row in file.rows[:PREVIEW_ROWS]], columns=list(file.headers))
    st.dataframe(preview, hide_index=True, alt=f"The first {counted(len(preview), 'row')} of the file")
    key = f"{file.sha256}-{file.sheet}"

    def pick(label: str, guess: str | None, name: str, *, optional: bool = True) -> str | None:
        options: list[str | None] = [None, *file.headers] if optional else [*file.headers]
        return st.selectbox(
            label, options, index=options.index(guess) if guess in options else 0, key=f"example-{name}-{key}",
            format_func=lambda header: NONE if header is None else header,
        )  # fmt: skip

    left, right = st.columns(2)
    with left:
        text = pick("Answers are in", suggested.text if suggested else None, "text", optional=False)
    with right:
        response_id = pick("Each answer’s own number or name is in", suggested.response_id if suggested else None, "id")
    guesses = suggested.levels if suggested else {}
    levels = {}
    across = min(3, max(2, len(task.criteria)))
    for start in range(0, len(task.criteria), across):
        row = task.criteria[start : start + across]
        for column, criterion in zip(st.columns(across, vertical_alignment="bottom"), row, strict=False):
            with column:
                levels[criterion.id] = pick(
                    f"Levels of “{criterion.name}” are in", guesses.get(criterion.id), f"level-{criterion.id}"
                )
    twice = suggested.second if suggested else {}
    with st.expander("A second person’s levels" + (f" ({len(twice)} found)" if twice else "")):
        second = {
            criterion.id: pick(
                f"Second levels of “{criterion.name}” are in", twice.get(criterion.id), f"second-{criterion.id}"
            )
            for criterion in task.criteria
        }
    assert text is not None
    return ExampleColumns(text, response_id, _chosen(levels), _chosen(second))


def _chosen(columns: Mapping[str, str | None]) -> dict[str, str]:
    return {criterion_id: header for criterion_id, header in columns.items() if header is not None}


def show_check(checked: CheckedExamples, task: Task, key: str) -> bool:
    """Every problem by row, and the levels; whether the good rows may be saved as things are."""
    if checked.refusal:
        st.error(plain(checked.refusal), icon=":material/block:")
        return False
    for note in checked.notes:
        st.info(plain(note), icon=":material/info:")
    warnings = sum(problem.severity == "warning" for problem in checked.problems)
    if checked.left_out:
        st.error(
            f"{counted(checked.left_out, 'row')} can't be taken; {len(checked.good):,} can.", icon=":material/block:"
        )
    if warnings:
        st.warning(f"{counted(warnings, 'thing')} to look at. These rows are taken.", icon=":material/warning:")
    if checked.problems:
        _problem_table(checked.problems)
    elif checked.good:
        st.success(f"All {len(checked.good):,} rows are fine.", icon=":material/check_circle:")
    if not checked.good:
        st.error("No row of this file can be used. Choose other columns above, or correct the file.")
        return False
    waiting = f"; {checked.unlabelled:,} without a level wait for one" if checked.unlabelled else ""
    st.markdown(f"**{counted(checked.labelled, 'labelled answer')}**{waiting}")
    thinnest = {
        criterion.id: min(checked.distribution[criterion.id], key=checked.distribution[criterion.id].__getitem__)
        for criterion in task.criteria
        if sum(checked.distribution[criterion.id].values())
    }
    show_levels(task, checked.distribution, thinnest, f"checked-{key}")
    show_advice(checked.advice)
    if not checked.left_out:
        return True
    return st.checkbox(f"Take the {counted(len(checked.good), 'good row')} and leave out the rows listed above")


def _problem_table(problems: tuple[RowProblem, ...]) -> None:
    table = pd.DataFrame(
        [
            {"Row": p.number, "What": SEVERITIES[p.severity], "Problem": p.message, "Column": p.field, "Found": p.found}
            for p in sorted(problems, key=lambda p: (p.severity != "error", p.number))
        ]
    )
    st.dataframe(
        table, hide_index=True, row_height=56, height=min(56 * len(table) + 40, 380),
        alt=f"{counted(len(table), 'problem')} by row",
        column_config={
            "Row": st.column_config.NumberColumn(width=60), "What": st.column_config.TextColumn(width=90),
            "Problem": st.column_config.TextColumn(width=400), "Found": st.column_config.TextColumn(width=200),
        },
    )  # fmt: skip
