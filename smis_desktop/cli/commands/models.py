"""`smis models`: list the installed generators and the personal models, and manage your own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.errors import UserError
from smis_desktop.resources import MODEL_SUFFIX, models_folder

if TYPE_CHECKING:
    from smis_desktop.personal_model.library import ModelLibrary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis models [FOLDER]… [--rename NAME NEW | --duplicate NAME NEW | …]`."""
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER",
        help="also look for .smismodel files here (your own, and those that come with the program, are always listed)",
    )  # fmt: skip
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--rename", nargs=2, metavar=("NAME", "NEW"), help="give one of your own models another name")
    change.add_argument("--duplicate", nargs=2, metavar=("NAME", "NEW"), help="copy one of your own, with its note")
    change.add_argument("--note", nargs=2, metavar=("NAME", "WORDS"), help="your own words about one of them")
    change.add_argument("--import", dest="bring", type=Path, metavar="FILE", help="add a model file to your own")
    change.add_argument(
        "--export", nargs=2, metavar=("NAME", "FILE"), help="write one of them to a file, with its note"
    )


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Make the requested change, then list everything. An unreadable model file is left out with a warning."""
    from smis_desktop.generators.catalog import DEFAULT_GENERATOR
    from smis_desktop.generators.store import installed_generators
    from smis_desktop.personal_model.library import ModelLibrary, library_folder
    from smis_desktop.storage.data_folder import data_folder

    for folder in arguments.folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder; give folders that hold {MODEL_SUFFIX} files.")
    own = library_folder(data_folder())
    own.mkdir(exist_ok=True)
    _change(ModelLibrary(own), arguments)
    generators = [
        {
            "name": g.name,
            "architecture": g.kind,
            "img_resolution": g.img_resolution,
            "num_ws": g.num_ws,
            "weights_sha256": g.weights_sha256,
            "path": str(g.path),
            "source": g.source,
            "licence": g.licence,
        }
        for g in installed_generators()
    ]
    installed = {str(g["weights_sha256"]) for g in generators}
    models = []
    for folder in dict.fromkeys(path.resolve() for path in (models_folder(), own, *arguments.folders)):
        for path in sorted(folder.glob(f"*{MODEL_SUFFIX}")):
            try:
                models.append(_described(path, installed))
            except UserError as error:
                console.warn(str(error))
    lines = ["Generators", *(_generator_line(g) for g in generators)]
    if not any(g["name"] == DEFAULT_GENERATOR for g in generators):
        lines.append(f"  {DEFAULT_GENERATOR}: not installed yet, it is fetched when needed or by: smis fetch faces")
    lines += ["Personal models", *(line for m in models for line in _model_lines(m))]
    if not models:
        lines.append("  none")
    return Answer({"generators": generators, "models": models}, "\n".join(lines))


def _change(library: ModelLibrary, arguments: argparse.Namespace) -> None:
    """Make the one requested change, if any, as the window's dialog does."""
    changes: dict[str, Callable[[Path, str], object]] = {
        "rename": library.rename,
        "duplicate": library.duplicate,
        "note": library.set_note,
        "export": lambda path, target: library.export(path, Path(target)),
    }
    for option, change in changes.items():
        given: Sequence[str] | None = getattr(arguments, option)
        if given is not None:
            name, words = given
            change(library.named(name).path, words)
    if arguments.bring is not None:
        library.add(arguments.bring)


def _described(path: Path, installed: set[str]) -> dict[str, Any]:
    from smis_desktop.personal_model.library import note_of, read_model_metadata
    from smis_desktop.storage.safetensors_file import palette_of

    facts = read_model_metadata(path)
    try:
        return {
            "name": str(facts["name"]),
            "path": str(path),
            "generator": str(facts["generator"]["name"]),
            "generator_installed": facts["generator"]["weights_sha256"] in installed,
            "label_kind": str(facts["labels"]["kind"]),
            "classes": [{"id": c.class_id, "name": c.name} for c in palette_of(facts).classes],
            "weak_classes": [int(class_id) for class_id in facts.get("weak_classes", [])],
            "note": note_of(path),
        }
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{path} is damaged (its description is incomplete); train the model again.") from error


def _generator_line(generator: dict[str, Any]) -> str:
    g = generator
    return f"  {g['name']}: {g['architecture']}, {g['img_resolution']}², {g['licence']}, {g['path']}"


def _model_lines(model: dict[str, Any]) -> list[str]:
    needs = "" if model["generator_installed"] else " (not installed)"
    classes = ", ".join(f"{c['id']} {c['name']}" for c in model["classes"])
    weak = ", ".join(c["name"] for c in model["classes"] if c["id"] in model["weak_classes"])
    return [
        f"  {model['name']}: {model['label_kind']} labels, generator {model['generator']}{needs}, {model['path']}",
        f"    classes: {classes}",
        *([f"    it often mistakes: {weak}; one more labelled photo that shows them helps"] if weak else []),
        *([f"    note: {model['note']}"] if model["note"] else []),
    ]


COMMAND = Command(
    "models",
    "list the installed generators and the personal models; rename, copy, describe, import or export one",
    order=30,
    add_arguments=add_arguments,
    run=run,
)
