"""Each check speaks where it should, stays silent where it should, and nothing an answer holds makes it stumble."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoring.checks import response
from scoring.checks.flags import Flag, FlagKind, Thresholds
from scoring.checks.perturb import Perturbation, perturb
from scoring.checks.response import check_responses
from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.itembank import read_item_bank
from scoring.settings import ROOT

DATA = ROOT.parent / "shared" / "data"
LONG = "The sun warms the water of the puddle and the particles leave it one after another. "


def flags_of(task: Task, others: list[str], text: str) -> list[Flag]:
    """What is found in an answer among the others of its class."""
    return check_responses(task, [*others, text])[-1]


def kinds_of(task: Task, others: list[str], text: str) -> set[FlagKind]:
    return {flag.kind for flag in flags_of(task, others, text)}


def test_a_class_of_real_answers_raises_nothing(puddle: Task, class_of_twelve: list[str]) -> None:
    assert check_responses(puddle, class_of_twelve) == [[]] * len(class_of_twelve)


@pytest.mark.parametrize(
    "text",
    [
        "the hot sun dryed it up",
        "it turnd in to gass becaus of the heet",
        "Water is go up in sky because sun is heat it.",
        "photosinthasis no i mean evaporashun of the watter in the pudle",
        "H2O liquid -> H2O gas, energy in, 31 mm then 9 mm",
        "Water particles get energy from the sun 🌞 and fly off 💨",
        "it got smaller: 31 - 22 = 9 and 22 - 9 = 13 so faster and faster",
        "THE SUN HEATED THE WATER AND IT EVAPORATED INTO THE AIR",
    ],
)
def test_spelling_learners_english_emoji_and_numbers_are_no_reason(
    puddle: Task, class_of_twelve: list[str], text: str
) -> None:
    assert kinds_of(puddle, class_of_twelve, text) == set()


@pytest.mark.parametrize("text", ["", "  \n\t", "...", "?", "-", "\u200b\u200b", "🤷", "!!!"])
def test_an_answer_without_a_word_is_blank_and_nothing_else(
    puddle: Task, class_of_twelve: list[str], text: str
) -> None:
    assert kinds_of(puddle, class_of_twelve, text) == {FlagKind.BLANK}


@pytest.mark.parametrize("text", ["sun", "idk", "i dont know sorry", "no idea", "I don't get this question", "no se"])
def test_far_fewer_words_than_the_class_or_no_attempt_is_too_short(
    puddle: Task, class_of_twelve: list[str], text: str
) -> None:
    assert FlagKind.TOO_SHORT in kinds_of(puddle, class_of_twelve, text)


def test_what_is_short_is_a_matter_of_the_task(puddle: Task) -> None:
    words = ["evaporation", "heat", "it evaporated", "sun", "vapour", "gas", "dried up", "the sun", "sky", "clouds"]
    assert check_responses(puddle, words) == [[]] * len(words)


def test_a_single_answer_is_measured_by_the_reference_answers(puddle: Task) -> None:
    assert FlagKind.TOO_SHORT in {flag.kind for flag in check_responses(puddle, ["sun"])[0]}


@pytest.mark.parametrize(
    "text",
    [
        "asdfjkl jjkdsf sdfkj",
        "hhhhhhjkjkjkjk ggfdd lkj wqpx",
        "xkcv bnmq wrtp lkjh fdsz",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "blorfa wibnaro skotravu zimgoji naryor klofiba",
    ],
)
def test_letters_that_make_no_words_are_gibberish(puddle: Task, class_of_twelve: list[str], text: str) -> None:
    assert FlagKind.GIBBERISH in kinds_of(puddle, class_of_twelve, text)


def test_names_of_molecules_and_glued_words_are_no_gibberish(puddle: Task, class_of_twelve: list[str]) -> None:
    for text in ("mRNA tRNA rRNA dsDNA", "gauuca gguacc uuagga", "waterpuddlevapor"):
        assert FlagKind.GIBBERISH not in kinds_of(puddle, class_of_twelve, text), text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("El agua del charco se evaporó porque el sol la calentó toda la mañana.", "Spanish"),
        ("Nước trong vũng bốc hơi vì mặt trời làm nóng nó.", "Vietnamese"),
        ("Dlo a vin tounen vapè paske solèy la chofe li tout maten an.", "Haitian Creole"),
        ("تبخر الماء لأن الشمس سخنته طوال الصباح", "Arabic"),
        ("水坑里的水被太阳晒热,变成水蒸气了。", "Chinese"),
        ("Вода випарувалася, бо сонце її нагріло.", "Ukrainian"),
    ],
)
def test_another_language_is_named(puddle: Task, class_of_twelve: list[str], text: str, name: str) -> None:
    found = {flag.kind: flag.reason for flag in flags_of(puddle, class_of_twelve, text)}
    assert name in found[FlagKind.OTHER_LANGUAGE]
    assert FlagKind.GIBBERISH not in found
    assert FlagKind.OFF_TOPIC not in found


def test_several_who_write_in_the_same_other_language_are_all_found(puddle: Task, class_of_twelve: list[str]) -> None:
    spanish = ["El agua se evaporó porque el sol la calentó.", "Yo creo que el sol calentó el agua y se evaporó."]
    flags = check_responses(puddle, class_of_twelve + spanish)
    assert [[flag.kind for flag in found] for found in flags[-2:]] == [[FlagKind.OTHER_LANGUAGE]] * 2


def test_a_task_in_spanish_expects_spanish() -> None:
    bank = read_item_bank(ROOT / "samples" / "classroom").tasks["pondweed-light"]
    spanish = Task(
        id="charco",
        title="¿Adónde se fue el charco?",
        prompt="Después de la lluvia había un charco en el patio. Explica qué pasó con el agua y qué hizo el sol.",
        criteria=bank.criteria[:1],
        extra={"language": "es"},
    )
    answers = ["El agua se evaporó porque el sol la calentó.", "The water went up into the air because of the sun."]
    first, second = check_responses(spanish, answers)
    assert FlagKind.OTHER_LANGUAGE not in {flag.kind for flag in first}
    assert "English" in {flag.kind: flag.reason for flag in second}[FlagKind.OTHER_LANGUAGE]


@pytest.mark.parametrize(
    "text",
    [
        "The sun shone all morning, and by noon the puddle was gone.",
        "i think that after the rain there was a puddle on the playground the sun shone all morning",
        "31 22 9 31",
    ],
)
def test_the_words_or_numbers_of_the_task_are_copied(puddle: Task, class_of_twelve: list[str], text: str) -> None:
    assert kinds_of(puddle, class_of_twelve, text) == {FlagKind.COPIED_TASK}


def test_a_reference_answer_is_recognised_with_slips(puddle: Task, class_of_twelve: list[str]) -> None:
    text = puddle.reference_answers[0].replace("surface", "surfase") + " yes"
    assert FlagKind.COPIED_REFERENCE in kinds_of(puddle, class_of_twelve, text)


def test_a_classmate_is_named_and_both_sides_are_flagged(puddle: Task, class_of_twelve: list[str]) -> None:
    copy = class_of_twelve[2].lower().replace(".", "") + " so yeah"
    flags = check_responses(puddle, [*class_of_twelve, copy])
    assert [(flag.kind, flag.other) for flag in flags[-1]] == [(FlagKind.COPIED_CLASSMATE, 2)]
    assert [(flag.kind, flag.other) for flag in flags[2]] == [(FlagKind.COPIED_CLASSMATE, len(class_of_twelve))]


def test_a_second_attempt_of_the_same_learner_is_no_copy(puddle: Task, class_of_twelve: list[str]) -> None:
    texts = [*class_of_twelve, class_of_twelve[2]]
    learners = [*range(len(class_of_twelve)), 2]
    assert check_responses(puddle, texts, learners=learners)[-1] == []


def test_short_answers_alike_by_chance_are_no_copies(puddle: Task, class_of_twelve: list[str]) -> None:
    assert kinds_of(puddle, [*class_of_twelve, "the sun made it evaporate"], "the sun made it evaporate") == set()


@pytest.mark.parametrize("text", ["the water went up " * 5, "sun sun sun sun", LONG * 3, "so hot " * 4])
def test_the_same_words_over_and_over_are_repetition(puddle: Task, class_of_twelve: list[str], text: str) -> None:
    assert FlagKind.REPEATED in kinds_of(puddle, class_of_twelve, text)


def test_a_word_said_twice_for_weight_is_no_repetition(puddle: Task, class_of_twelve: list[str]) -> None:
    text = "the water got very very very hot and went up and up in the air, all of the water in the puddle"
    assert kinds_of(puddle, class_of_twelve, text) == set()


def test_an_answer_about_something_else_is_off_topic(puddle: Task, class_of_twelve: list[str]) -> None:
    text = "My favourite team won the football match and my brother watched the whole game with me."
    assert kinds_of(puddle, class_of_twelve, text) == {FlagKind.OFF_TOPIC}


def test_embeddings_speak_where_words_are_too_few(puddle: Task, class_of_twelve: list[str]) -> None:
    texts = [*class_of_twelve, "pizza and football"]
    near, far = np.array([1.0, 0.1, 0.0]), np.array([0.0, 0.0, 1.0])

    def embed(said: Sequence[str]) -> NDArray[np.floating]:
        return np.array([far if "football" in text or "turtles" in text else near for text in said])

    alone = check_responses(puddle, texts)
    helped = check_responses(puddle, texts, embed=embed)
    assert alone[-1] == []
    assert [flag.kind for flag in helped[-1]] == [FlagKind.OFF_TOPIC]
    assert helped[:-1] == alone[:-1]
    for text, found in (("i like turtles", 1), ("turtles", 0), ("i dont know", 0), ("4 + 4 = 8 turtles", 0)):
        flags = check_responses(puddle, [*class_of_twelve, text], embed=embed)[-1]
        assert sum(flag.kind is FlagKind.OFF_TOPIC for flag in flags) == found


def test_of_a_large_upload_a_part_stands_for_the_whole(
    puddle: Task, class_of_twelve: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "_MIDDLE", 5)
    embedded: list[str] = []

    def embed(said: Sequence[str]) -> NDArray[np.floating]:
        embedded.extend(said)
        return np.array([[0.0, 1.0] if "football" in text else [1.0, 0.1] for text in said])

    texts = [*class_of_twelve, "pizza and football"]
    flags = check_responses(puddle, texts, embed=embed)
    assert [flag.kind for flag in flags[-1]] == [FlagKind.OFF_TOPIC]
    assert flags[:-1] == check_responses(puddle, texts)[:-1]
    assert "pizza and football" in embedded
    assert len(set(embedded) & set(class_of_twelve)) < len(class_of_twelve)


def test_every_reason_is_a_sentence_and_every_strength_a_share(puddle: Task, class_of_twelve: list[str]) -> None:
    worse = [made.text for kind in Perturbation for made in perturb(kind, puddle, class_of_twelve, 4, seed=3)]
    found = [flag for flags in check_responses(puddle, class_of_twelve + worse) for flag in flags]
    assert {flag.kind for flag in found} >= {FlagKind.BLANK, FlagKind.GIBBERISH, FlagKind.REPEATED}
    for flag in found:
        assert flag.reason.endswith(".")
        assert flag.reason[0].isupper() or flag.reason[0].isdigit()
        assert 0 <= flag.strength <= 1


@pytest.mark.parametrize(
    "text",
    [
        "evaporation",
        LONG * 30,
        " ".join(f"word{number}" for number in range(5_000)),
        "x" * 20_000,
        "الماء يتبخر " * 40,
        "\ud800 broken \udfff surrogate",
        "a\u0301\u0302\u0303" * 50,
        "\x00\x01\x02",
        "1 2 3 4 5 6 7 8 9",
        "ﬁ ½ ⅔ ① Å",
        "'''' '' 'quoted'",
        "=1+1 @cmd |calc",
    ],
)
def test_nothing_that_a_cell_can_hold_makes_them_stumble(puddle: Task, class_of_twelve: list[str], text: str) -> None:
    assert len(check_responses(puddle, [*class_of_twelve, text])) == len(class_of_twelve) + 1


def test_an_empty_upload_has_no_flags(puddle: Task) -> None:
    assert check_responses(puddle, []) == []


def test_arguments_of_different_lengths_are_refused(puddle: Task) -> None:
    with pytest.raises(InvalidInput, match="learners: 1 given for 2 answers"):
        check_responses(puddle, ["a", "b"], learners=[1])


def test_a_heartbeat_that_raises_ends_the_checks(puddle: Task, class_of_twelve: list[str]) -> None:
    class Cancelled(Exception):
        pass

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        check_responses(puddle, class_of_twelve, heartbeat=stop)


def test_thresholds_can_be_given(puddle: Task, class_of_twelve: list[str]) -> None:
    strict = Thresholds(short_share=10.0)
    assert all(check_responses(puddle, class_of_twelve, thresholds=strict))


words_of_a_class = st.lists(
    st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(["idk", "the sun", LONG, "", "agua sol"]),
    max_size=12,
)


@given(words_of_a_class)
@settings(max_examples=60, deadline=None)
def test_any_texts_give_one_list_each_and_the_same_twice(puddle: Task, texts: list[str]) -> None:
    found = check_responses(puddle, texts)
    assert len(found) == len(texts)
    assert found == check_responses(puddle, texts)
    for flags in found:
        assert all(flag.other is None or 0 <= flag.other < len(texts) for flag in flags)


def test_the_sample_classroom_is_read_as_a_person_reads_it() -> None:
    judged = json.loads((ROOT / "bench" / "flagged.json").read_text())["sample classroom"]
    bank = read_item_bank(ROOT / "samples" / "classroom")
    found: dict[str, set[str]] = {kind: set() for kind in FlagKind}
    for task in bank.tasks.values():
        answers = bank.of_task(task.id)
        for answer, flags in zip(answers, check_responses(task, [a.text for a in answers]), strict=True):
            for flag in flags:
                found[flag.kind].add(f"{task.id}/{answer.response_id}")
    for kind in (FlagKind.BLANK, FlagKind.GIBBERISH, FlagKind.OTHER_LANGUAGE):
        assert found[kind] == set(judged[kind]), kind
    for kind in (FlagKind.COPIED_CLASSMATE, FlagKind.COPIED_REFERENCE, FlagKind.REPEATED):
        assert found[kind] == set(), kind
    assert len(found[FlagKind.COPIED_TASK] & set(judged["copied_task"])) >= 14


@pytest.mark.skipif(not DATA.exists(), reason="no real answers beside the project (shared/data)")
@pytest.mark.parametrize("name", ["scientsbank", "beetle"])
def test_real_answers_of_a_few_words_are_neither_gibberish_nor_another_language(name: str) -> None:
    bank = read_item_bank(DATA / name)
    wrong = total = 0
    for task in bank.tasks.values():
        answers = [answer for answer in bank.of_task(task.id) if sum(answer.levels.values())]
        for flags in check_responses(task, [answer.text for answer in answers]):
            total += 1
            wrong += any(flag.kind in (FlagKind.GIBBERISH, FlagKind.OTHER_LANGUAGE) for flag in flags)
    assert wrong / total < 0.001
