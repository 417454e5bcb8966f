"""The review desk in the browser: one custom component that holds keys and levels, and sends one message at a time.

Its script is one module, put together from short files that know of each other in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent
SCRIPTS = ("mail.js", "desk.js", "keys.js", "draw.js", "rubric.js", "main.js")


def _read(*names: str) -> str:
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


_DESK = st.components.v2.component(
    "evenhand_reviewer", html=_read("reviewer.html"), css=_read("reviewer.css"), js=_read(*SCRIPTS)
)


def show_desk(data: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """Draw the desk with `data`, as `payload.desk_data` makes it; returns the message that it sent last."""
    return _message(_DESK(data=dict(data), key=key))


def sent_message(key: str) -> Mapping[str, Any] | None:
    """The message that the desk sent last, before it is drawn in this run.

    It stays until the next one is sent, so that an interrupted run loses none; whoever carries it out
    knows it again by its nonce.
    """
    return _message(st.session_state.get(key))


def _message(state: object) -> Mapping[str, Any] | None:
    message = state.get("message") if isinstance(state, Mapping) else None
    return message if isinstance(message, Mapping) else None
