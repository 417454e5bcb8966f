"""A task is added from labelled answers: usable, honest about itself, and without moving any other task."""

import dataclasses
import json
import random
import shutil

import pytest
from safetensors.torch import load_file, save_file

from scoring.domain import task_from_json
from scoring.errors import InvalidInput, ModelUnavailable
from scoring.inference.engine import Engine
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.student import checkpoint
from scoring.training.adaptation import AdaptConfig, adapt
from scoring.training.growing import task_rows, with_wording_heads

CONFIG = AdaptConfig(
    folds=2, passes=100, epochs=2, curve_draws=1, delta_from=0, replicates=50, lr_delta=5e-3, lr_task=1e-2
)
WORDS = ("water", "energy", "light")
FILLER = ["the", "a", "is", "i", "think", "it", "so", "and", "because", "more", "less"]


@pytest.fixture
def task(tiny_bank):
    """A task that the tiny student has never seen."""
    return dataclasses.replace(
        read_item_bank(tiny_bank).tasks["melting.ice"], id="volcano", title="Volcano", prompt="Why is the light faster?"
    )


def answers(count, *, task_id="volcano", seed=5, labelled=True):
    """Answers whose level is how many of three words they hold."""
    generator = random.Random(seed)
    rows = []
    for number in range(count):
        level = number % 4
        words = [*WORDS[:level], *generator.choices(FILLER, k=7)]
        generator.shuffle(words)
        levels = {"score": level} if labelled else {}
        rows.append(LabelledResponse(task_id, f"v{seed}-{number}", " ".join(words), levels))
    return rows


def run(base, task, rows, out, encoder, **options):
    """All events, and the report."""
    events = list(
        adapt(base, task, rows, out, encoder=str(encoder.folder), device="cpu", **{"config": CONFIG, **options})
    )
    return events, events[-1].result["report"]


def test_the_new_version_scores_the_task_and_the_others_as_before(tiny_version, tiny_encoder, task, tmp_path):
    rows, out = answers(60), tmp_path / "grown"
    events, report = run(tiny_version, task, rows, out, tiny_encoder, unlabelled=answers(30, seed=6, labelled=False))
    assert report["drift"] == {"tasks": 2, "texts": 16, "identical": True}
    before, after = (Engine.load(v, encoder=str(tiny_encoder.folder), precision="fp32") for v in (tiny_version, out))
    texts = [row.text for row in rows[:20]]
    for name in before.tasks:
        assert before.score(name, texts) == after.score(name, texts)
    assert after.supports(task)
    assert {score.criteria[0].level for score in after.score("volcano", texts)} <= {0, 1, 2, 3}
    assert 0 < report["added_bytes"] < 1_000_000
    keys = [event.key for event in events if event.key]
    assert keys[0] == "first"
    assert keys[-3:] == ["final", "certificate", "report"]
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert events[-1].done == events[-1].total


def test_the_report_holds_held_out_figures_of_every_criterion(tiny_version, tiny_encoder, task, tmp_path):
    events, report = run(
        tiny_version, task, answers(60), tmp_path / "grown", tiny_encoder,
        unlabelled=answers(30, seed=6, labelled=False),
    )  # fmt: skip
    json.dumps([event.result for event in events])
    (told,) = report["criteria"]
    assert told["n"] == report["examples"] == sum(sum(row) for row in told["confusion"])
    assert told["qwk_low"] <= told["qwk"] <= told["qwk_high"]
    assert [point["labels"] for point in told["curve"]][-1] == 30
    assert told["human"] is None
    assert told["forecast"]["sentence"]
    assert [entry["check"] for entry in report["certificate"]] == [
        "blank", "gibberish", "off_topic", "prompt_copy", "shuffled", "keywords", "negated",
    ]  # fmt: skip
    assert report["certificate"][0]["passed"] is True
    assert len({pick["response_id"] for pick in report["to_label"]}) == 10
    card = json.loads((tmp_path / "grown" / "card.json").read_text())
    (entry,) = [entry for entry in card["val"]["tasks"] if entry["task_id"] == "volcano"]
    assert entry["criteria"][0]["qwk"] == pytest.approx(told["qwk"])
    assert card["adaptation"] == report


def test_a_killed_run_goes_on_to_the_same_version(tiny_version, tiny_encoder, task, tmp_path):
    rows, space = answers(40), tmp_path / "space"
    _, whole = run(tiny_version, task, rows, tmp_path / "whole", tiny_encoder)
    finished = {}
    for event in adapt(
        tiny_version, task, rows, tmp_path / "resumed", encoder=str(tiny_encoder.folder), device="cpu", config=CONFIG,
        workspace=space,
    ):  # fmt: skip
        if event.key:
            finished[event.key] = json.loads(json.dumps(event.result))
        if event.key == "final":
            break
    assert not (tmp_path / "resumed").exists()
    events, resumed = run(
        tiny_version, task, rows, tmp_path / "resumed", tiny_encoder, workspace=space, finished=finished
    )
    assert [event.key for event in events if event.key] == ["certificate", "report"]
    ids = {checkpoint.read_manifest(tmp_path / name).version_id for name in ("whole", "resumed")}
    assert len(ids) == 1
    assert {**whole, "seconds": 0} == {**resumed, "seconds": 0}


def test_heads_that_were_kept_before_there_was_a_choice_of_power_keep_theirs(
    tiny_version, tiny_encoder, task, tmp_path
):
    config, finished = dataclasses.replace(CONFIG, delta_from=100), {}
    for event in adapt(
        tiny_version, task, answers(40), tmp_path / "grown", encoder=str(tiny_encoder.folder), device="cpu",
        config=config, workspace=tmp_path / "space",
    ):  # fmt: skip
        if event.key:
            finished[event.key] = json.loads(json.dumps(event.result))
            break
    (kept,) = (tmp_path / "space").rglob("first.safetensors")
    save_file({name: tensor for name, tensor in load_file(kept).items() if name != "head.power"}, kept)
    options = {"config": config, "workspace": tmp_path / "space", "finished": finished}
    run(tiny_version, task, answers(40), tmp_path / "grown", tiny_encoder, **options)
    assert checkpoint.load(tmp_path / "grown", tiny_encoder)[0].heads[-1].power.item() == 1


def test_a_known_task_is_learnt_anew_and_replaced(tiny_version, tiny_encoder, task, tmp_path):
    run(tiny_version, task, answers(30), tmp_path / "once", tiny_encoder)
    binary = task_from_json(
        {
            "id": "volcano", "title": "Volcano", "prompt": "Why?",
            "criteria": [{"id": "claim", "levels": [{"value": v} for v in (0, 1)]}],
        }
    )  # fmt: skip
    rows = [dataclasses.replace(row, levels={"claim": row.levels["score"] // 2}) for row in answers(30)]
    _, report = run(tmp_path / "once", binary, rows, tmp_path / "twice", tiny_encoder)
    assert report["drift"]["identical"]
    config = checkpoint.read_manifest(tmp_path / "twice").config
    assert config.task_ids == ("melting.ice", "moving-cart", "volcano")
    assert config.tasks["volcano"] == {"claim": (0, 1)}
    assert config.adapted_tasks == ("volcano",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: [dataclasses.replace(row, levels={"score": 1}) for row in rows], "two levels"),
        (lambda rows: rows[:7], "at least 8"),
        (lambda rows: rows[:1], "at least 8"),
        (lambda rows: [*rows, dataclasses.replace(rows[0], response_id="x", levels={"score": 9})], "not one of 0, 1"),
        (lambda rows: [*rows, dataclasses.replace(rows[0], response_id="x", levels={"score": 3})], "same text"),
        (lambda rows: [dataclasses.replace(row, task_id="geyser") for row in rows], "another task"),
        (lambda rows: [dataclasses.replace(row, levels={"style": 1}) for row in rows], "does not have"),
    ],
)
def test_examples_that_teach_nothing_are_refused(tiny_version, tiny_encoder, task, tmp_path, change, words):
    with pytest.raises(InvalidInput, match=words):
        run(tiny_version, task, change(answers(20)), tmp_path / "grown", tiny_encoder)
    assert not (tmp_path / "grown").exists()


def test_a_damaged_base_is_refused(tiny_version, tiny_encoder, task, tmp_path):
    copy = shutil.copytree(tiny_version, tmp_path / "copy")
    with (copy / "student.safetensors").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ModelUnavailable, match="SHA-256"):
        run(copy, task, answers(20), tmp_path / "grown", tiny_encoder)
    assert not (tmp_path / "grown").exists()


def test_few_labels_get_heads_that_compare(tiny_version, tiny_encoder, task, tmp_path):
    config = dataclasses.replace(CONFIG, delta_from=100)
    events, report = run(tiny_version, task, answers(40), tmp_path / "grown", tiny_encoder, config=config)
    assert [event.key for event in events if event.key] == [
        "first", "curve-8-0", "curve-16-0", "certificate", "report",
    ]  # fmt: skip
    assert report["drift"]["identical"]
    grown, manifest = checkpoint.load(tmp_path / "grown", tiny_encoder)
    assert manifest.config.example_tasks == {"volcano": 40}
    assert not any(tensor.any() for name, tensor in task_rows(grown, "volcano").items() if name.endswith(".up"))
    # Experts have no part in such scores, so none is shown.
    engine = Engine.load(tmp_path / "grown", encoder=str(tiny_encoder.folder))
    layers = grown.config.moe_layers
    for name, asked in (("volcano", 0), ("moving-cart", layers)):
        assert engine.read(name, ["more light"]).gate_weights.shape[1] == asked
        assert len(engine.score(name, ["more light"])[0].gate_weights) == asked


def test_a_criterion_that_few_answers_were_rated_on_is_learnt_beside_another(
    tiny_version, tiny_encoder, task, tmp_path
):
    criterion = dataclasses.replace(task.criteria[0], id="style", name="Style")
    both = dataclasses.replace(task, criteria=(*task.criteria, criterion))
    rows = [
        dataclasses.replace(row, levels={**row.levels, "style": at % 2}) if at < 9 else row
        for at, row in enumerate(answers(40))
    ]
    config = dataclasses.replace(CONFIG, quick=True, folds=5)
    _, report = run(tiny_version, both, rows, tmp_path / "grown", tiny_encoder, config=config)
    assert [told["n"] for told in report["criteria"]][1] <= 9
    assert not report["enough"]
    assert report["verdict"].startswith("Not enough evidence")


def test_more_examples_than_are_learnt_from_are_drawn_by_level(tiny_version, tiny_encoder, task, tmp_path):
    config = dataclasses.replace(CONFIG, quick=True, largest=50)
    _, report = run(tiny_version, task, answers(200), tmp_path / "grown", tiny_encoder, config=config)
    assert report["examples"] == 50
    assert report["left_out"] > 100
    assert {entry["n"] for entry in report["criteria"][0]["by_level"]} <= {12, 13}


def test_a_task_learnt_anew_is_not_called_worded_any_more(tiny_student, tiny_encoder, tiny_bank, tmp_path):
    worded = with_wording_heads(tiny_student, tiny_encoder)
    card = {"wording": {"melting.ice": 0.5, "moving-cart": 0.5}, "tasks": [], "val": {"tasks": []}}
    checkpoint.save(worded, tmp_path / "worded", documents={"card.json": json.dumps(card), "card.md": "# Student\n"})
    ice = read_item_bank(tiny_bank).tasks["melting.ice"]
    _, report = run(
        tmp_path / "worded", ice, answers(30, task_id=ice.id), tmp_path / "anew", tiny_encoder,
        config=dataclasses.replace(CONFIG, quick=True),
    )  # fmt: skip
    assert report["drift"]["identical"]
    assert checkpoint.read_manifest(tmp_path / "anew").config.worded_tasks == ("moving-cart",)
    assert json.loads((tmp_path / "anew" / "card.json").read_text())["wording"] == {"moving-cart": 0.5}
