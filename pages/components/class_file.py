"""A class's file on the screen, before it is saved: which column holds what, and what the check found."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.words import counted, plain
from scoring.services.uploads import CheckedFile, ClassFile, Mapping

SEVERITIES = {"error": "left out", "warning": "look at", "note": "note"}
PREVIEW_ROWS = 5
NONE = "(not in this file)"


def show_notes(notes: tuple[str, ...]) -> None:
    """What was noticed about the file as a whole; notes quote the file."""
    for note in notes:
        st.info(plain(note), icon=":material/info:")


def choose_columns(file: ClassFile, suggested: Mapping | None) -> Mapping:
    """Which column holds what, on the first rows of the file."""
    preview = pd.DataFrame([row.cells for row in file.rows[:PREVIEW_ROWS]], columns=list(file.headers))
    st.dataframe(preview, hide_index=True, alt=f"The first {counted(len(preview), 'row')} of the file")
    sheet = f" · sheet “{file.sheet}”" if file.sheet else ""
    st.caption(plain(f"{counted(len(file.rows), 'row')} under the header{sheet}"))

    def pick(label: str, field: str, hint: str, *, optional: bool = True) -> str | None:
        options: list[str | None] = [None, *file.headers] if optional else [*file.headers]
        guess: str | None = getattr(suggested, field, None)
        return st.selectbox(
            label, options, index=options.index(guess) if guess in options else 0, help=hint,
            format_func=lambda header: NONE if header is None else header,
            key=f"{field}-{guess}-{file.sha256}-{file.sheet}",
        )  # fmt: skip

    left, middle, right = st.columns(3)
    with left:
        answer = pick("Answers are in", "answer", "The column with the texts.", optional=False)
    with middle:
        learner = pick(
            "Students are known by", "learner",
            "A number or name that is the same in your next file. Without it, students are named by their row.",
        )  # fmt: skip
    with right:
        name = pick("Names are in", "learner_name", "Only to show beside the answers. Names are optional.")
    assert answer is not None
    attempt = suggested.attempt if suggested and suggested.attempt in file.headers else None
    return Mapping(answer=answer, learner=learner, learner_name=name, attempt=attempt if attempt != answer else None)


def show_problems(checked: CheckedFile) -> bool:
    """Every problem by row; returns whether the file may be submitted as things are."""
    good, total = len(checked.good), len(checked.rows)
    warnings = sum(problem.severity == "warning" for problem in checked.problems)
    if total > good:
        st.error(f"{counted(total - good, 'row')} can't be taken; {good:,} can.", icon=":material/block:")
    if warnings:
        rows = "This row is taken." if warnings == 1 else "These rows are taken."
        st.warning(f"{counted(warnings, 'thing')} to look at. {rows}", icon=":material/warning:")
    if not checked.problems and total:
        words = f"All {total:,} rows are fine." if total > 1 else "The row is fine."
        st.success(words, icon=":material/check_circle:")
    if checked.problems:
        show_table(checked)
    if not good:
        st.error("No row of this file can be used. Choose another column above, or correct the file.")
        return False
    if total == good:
        return True
    rows = f"{good:,} good rows" if good > 1 else "1 good row"
    return st.checkbox(f"Take the {rows} and leave out the {total - good:,} listed above")


def show_table(checked: CheckedFile) -> None:
    """The problems, the rows that are left out first."""
    table = pd.DataFrame(
        [
            {"Row": p.number, "What": SEVERITIES[p.severity], "Problem": p.message, "Column": p.field, "Found": p.found}
            for p in sorted(checked.problems, key=lambda p: (p.severity != "error", p.number))
        ]
    )
    st.dataframe(
        table, hide_index=True, row_height=76, height=min(76 * len(table) + 40, 420),
        alt=f"{counted(len(table), 'problem')} by row",
        column_config={
            "Row": st.column_config.NumberColumn(width=60), "What": st.column_config.TextColumn(width=90),
            "Problem": st.column_config.TextColumn(width=380), "Found": st.column_config.TextColumn(width=160),
        },
    )  # fmt: skip
