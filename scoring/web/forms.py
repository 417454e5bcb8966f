"""The two pages that stand before the app: sign-in and first set-up. Plain HTML, no script."""

from __future__ import annotations

from jinja2 import Environment

_TEMPLATE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{ title }} · Evenhand</title>
<style nonce="{{ nonce }}">
:root { color-scheme: light dark; --page:#f6f7f5; --card:#fff; --ink:#1d2a2f; --soft:#52636b; --line:#c3ccd0;
  --accent:#0b6077; --on:#fff; --bad:#9b1c31; --badbg:#fdeef0; --note:#e8f2f5; }
@media (prefers-color-scheme: dark) { :root { --page:#12191c; --card:#1b2529; --ink:#e8eef0; --soft:#a9b8bf;
  --line:#44545b; --accent:#6cc3d8; --on:#08222a; --bad:#ffb3bf; --badbg:#3a1d24; --note:#1d333a; } }
* { box-sizing: border-box; }
body { margin:0; min-height:100vh; display:grid; place-items:center; background:var(--page); color:var(--ink);
  font:17px/1.5 "Source Sans", "Source Sans 3", system-ui, "Segoe UI", sans-serif; padding:1rem; }
main { width:100%; max-width:25rem; background:var(--card); border:1px solid var(--line); border-radius:14px;
  padding:2rem; }
.brand { font-weight:700; letter-spacing:.01em; color:var(--accent); margin:0 0 .25rem; }
h1 { font-size:1.6rem; line-height:1.2; margin:0 0 .5rem; }
p { margin:.25rem 0 1rem; color:var(--soft); }
label { display:block; font-weight:600; margin:1rem 0 .25rem; }
.hint { font-weight:400; color:var(--soft); font-size:.9rem; margin:.2rem 0 0; }
input { width:100%; font:inherit; padding:.6rem .7rem; color:inherit; background:transparent;
  border:1px solid var(--line); border-radius:8px; }
input:focus-visible, button:focus-visible { outline:3px solid var(--accent); outline-offset:2px; }
button { width:100%; margin-top:1.5rem; font:inherit; font-weight:700; padding:.7rem; border:0; border-radius:8px;
  background:var(--accent); color:var(--on); cursor:pointer; }
[role=alert] { background:var(--badbg); color:var(--bad); border-radius:8px; padding:.7rem .9rem; margin:0 0 1rem; }
[role=status] { background:var(--note); color:var(--ink); border-radius:8px; padding:.7rem .9rem; margin:0 0 1rem; }
</style>
</head>
<body><main>
<p class="brand">Evenhand</p>
<h1>{{ title }}</h1>
<p>{{ lead }}</p>
{% if error %}<div role="alert">{{ error }}</div>{% endif %}
{% if notice %}<div role="status">{{ notice }}</div>{% endif %}
<form method="post" action="{{ action }}">
<input type="hidden" name="{{ csrf_field }}" value="{{ form_token }}">
{% for field in fields %}
<label for="{{ field.name }}">{{ field.label }}</label>
<input id="{{ field.name }}" name="{{ field.name }}" type="{{ field.type }}" autocomplete="{{ field.autocomplete }}"
  value="{{ values.get(field.name, '') }}" maxlength="254" required {% if loop.first %}autofocus{% endif %}
  {% if field.hint %}aria-describedby="{{ field.name }}-hint"{% endif %}>
{% if field.hint %}<p class="hint" id="{{ field.name }}-hint">{{ field.hint }}</p>{% endif %}
{% endfor %}
<button type="submit">{{ button }}</button>
</form>
</main></body></html>
""")

SIGN_IN: dict[str, object] = {
    "title": "Sign in",
    "lead": "Score written science answers, see why, and decide yourself.",
    "action": "/session/sign-in",
    "button": "Sign in",
    "fields": (
        {"name": "email", "label": "E-mail address", "type": "email", "autocomplete": "username"},
        {"name": "password", "label": "Password", "type": "password", "autocomplete": "current-password"},
    ),
}

SET_UP: dict[str, object] = {
    "title": "Welcome",
    "lead": "You are the first one here. Create the administrator account; it can add everyone else.",
    "action": "/session/set-up",
    "button": "Create the account",
    "fields": (
        {
            "name": "code", "label": "Set-up code", "type": "text", "autocomplete": "one-time-code",
            "hint": "It stands in the console window that started Evenhand.",
        },
        {"name": "name", "label": "Your name", "type": "text", "autocomplete": "name"},
        {"name": "email", "label": "E-mail address", "type": "email", "autocomplete": "username"},
        {
            "name": "password", "label": "Password", "type": "password", "autocomplete": "new-password",
            "hint": "At least 10 characters. A short sentence works well.",
        },
    ),
}  # fmt: skip


def render(page: dict[str, object], *, nonce: str, form_token: str, csrf_field: str, error: str = "",
           notice: str = "", values: dict[str, str] | None = None) -> str:  # fmt: skip
    """The page as HTML; `values` fill the fields again after an error (never a password)."""
    return _TEMPLATE.render(
        **page, nonce=nonce, form_token=form_token, csrf_field=csrf_field, error=error, notice=notice,
        values=values or {},
    )  # fmt: skip
