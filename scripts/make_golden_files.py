"""Makes files of every kind that this version writes, for tests/golden: all later versions must be able to open them.

    python -m scripts.make_golden_files tests/golden/0.1.0

is run once, in a checkout of the version whose files are to be kept. It also writes what the files hold, for
the tests to compare with: `expected.json`, and in `expected.npz` the pictures that the models make.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ |= {"SMIS_BACKEND": "torch", "QT_QPA_PLATFORM": "offscreen"}

import msgspec
import numpy as np
import torch
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QApplication

from smis_desktop import __version__
from smis_desktop import main as cli
from smis_desktop.document.palette import Palette
from smis_desktop.formats.class_masks import write_class_masks
from smis_desktop.formats.exported_picture import write_photograph
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.formats.open_raster import write_ora
from smis_desktop.formats.photoshop import write_psd
from smis_desktop.formats.project import Project, write_project
from smis_desktop.formats.recovery import RecentFiles, RecoveryFolder
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.generator import latents_of_seed, to_rgb8
from smis_desktop.generators.store import install_generator, open_generator
from smis_desktop.inference.backend_selection import choose_backend, chosen_backend, read_backend_choice
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.personal_model.library import ModelLibrary
from smis_desktop.personal_model.model import read_personal_model, write_personal_model
from smis_desktop.resources import example_layout_path
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.training.events import StageProgress
from smis_desktop.training.sample_pool import FeatureCache
from smis_desktop.training.training import TrainingFolder, describe
from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.workers.model_pictures import keep_picture
from tests.golden import description, subjects
from tests.golden.pictures import Arrays, picture_of_project, pictures_of_layouts
from tests.golden.subjects import (
    ASCII_PALETTE,
    HOME,
    PALETTE,
    document,
    layouts,
    photo,
    picture_latents,
    project,
    shots,
)
from tests.golden.trained import SETTINGS, TRAIN_OPTIONS, trained
from tests.small_generator import part_prior_of, small_generator
from tests.small_stylegan2 import small_stylegan2
from tests.workers.paint_by_palette import FACE, PaintByPalette

Facts = dict[str, Any]


class Stopped(Exception):
    """Raised to stop a training."""


class Golden:
    """The folder to fill, and the expected content of its files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.expected, self.arrays = folder, {"version": __version__}, {"layouts": layouts()}

    def keep_pictures(self, name: str, arrays: Arrays) -> None:
        self.arrays |= {f"{name}.{key}": value for key, value in arrays.items()}

    def make_generators(self) -> None:
        def installed(name: str, kind: str, made: Any) -> Facts:
            weights = {key: value for key, value in made.state_dict().items() if not key.startswith("latents.")}
            facts = install_generator(name, kind, weights, "random numbers", "MIT", lambda words, fraction: None)
            generator = open_generator(name)
            ws = latents_of_seed(generator, 5, 0.7)
            self.keep_pictures(name, {"ws": ws.numpy(), "picture": to_rgb8(generator.synthesis(ws[None])[0])[::2, ::2]})
            known = dataclasses.asdict(facts)
            del known["path"]
            return {**known, "tensors": description.network(generator)}

        with torch.inference_mode():
            self.expected["generators"] = [
                installed("golden", "mobile-stylegan", small_generator(channels=(16, 16, 16, 16, 8))),
                installed("golden-sg2", "stylegan2", small_stylegan2(channels=(8, 8, 8, 8, 8))),
            ]

    def make_models(self) -> None:
        """Make models in the window's library, with notes and a picture, and keep the features of one training."""
        library = ModelLibrary(data_folder("paintings/models"))
        sparse = dataclasses.replace(SETTINGS, label_kind="sparse", threshold=0.25)
        of = {
            "dense": ("golden", "dense", dataclasses.replace(SETTINGS, transfer="probe")),
            "informed": ("golden", "dense", SETTINGS),
            "scribbles": ("golden", "scribbles", sparse),
            "points": ("golden", "points", dataclasses.replace(sparse, top_k=2)),
            "vectors": ("golden", "dense", dataclasses.replace(SETTINGS, transfer="vectors")),
            "stylegan2": ("golden-sg2", "dense", SETTINGS),
        }
        self.expected["models"] = {}
        for file, (generator_name, kind, settings) in of.items():
            generator = open_generator(generator_name)
            if file == "informed":
                generator.part_prior = part_prior_of(generator)  # type: ignore[arg-type]
            with tempfile.TemporaryDirectory() as stages:
                model = trained(generator, f"{file} ü", settings, TrainingFolder(Path(stages) / "t"), kind)
            path = library.folder / f"{file}.smismodel"
            write_personal_model(path, model)
            self.expected["models"][file] = description.model(model)
            self.keep_pictures(file, pictures_of_layouts(generator, model, layouts()))
            if file == "dense":
                library.set_note(path, "Mine: „ä“ 髪")
                keep_picture(path, generator, TorchBackend(generator), model)

    def make_features(self) -> None:
        generator, settings = open_generator("golden"), dataclasses.replace(SETTINGS, samples=1, round_size=1)
        kept = FeatureCache.of(generator, settings)
        with tempfile.TemporaryDirectory() as stages:
            trained(generator, "features", settings, TrainingFolder(Path(stages) / "t"), kept=kept)
        kept.wait()
        found = {name: kept.read(name) or {} for name in ("basis", "round-0")}
        self.expected["features"] = {
            name: {key: description.array(value) for key, value in tensors.items()} for name, tensors in found.items()
        }

    def make_paintings(self) -> None:
        generator = open_generator("golden")
        model = read_personal_model(data_folder("paintings/models") / "dense.smismodel")
        files, whole = self.folder / "files", project(generator, model)
        files.mkdir()
        write_project(files / "painting.smis", Project(document()))
        write_project(files / "painting.smis", whole)
        made = picture_of_project(generator, model, whole)
        self.keep_pictures("painting", made)
        write_photograph(files / "picture.png", made["project.picture"], whole)
        write_ora(files / "layers.ora", whole.document, made["project.picture"])
        write_psd(files / "layers.psd", whole.document, made["project.picture"])
        strange = layouts()[0]
        strange[:3, :3] = 200
        (files / "layout.png").write_bytes(encode_label_map(strange, PALETTE))
        write_class_masks(files / "masks", "face", layouts()[0], ASCII_PALETTE)
        self.expected["painting"] = description.project(whole)
        self.expected["backup"] = description.project(Project(document()))
        self.expected["layout"] = description.array(strange)
        recording = subjects.recording()
        (files / "recording.json").write_bytes(msgspec.json.encode(recording))
        self.expected["recording"] = recording.sha256
        self.make_recovery(whole)

    def make_recovery(self, whole: Project) -> None:
        """Make the recovery file of a window that was killed, and the list of recent projects."""
        folder = data_folder("paintings")
        RecentFiles(folder).add(self.folder / "files" / "picture.png")
        RecentFiles(folder).add(self.folder / "files" / "painting.smis")
        names = (folder / "recent.json").read_text(encoding="utf-8")
        (folder / "recent.json").write_text(names.replace(str(self.folder / "files"), HOME), encoding="utf-8")
        recovery = RecoveryFolder(folder)
        recovery.save(whole, Path(f"{HOME}/face ä.smis"))
        shutil.copytree(folder / "recovery", folder / "left behind")
        recovery.close()
        shutil.rmtree(folder / "recovery")
        (folder / "left behind").rename(folder / "recovery")

    def make_workspaces(self) -> None:
        """Make the assistant's folders: one for each kind of labels, with every kind of shot."""
        generator, parent = open_generator("golden"), data_folder("paintings/workshops")
        facts = WorkspaceSettings("Things", "golden", generator.weights_sha256, is_training_held=True)
        dense = Workspace.create(parent, facts, PALETTE)
        picture = to_rgb8(generator.synthesis(latents_of_seed(generator, 1, 1.0)[None])[0])
        dense.set_label(dense.add_generated(picture, 1, 1.0), shots(generator)[0].label_map)
        bands = layouts()[1]
        for number, name in enumerate(("by label", "by itself", "not found", "not labelled")):
            own = dense.add_photo(f"photo {name}", photo(number))
            if name != "not labelled":
                dense.set_label(own, np.roll(bands, 9 * number, 0))
            if name.startswith("by"):
                near, close = (picture_latents(generator, seed) for seed in (200, 220))
                dense.set_latents(own, near, close, 21.5, 0.25 + number / 8, by_label=name == "by label")
        stages = TrainingFolder.beside(dense.model_path(data_folder("paintings/models")))
        begun = describe(SETTINGS, [shot.name for shot in dense.shots()])
        stages.open(begun, resume=True)
        sparse = Workspace.create(
            parent,
            WorkspaceSettings("Punkte", "golden", "", "sparse", 5, 0.625, "vectors"),
            Palette(PALETTE.classes[1:3]),
        )
        sparse.set_label(sparse.add_photo("seen", photo(9)), shots(generator, "points")[0].label_map)
        shutil.copytree(dense.labelled_folder(), self.folder / "shots")
        shutil.rmtree(dense.path / "labelled")
        read = read_shots(self.folder / "shots")
        self.expected["workshops"] = {w.path.name: description.workspace(w) for w in (dense, sparse)}
        self.expected["unfinished"] = begun
        self.expected["shots"] = [description.shot(shot) for shot in read.shots]
        self.expected["shots_palette"] = description.palette(read.palette)

    def make_unfinished_trainings(self) -> None:
        """Make two unfinished trainings: one stopped during a stage, and one of the command line stopped during
        inversion."""
        generator, unfinished = open_generator("golden"), self.folder / "unfinished"
        unfinished.mkdir()

        def stop(event: Any) -> None:
            if isinstance(event, StageProgress) and event.stage == "obedience" and event.done == 21:
                raise Stopped

        with suppress(Stopped):
            trained(generator, "taught", SETTINGS, TrainingFolder(unfinished / "taught"), on_event=stop)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(unfinished / "taught", Path(folder) / "t")
            model = trained(generator, "taught", SETTINGS, TrainingFolder(Path(folder) / "t"))
        self.expected["taught"] = description.model(model)["settings"]
        self.keep_pictures("taught", pictures_of_layouts(generator, model, layouts()))
        write = TrainingFolder.write

        def written(stages: TrainingFolder, name: str, tensors: dict[str, torch.Tensor]) -> None:
            write(stages, name, tensors)
            raise KeyboardInterrupt

        out = self.folder / "found.smismodel"
        command = ["train", str(self.folder / "shots"), "--out", str(out), *TRAIN_OPTIONS]
        with patch.object(TrainingFolder, "write", written):
            assert cli.main(command) == 130
        stages = TrainingFolder.beside(out).path
        shutil.copytree(stages, unfinished / "found")
        assert cli.main([*command, "--resume"]) == 0
        model = read_personal_model(out)
        self.keep_pictures("found", pictures_of_layouts(generator, model, layouts()))
        out.unlink()

    def make_backend_choice(self) -> None:
        """Make the self-test's results on a machine, and a person's choice."""
        os.environ.pop("SMIS_BACKEND")
        with patch.object(platform, "node", lambda: "painters-computer"):
            best = chosen_backend(open_generator("golden"), 1, lambda words, fraction: None)
        os.environ["SMIS_BACKEND"] = "torch"
        choose_backend("torch-bf16")
        for path in data_folder("backends").iterdir():
            if path.is_dir():  # made again where it is missing
                shutil.rmtree(path)
        self.expected["backend"] = {"best": best, **dataclasses.asdict(read_backend_choice())}

    def make_crash(self) -> None:
        """Make the crash mark of a window."""
        code = """
import os
from smis_desktop.diagnostics.crash_marks import marked_as_running
with marked_as_running():
    os.abort()
"""
        subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.DEVNULL)
        (mark,) = data_folder("log").glob("window-*.txt")
        self.expected["crash"] = {"name": mark.name, "trace": mark.read_text(encoding="utf-8").strip()}

    def make_window_settings(self) -> None:
        """Make the settings of a window with the light theme, other keys, and panels in other places."""
        application = QApplication.instance() or QApplication(["smis"])
        settings = QSettings(str(data_folder() / "window.ini"), QSettings.Format.IniFormat)
        with tempfile.TemporaryDirectory() as data:
            preview = PreviewController(lambda progress: PaintByPalette(), 0)
            window = MainWindow(
                preview, lambda path: lambda progress: PaintByPalette(), example_layout_path(), random.Random(1),
                settings, Path(data),
            )  # fmt: skip
            window.start(Path("first.smismodel"), None, FACE)
            window.show()
            window.commands["view.light"].trigger()
            window.commands.rebind("edit.undo", ("Ctrl+Alt+U", "F9"))
            window.commands.rebind("file.new", ())
            window.commands["view.style"].trigger()
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, window.layers)
            application.processEvents()
            window.close()
            assert preview.close(60.0)
            settings.sync()
            window.deleteLater()
            application.processEvents()

    def write(self) -> None:
        """Write the expected content next to the files."""
        text = json.dumps(self.expected, indent=1, ensure_ascii=False)
        (self.folder / "expected.json").write_text(text + "\n", encoding="utf-8")
        np.savez_compressed(self.folder / "expected.npz", **self.arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="FOLDER", help="a new folder")
    golden = Golden(parser.parse_args().out.absolute())
    networks = data_folder("networks").absolute()
    golden.folder.mkdir(parents=True)
    os.environ["SMIS_DATA_DIR"] = str(golden.folder / "data")
    data_folder()
    (golden.folder / "data" / "networks").symlink_to(networks)
    golden.make_generators()
    golden.make_models()
    golden.make_features()
    golden.make_paintings()
    golden.make_workspaces()
    golden.make_unfinished_trainings()
    golden.make_backend_choice()
    golden.make_crash()
    golden.make_window_settings()
    (golden.folder / "data" / "networks").unlink()
    (golden.folder / "data" / "log" / "smis.log").unlink()  # never read
    golden.write()


if __name__ == "__main__":
    main()
