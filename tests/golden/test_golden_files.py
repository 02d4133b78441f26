"""Projects, pictures, layouts and folders that earlier versions wrote open, with all that is in them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.diagnostics.crash_marks import take_crashes
from smis_desktop.document.recording import read_recording, replay
from smis_desktop.formats.exported_picture import read_picture_project
from smis_desktop.formats.image_file import read_label_map
from smis_desktop.formats.open_raster import read_ora
from smis_desktop.formats.photoshop import read_psd
from smis_desktop.formats.project import decode_project, encode_project, read_project
from smis_desktop.formats.recovery import RecentFiles, RecoveryFolder
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.store import open_generator
from smis_desktop.inference.backend_selection import (
    choose_backend,
    chosen_backend,
    read_backend_choice,
    requested_backend,
)
from smis_desktop.personal_model.library import ModelLibrary, picture_path
from smis_desktop.training.shots import read_generated_pictures
from smis_desktop.training.training import TrainingFolder
from smis_desktop.training.workspace import Workspace, unfinished_workspaces
from tests.formats.projects import proposal_of
from tests.golden import description
from tests.golden.conftest import Golden, as_json
from tests.golden.subjects import ASCII_PALETTE, HOME, PALETTE


def test_a_project_has_its_layers_style_photo_pins_and_kept_pictures(golden: Golden) -> None:
    found = read_project(golden.folder / "files" / "painting.smis")
    assert as_json(description.project(found)) == golden.expected["painting"]
    again = decode_project(encode_project(found), "again")
    assert as_json(description.project(again)) == golden.expected["painting"], "saved once more, it is the same"


def test_the_backup_of_a_project_is_the_one_before(golden: Golden) -> None:
    found = read_project(golden.folder / "files" / "painting.smis~")
    assert as_json(description.project(found)) == golden.expected["backup"]


def test_a_picture_carries_the_project_that_it_was_made_from(golden: Golden) -> None:
    path = golden.folder / "files" / "picture.png"
    found = read_picture_project(path)
    assert found is not None
    assert as_json(description.project(found)) == golden.expected["painting"]
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), golden.arrays["painting.project.picture"])


def test_layered_files_hold_the_layers_exactly(golden: Golden) -> None:
    files, expected = golden.folder / "files", golden.expected["painting"]["document"]
    assert as_json(description.document(read_ora(files / "layers.ora", PALETTE))) == expected
    assert as_json(description.document(read_psd(files / "layers.psd", PALETTE))) == expected


def test_an_index_png_holds_the_ids_that_no_class_has_too(golden: Golden) -> None:
    path = golden.folder / "files" / "layout.png"
    found = read_label_map(path)
    assert description.array(found) == golden.expected["layout"]
    proposal = proposal_of(path, PALETTE)
    unknown = [place for place, source in enumerate(proposal.sources) if "200" in source.name]
    assert len(unknown) == 1
    np.testing.assert_array_equal(proposal.label_map({unknown[0]: 200}), found)


def test_masks_of_the_classes_are_the_layout(golden: Golden) -> None:
    folder, layout = golden.folder / "files" / "masks", golden.arrays["layouts"][0]
    proposal = proposal_of(folder, ASCII_PALETTE)
    assert proposal.is_certain
    np.testing.assert_array_equal(proposal.label_map(), layout)
    facts = json.loads((folder / "face_classes.json").read_bytes())["classes"]
    assert [[fact["id"], fact["name"], fact["color"]] for fact in facts] == description.palette(ASCII_PALETTE)
    for fact in facts:
        with Image.open(folder / fact["file"]) as mask:
            np.testing.assert_array_equal(np.asarray(mask), np.where(layout == fact["id"], 255, 0))


def test_a_recording_replays_to_the_same_layout(golden: Golden) -> None:
    recording = read_recording(golden.folder / "files" / "recording.json")
    editor = recording.new_editor()
    assert len(list(replay(recording, editor))) > len(recording.steps)
    assert recording.sha256 == golden.expected["recording"]
    assert description.hashlib.sha256(editor.document.label_map.tobytes()).hexdigest() == recording.sha256


def test_a_shots_folder_has_its_photos_labels_and_classes(golden: Golden) -> None:
    found = read_shots(golden.folder / "shots")
    assert as_json([description.shot(shot) for shot in found.shots]) == golden.expected["shots"]
    assert as_json(description.palette(found.palette)) == golden.expected["shots_palette"]
    assert found.notes == ()
    (dense,) = (w for w in golden.expected["workshops"].values() if w["name"] == "Things")
    assert as_json(description.generated(read_generated_pictures(golden.folder / "shots"))) == dense["generated"]


def test_the_assistants_folders_have_their_shots_labels_latents_and_decisions(golden: Golden) -> None:
    parent = golden.data / "paintings" / "workshops"
    found = {workspace.path.name: as_json(description.workspace(workspace)) for workspace in Workspace.all_in(parent)}
    assert found == golden.expected["workshops"]
    begun = unfinished_workspaces(parent, golden.library)
    assert {one.path.name: one.shots for one in begun} == {name: len(w["shots"]) for name, w in found.items()}


def test_the_assistants_unfinished_training_waits_for_the_person(golden: Golden) -> None:
    (dense, *_) = (w for w in Workspace.all_in(golden.data / "paintings" / "workshops") if w.settings.name == "Things")
    assert dense.has_unfinished_training(golden.library)
    assert not dense.is_training_interrupted(golden.library)
    dense.hold_training(False)
    assert dense.is_training_interrupted(golden.library)
    stages = TrainingFolder.beside(dense.model_path(golden.library))
    assert stages.begun() == golden.expected["unfinished"]


def test_the_library_lists_its_models_with_note_and_picture(golden: Golden) -> None:
    found = ModelLibrary(golden.library).models()
    expected = golden.expected["models"]
    assert {model.path.stem for model in found} == set(expected)
    for model in found:
        facts = expected[model.path.stem]
        assert (model.name, model.generator, model.fault) == (facts["name"], facts["generator"][0], "")
        assert model.palette is not None
        assert as_json(description.palette(model.palette)) == facts["palette"]
        is_dense = model.path.stem == "dense"
        assert model.note == ("Mine: „ä“ 髪" if is_dense else "")
        assert model.picture == (picture_path(model.path) if is_dense else None)
    with Image.open(golden.library / "dense.picture.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 256))


def test_the_painting_of_a_window_that_was_killed_is_offered(golden: Golden) -> None:
    with RecoveryFolder(golden.data / "paintings") as recovery:
        (offer,) = recovery.offers()
        assert offer.origin == Path(f"{HOME}/face ä.smis")
        assert as_json(description.project(recovery.load(offer))) == golden.expected["painting"]
        recovery.discard(offer)
        assert recovery.offers() == ()


def test_a_crash_is_told_once(golden: Golden) -> None:
    (crash,) = take_crashes()
    assert crash.trace == golden.expected["crash"]["trace"]
    assert crash.started_at == float(golden.expected["crash"]["name"].split("-")[1])
    assert take_crashes() == ()


def test_recent_files_are_listed_newest_first(golden: Golden) -> None:
    path, files = golden.data / "paintings" / "recent.json", golden.folder / "files"
    path.write_text(path.read_text(encoding="utf-8").replace(HOME, files.as_posix()), encoding="utf-8")
    found = RecentFiles(golden.data / "paintings").paths()
    assert found == (files / "painting.smis", files / "picture.png")


def test_the_backend_that_was_chosen_stays_chosen(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMIS_BACKEND")
    expected = golden.expected["backend"]
    assert requested_backend() == expected["chosen"]
    assert list(read_backend_choice().tests) == expected["tests"]


def test_what_the_self_test_found_on_this_machine_is_believed(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that has another backend tests anew, and rightly: then this test goes."""
    monkeypatch.delenv("SMIS_BACKEND")
    choose_backend("auto")
    tested_on = json.loads((golden.data / "backends" / "choice.json").read_bytes())["tested_on"]
    *_, node, processor, cores, _ = tested_on
    monkeypatch.setattr("platform.node", lambda: node)
    monkeypatch.setattr("platform.processor", lambda: processor)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    told: list[str] = []
    best = chosen_backend(open_generator("golden"), 1, lambda words, fraction: told.append(words))
    assert (best, told) == (golden.expected["backend"]["best"], [])
