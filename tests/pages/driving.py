"""Driving a screen as a person would, and reading what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from scoring.services.actors import Actor

Open = Callable[..., AppTest]
SCORE, RESULTS, REVIEW, SECTIONS, LIBRARY, ACCOUNT = (
    f"educator/{name}.py" for name in ("score", "results", "review", "sections", "library", "account")
)
COMMENTS, URGENT, CONSISTENCY = (f"educator/{name}.py" for name in ("feedback", "alerts", "consistency"))
NASTY = "*A* [x](http://evil.example) $y$ :red[z] <script>alert(1)</script> :material/home: _u_ `c` # h"


def said(at: AppTest) -> str:
    """All that the screen says in running text."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "success", "info", "text", "toast")
    return "\n".join(str(element.value) for kind in kinds for element in at.get(kind))


def run(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception
    return at


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label.startswith(label)).click()
    return run(at)


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def choose(at: AppTest, label: str, option: str | None) -> AppTest:
    next(box for box in at.selectbox if box.label == label).set_value(option)
    return run(at)


def drop(at: AppTest, data: bytes, name: str = "class.csv") -> AppTest:
    at.file_uploader[0].set_value((name, data, "application/octet-stream"))
    return run(at)


def opened(app: Open, actor: Actor, page: str, upload_id: str, response_id: int | None = None) -> AppTest:
    """A screen at an address that names an upload and maybe a response."""
    at = app(actor)
    at.switch_page(page)
    at.query_params["upload"] = upload_id
    if response_id is not None:
        at.query_params["response"] = str(response_id)
    return run(at)


def badges(at: AppTest) -> list[str]:
    """The little coloured words, which carry their meaning as text."""
    return [element.value for element in at.markdown if "-badge[" in element.value]


def desk(at: AppTest) -> dict[str, Any]:
    """What the review desk was given to draw."""
    [element] = at.get("bidi_component")
    return dict(json.loads(element.proto.json))
