"""Which upload and response a screen shows: in the address, so that a reload or a bookmark finds it again."""

from __future__ import annotations

import streamlit as st

from pages.components.session import Key, services
from scoring.errors import NotFound
from scoring.services.actors import Actor
from scoring.services.uploads import UploadSummary


def selected_upload() -> str | None:
    """The upload in the address, else the last one looked at in this tab."""
    upload_id = st.query_params.get(Key.UPLOAD) or st.session_state.get(Key.UPLOAD)
    if upload_id:
        select_upload(upload_id)
    return upload_id


def opened_upload(actor: Actor) -> UploadSummary | None:
    """That upload as it stands now; one that is not the actor's (any more) is told and forgotten."""
    upload_id = selected_upload()
    if upload_id is None:
        return None
    try:
        return services().uploads.get(actor, upload_id)
    except NotFound as error:
        st.error(str(error), icon=":material/error:")
        select_upload(None)
        return None


def select_upload(upload_id: str | None) -> None:
    """Show this upload from now on; `None` goes back to the list."""
    if upload_id is None:
        st.session_state.pop(Key.UPLOAD, None)
        st.query_params.pop(Key.UPLOAD, None)
    else:
        st.session_state[Key.UPLOAD] = upload_id
        if st.query_params.get(Key.UPLOAD) != upload_id:
            st.query_params[Key.UPLOAD] = upload_id


def selected_response() -> int | None:
    """The response in the address, if what stands there can be one."""
    text = st.query_params.get(Key.RESPONSE, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def select_response(response_id: int) -> None:
    """Show this response from now on."""
    st.query_params[Key.RESPONSE] = str(response_id)
