import json
import os
import shutil

import pytest
import torch

from scoring.errors import InvalidInput, ModelUnavailable
from scoring.student import checkpoint, encoder
from scoring.student.tokens import Tokenizer, pad


def logits_of(student, files):
    tokenizer = Tokenizer(files, 32)
    ids, mask = pad(tokenizer(["the salt melts", "faster"]), tokenizer.pad_id)
    with torch.inference_mode():
        return student(ids, mask, torch.tensor([0, 1])).logits


def test_a_loaded_student_gives_the_same_logits(tiny_student, tiny_version, tiny_encoder):
    loaded, manifest = checkpoint.load(tiny_version, tiny_encoder)
    before, after = logits_of(tiny_student, tiny_encoder), logits_of(loaded, tiny_encoder)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert manifest.config == tiny_student.config
    assert len(manifest.version_id) == 12


def test_bf16_storage_is_half_the_size_and_stable(tiny_student, tiny_version, tiny_encoder, tmp_path):
    version = checkpoint.save(tiny_student, tmp_path / "bf16", storage="bf16")
    size = (tmp_path / "bf16" / checkpoint.WEIGHTS).stat().st_size
    assert size < 0.7 * (tiny_version / checkpoint.WEIGHTS).stat().st_size
    loaded, _ = checkpoint.load(tmp_path / "bf16", tiny_encoder)
    assert checkpoint.save(loaded, tmp_path / "again", storage="bf16") == version


def test_a_version_holds_nothing_of_the_base_encoder(tiny_student):
    assert all(not name.startswith("encoder.") or ".delta." in name for name in tiny_student.own_state())


def test_the_same_weights_get_the_same_version_id_and_others_another(tiny_student, tmp_path):
    first = checkpoint.save(tiny_student, tmp_path / "a")
    assert checkpoint.save(tiny_student, tmp_path / "b") == first
    with torch.no_grad():
        tiny_student.pooling.query.bias[0] += 1
    assert checkpoint.save(tiny_student, tmp_path / "c") != first


@pytest.mark.parametrize("damage", ["flip", "cut", "missing"])
def test_damaged_weights_are_refused(tiny_version, tiny_encoder, damage):
    path = tiny_version / checkpoint.WEIGHTS
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    with pytest.raises(ModelUnavailable, match=r"student\.safetensors.*restore"):
        checkpoint.load(tiny_version, tiny_encoder)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"format": 99, "student": {}}', "\x00"])
def test_a_configuration_that_is_not_a_students_is_refused(tiny_version, tiny_encoder, text):
    (tiny_version / checkpoint.CONFIG).write_text(text)
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        checkpoint.load(tiny_version, tiny_encoder)


def test_weights_that_do_not_fit_the_configuration_are_refused(tiny_version, tiny_encoder):
    path = tiny_version / checkpoint.CONFIG
    values = json.loads(path.read_text())
    values["student"]["experts"] = 4
    path.write_text(json.dumps(values))
    with pytest.raises(ModelUnavailable, match="does not fit"):
        checkpoint.load(tiny_version, tiny_encoder)


def test_a_missing_folder_says_how_to_get_a_student(tmp_path, tiny_encoder):
    with pytest.raises(ModelUnavailable, match="scoring train"):
        checkpoint.load(tmp_path / "nowhere", tiny_encoder)


def test_a_student_is_refused_on_another_encoder(tiny_version, tiny_encoder):
    other = encoder.EncoderFiles("other", tiny_encoder.folder, "0" * 64)
    with pytest.raises(ModelUnavailable, match="EVENHAND_ENCODER"):
        checkpoint.load(tiny_version, other)


def test_a_version_is_never_overwritten_by_accident(tiny_student, tiny_version):
    with pytest.raises(InvalidInput, match="exists already"):
        checkpoint.save(tiny_student, tiny_version)


def test_a_folder_that_is_not_a_student_is_never_replaced(tiny_student, tmp_path):
    (tmp_path / "essays").mkdir()
    (tmp_path / "essays" / "keep.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="does not hold a student"):
        checkpoint.save(tiny_student, tmp_path / "essays", replace=True)
    assert (tmp_path / "essays" / "keep.txt").read_text() == "mine"


def test_replacing_a_student_leaves_nothing_of_the_old_one_nor_beside_it(tiny_student, tiny_version):
    (tiny_version / "card.md").write_text("old")
    checkpoint.save(tiny_student, tiny_version, replace=True, documents={"note.txt": "new"})
    assert sorted(os.listdir(tiny_version)) == ["config.json", "note.txt", "student.safetensors"]
    assert os.listdir(tiny_version.parent) == ["student"]


def test_a_save_that_fails_half_way_leaves_the_old_version_whole(tiny_student, tiny_version, monkeypatch):
    before = (tiny_version / checkpoint.CONFIG).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tiny_student, tiny_version, replace=True)
    assert (tiny_version / checkpoint.CONFIG).read_bytes() == before
    assert os.listdir(tiny_version.parent) == ["student"]


def test_a_merged_student_is_not_saved(tiny_student, tmp_path):
    with pytest.raises(InvalidInput, match="merged"):
        checkpoint.save(tiny_student.merge_adapters(), tmp_path / "merged")


def test_an_encoder_folder_without_weights_names_the_file_and_the_setting(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors.*EVENHAND_ENCODER"):
        encoder.locate_encoder(str(tmp_path))


def test_a_path_that_does_not_exist_is_never_looked_up_on_a_hub(tmp_path):
    with pytest.raises(ModelUnavailable, match="no such folder"):
        encoder.locate_encoder(str(tmp_path / "nowhere"))


def test_an_exchanged_bundled_encoder_is_refused(tiny_encoder, monkeypatch):
    monkeypatch.setattr(encoder, "_bundled_folder", lambda: tiny_encoder.folder)
    with pytest.raises(ModelUnavailable, match=encoder.MINILM_SHA256):
        encoder.locate_encoder("minilm")


def test_a_changed_encoder_is_hashed_again(tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder.folder, tmp_path / "copy")
    before = encoder.locate_encoder(str(folder)).sha256
    with (folder / encoder.WEIGHTS_FILE).open("ab") as stream:
        stream.write(b"x")
    assert before == tiny_encoder.sha256 != encoder.locate_encoder(str(folder)).sha256
