"""The stress certificate: what was tried to fool the model, and what it fell for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.components.words import counted, plain
from scoring.domain import Task

BADGES = {
    True: ":green-badge[:material/check_circle: Passed]",
    False: ":red-badge[:material/cancel: Failed]",
    None: ":gray-badge[:material/help: Not tested]",
}


def show_certificate(task: Task, checks: Sequence[Mapping[str, Any]]) -> None:
    """One row a check; those that failed show the answer that fooled the model most."""
    failed = sum(check["passed"] is False for check in checks)
    if failed:
        st.warning(
            f"{counted(failed, 'check')} of {len(checks)} failed. Answers of that kind may get more points than they "
            "deserve: read such answers yourself, or label some of them at their true level and train again.",
            icon=":material/warning:",
        )
    elif all(check["passed"] for check in checks):
        st.success(f"All {len(checks)} checks passed.", icon=":material/verified:")
    for check in checks:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(check['title'])}**", width="content")
                st.markdown(BADGES[check["passed"]], width="content")
                if check["share"] is not None:
                    held = round(check["share"] * check["cases"])
                    st.caption(f"held in {held} of {counted(check['cases'], 'case')}", width="content")
            st.caption(plain(check["rule"]) if check["cases"] else "There was nothing to make such answers from.")
            if check["offending"]:
                _show_offence(task, check["offending"], open_=check["passed"] is False)


def _show_offence(task: Task, offence: Mapping[str, Any], *, open_: bool) -> None:
    names = {criterion.id: criterion.name for criterion in task.criteria}
    name = names.get(offence["criterion_id"], offence["criterion_id"])
    with st.expander("The answer that fooled it most", expanded=open_):
        st.markdown(f"> {plain(offence['text']) or '(blank)'}")
        st.caption(f"The model gave it level {offence['level']} of “{plain(name)}”.")
