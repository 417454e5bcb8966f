"""Which column is which: the conventions of the platforms that classes' files come from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum

_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\x00-\x08\x0e-\x1f]")


class Convention(StrEnum):
    """Where a file was exported from, as far as its header tells."""

    CANVAS_QUIZ = "Canvas quiz Student Analysis"
    CANVAS_GRADEBOOK = "Canvas gradebook"
    MOODLE_RESPONSES = "Moodle quiz responses"
    MOODLE_ASSIGNMENT = "Moodle assignment worksheet"
    GOOGLE_FORMS = "Google Forms"
    BLACKBOARD = "Blackboard"
    BRIGHTSPACE = "Brightspace"
    PLAIN = "plain table"


# Best first: what a platform can match on import comes before names, which two students may share.
LEARNER_IDS = (
    "learner id", "learner", "student id", "studentid", "student number", "student no", "pupil id",
    "candidate number", "candidate id", "org defined id", "orgdefinedid", "sis user id", "sis id",
    "sis login id", "username", "user name", "user id", "userid", "login", "login id", "id number",
    "identifier", "participant", "email address", "email", "e mail", "e mail address", "school email",
    "schüler id", "schülernummer", "matrikelnummer", "anmeldename", "benutzername", "e mail adresse",
    "id de estudiante", "nombre de usuario", "correo electrónico", "dirección de correo electrónico",
    "numéro d'étudiant", "identifiant", "nom d'utilisateur", "adresse de courriel", "adresse e mail",
    "matrícula", "nome de usuário", "e mail do aluno", "studentnummer", "gebruikersnaam", "学号", "学籍番号",
    "student", "pupil", "candidate", "schüler", "schülerin", "schüler/in", "alumno", "estudiante",
    "élève", "étudiant", "aluno", "estudante", "studente", "leerling", "ученик", "студент", "学生",
    "الطالب", "id",
)  # fmt: skip
FULL_NAMES = (
    "full name", "student name", "name", "learner name", "pupil name", "your name", "display name",
    "what is your name?", "vollständiger name", "nombre completo", "nombre", "nom complet", "nom",
    "nome completo", "nome", "naam", "имя", "фио", "姓名", "氏名", "名前", "الاسم",
)  # fmt: skip
SURNAMES = (
    "last name", "lastname", "surname", "family name", "nachname", "apellido(s)", "apellidos",
    "nom de famille", "sobrenome", "cognome", "achternaam", "фамилия",
)  # fmt: skip
FIRST_NAMES = (
    "first name", "firstname", "given name", "forename", "vorname", "prénom", "primeiro nome",
    "voornaam", "имя", "nombre", "nome",
)  # fmt: skip
ATTEMPTS = (
    "attempt", "attempt number", "attempt no", "attempt no.", "submission number", "versuch", "intento",
    "tentative", "tentativa", "poging", "попытка",
)  # fmt: skip
ANSWERS = (
    "answer", "answers", "response", "responses", "student answer", "student response", "answer text",
    "response text", "essaytext", "essay", "text", "online text", "explanation", "your answer",
    "antwort", "antworten", "schülerantwort", "respuesta", "réponse", "resposta", "risposta",
    "antwoord", "ответ", "回答", "答案", "解答", "الإجابة",
)  # fmt: skip
# Columns that hold prose, but not the student's.
NOT_ANSWERS = (
    "prompt", "question", "question text", "task", "rubric", "feedback", "feedback comments", "comment",
    "comments", "teacher comment", "notes", "notes to learner", "instructor feedback", "status",
    "state", "section", "course", "class", "group", "school", "timestamp", "submitted", "started",
    "started on", "completed", "time taken", "duration", "grade", "score", "user agent", "ip address",
    "availability", "last access", "source",
)  # fmt: skip
TIMESTAMPS = (
    "timestamp", "zeitstempel", "horodateur", "marca temporal", "carimbo de data/hora",
    "informazioni cronologiche", "tijdstempel", "отметка времени", "タイムスタンプ", "时间戳记",
)  # fmt: skip

_QUIZ_QUESTION = re.compile(r"\d+:\s*\S")
_NUMBERED_ANSWER = re.compile(r"(response|antwort|respuesta|réponse|resposta|risposta|antwoord|ответ) \d+")
_NOT_ANSWER_PATTERN = re.compile(r"(right answer|question|richtige antwort|frage|bonne réponse) \d+|.*\(read only\)")
_KNOWN = frozenset((*LEARNER_IDS, *FULL_NAMES, *SURNAMES, *FIRST_NAMES, *ATTEMPTS, *ANSWERS, *TIMESTAMPS))


def plain_header(cell: str) -> str:
    """A header cell on one line, without invisible characters."""
    return _SPACE.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFC", cell))).strip()


def header_key(cell: str) -> str:
    """A header as the lists above write it.

    >>> header_key("Student_ID:"), header_key("E-Mail ")
    ('student id', 'e mail')
    """
    return plain_header(re.sub(r"[_\-]", " ", cell)).casefold().rstrip(":* ").strip()


def is_known_header(cell: str) -> bool:
    """Whether a cell is one of the names that a column of students, answers or attempts usually has."""
    key = header_key(cell)
    return key in _KNOWN or _NUMBERED_ANSWER.fullmatch(key) is not None


def may_hold_answers(header: str) -> bool:
    """Whether a column of this name can be the answers at all."""
    key = header_key(header)
    if key in NOT_ANSWERS or _NOT_ANSWER_PATTERN.fullmatch(key):
        return False
    return key in ANSWERS or key not in _KNOWN


def is_answer_header(header: str) -> bool:
    """Whether the name by itself says that the column holds answers."""
    key = header_key(header)
    return key in ANSWERS or _NUMBERED_ANSWER.fullmatch(key) is not None


def is_quiz_question(header: str) -> bool:
    """Whether a header is a question of a Canvas Student Analysis, `<question id>: <question>`."""
    return _QUIZ_QUESTION.match(header) is not None


def first_of(headers: Sequence[str], names: Iterable[str]) -> str | None:
    """The header that comes first in the order of `names`, not of the file."""
    by_key: dict[str, str] = {}
    for header in headers:
        by_key.setdefault(header_key(header), header)
    return next((by_key[name] for name in names if name in by_key), None)


def convention_of(headers: Sequence[str]) -> Convention:
    """Recognise the platform by its header alone."""
    keys = [header_key(header) for header in headers]
    has = set(keys).__contains__
    if keys[:2] == ["name", "id"] and has("submitted") and any(is_quiz_question(h) for h in headers):
        return Convention.CANVAS_QUIZ
    if keys[:2] == ["student", "id"] or keys[:3] == ["lastname", "firstname", "id"]:
        return Convention.CANVAS_GRADEBOOK
    if has("identifier") and (has("online text") or has("maximum grade")):
        return Convention.MOODLE_ASSIGNMENT
    if any(_NUMBERED_ANSWER.fullmatch(key) for key in keys) and any(key in SURNAMES for key in keys):
        return Convention.MOODLE_RESPONSES
    if keys and keys[0] in TIMESTAMPS:
        return Convention.GOOGLE_FORMS
    if keys[:3] == ["last name", "first name", "username"]:
        return Convention.BLACKBOARD
    if has("end of line indicator") or has("orgdefinedid") or has("org defined id"):
        return Convention.BRIGHTSPACE
    return Convention.PLAIN


def first_name_beside(headers: Sequence[str], header: str | None) -> str | None:
    """The column with first names when `header` is the one with surnames, for whole names on screen."""
    if header is None or header_key(header) not in SURNAMES:
        return None
    return first_of(headers, FIRST_NAMES)
