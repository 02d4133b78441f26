"""`smis repaint`: change a picture where its layout changes, and keep the rest."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console, counted
from smis_desktop.cli.files import GivenLayout, check_folder, make_folder, picture_targets, read_layouts
from smis_desktop.cli.opening import open_model, open_synthesizer
from smis_desktop.cli.recipes import picture_side, picture_style, read_recipe, recipe
from smis_desktop.cli.values import edge, refinement
from smis_desktop.document.composition import EDGE, MAX_EDGE, Composition, Repaint, repainted_region
from smis_desktop.document.locality import PictureChange, at_size_of, changed_class_iou, picture_change
from smis_desktop.document.style import KEPT_OF_REFINEMENT, Anchor
from smis_desktop.errors import UserError
from smis_desktop.formats.project import ANCHOR_KEY, Project, anchor_from_json
from smis_desktop.formats.registry import layout_names
from smis_desktop.resources import default_model_path

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Synthesizer
    from smis_desktop.personal_model.model import PersonalModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis repaint PICTURE LAYOUT… --out DIR [--edge W] [--refine N|auto] [--model FILE]`."""
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="a project, or a picture that carries its recipe")
    parser.add_argument(
        "layouts", nargs="+", type=Path, metavar="LAYOUT",
        help=f"what the picture is to show: {layout_names()}, or folders of them",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument(
        "--edge", type=edge, default=EDGE, metavar="W",
        help=f"width of the soft edge around what changes, as a part of the picture's side: more than 0, at most "
        f"{MAX_EDGE:g} (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--refine", type=refinement, default="auto", metavar="N|auto",
        help="refinement steps of what changes; auto: as many as the window takes (default: auto)",
    )  # fmt: skip
    parser.add_argument(
        "--model", type=Path, metavar="FILE",
        help="a personal model of the picture's generator (default: the picture's own; without it the one for faces)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Write DIR/<stem>.png for each layout, with its recipe in it."""
    out: Path = arguments.out
    check_folder(out)
    project = read_recipe(arguments.picture)
    model_path, model = _open_model(arguments.model, project, arguments.picture, console)
    layouts = read_layouts(arguments.layouts, model, console)
    targets = picture_targets(layouts, out, arguments.picture)
    synthesizer = open_synthesizer(model, console)
    size = picture_side(arguments.picture, synthesizer.full_size, console)

    from smis_desktop.formats.exported_picture import write_photograph

    words = f"Repainting {counted(len(layouts), 'picture', 'pictures')}"
    console.progress(words, 0.0)
    beneath = _Beneath.of(project, synthesizer, size, arguments, console)
    entries = []
    for done, (target, layout) in enumerate(zip(targets, layouts, strict=True)):
        console.progress(words, done / len(layouts))
        layout = replace(layout, label_map=at_size_of(beneath.shown.layout, layout.label_map))
        result = synthesizer.render(beneath.request(layout.label_map, arguments.edge, arguments.refine))
        refined = project.style.refined if result.composition is beneath.composition else arguments.refine
        style = replace(
            picture_style(project.style.style, result, refined, synthesizer.generator),
            extras=project.style.extras,
            pins=project.style.pins,
        )
        make_folder(out)
        write_photograph(
            target, result.picture, recipe(layout.label_map, project.document.palette, style, model, model_path)
        )
        entries.append(_entry(target, layout, beneath, result, model, arguments.edge))
    console.progress(words, 1.0)
    facts = {
        "folder": str(out),
        "picture": str(arguments.picture),
        "model": model.name,
        "generator": model.generator_name,
        "size": size,
        "edge": arguments.edge,
        "refine": arguments.refine,
        "pictures": entries,
    }
    return Answer(facts, "\n".join(map(str, targets)))


def _open_model(asked: Path | None, project: Project, picture: Path, console: Console) -> tuple[Path, PersonalModel]:
    """Return the model to repaint with: the named one, else the picture's own, else the default one.

    Raises UserError where it is of another generator than the picture's.
    """
    style, own = project.style, Path(project.model_path) if project.model_path else None
    path = asked or (own if own is not None and os.path.isfile(own) else default_model_path())
    model = open_model(path)
    is_its_own = style.composition is None or style.composition_for(model.generator_name, model.generator_sha256)
    if not is_its_own:
        lacking = "" if asked or path == own else f", whose model {project.model_name!r} is not at {own}"
        raise UserError(
            f"{picture} was made by the generator {style.generator!r}{lacking}, and the model {model.name!r} is one of "
            f"{_another(model.generator_name, style.generator)}; give a model of the picture's generator with --model."
        )
    if asked is None and own is not None and path != own:
        console.note(f"{picture} was made with the model {project.model_name!r}, which is not at {own}; using {path}.")
    return path, model


def _another(generator: str, than: str | None) -> str:
    return f"other weights of {generator!r}" if generator == than else f"{generator!r}"


@dataclass(frozen=True, eq=False)
class _Beneath:
    """The picture that is repainted. shown: its request, which knows what it is made of; picture: uint8 [S, S, 3]."""

    shown: PictureRequest
    composition: Composition
    photo: Anchor | None
    picture: np.ndarray

    @classmethod
    def of(
        cls, project: Project, synthesizer: Synthesizer, size: int, arguments: argparse.Namespace, console: Console
    ) -> _Beneath:
        """Render the picture of a project; one that does not know what it is made of is made anew."""
        from smis_desktop.inference.synthesizer import PictureRequest

        facts = project.style.extras.get(ANCHOR_KEY)
        photo = anchor_from_json(facts) if isinstance(facts, dict) else None
        layout = project.document.label_map()
        layout.setflags(write=False)
        known = project.style.composition
        request = PictureRequest(
            layout, project.style.style, size, composition=known, anchor=photo if known is None else None,
            refine_steps=0 if known is not None else arguments.refine,
        )  # fmt: skip
        result = synthesizer.render(request)
        if known is None:
            console.note(
                f"{arguments.picture} does not hold what its picture is made of, as files of older versions do not: "
                "the picture was made anew from its layout, and is repainted as it is now."
            )
        shown = replace(request, composition=result.composition, anchor=None, refine_steps=0)
        return cls(shown, result.composition, photo, result.picture)

    def request(self, layout: np.ndarray, edge: float, refine_steps: int) -> PictureRequest:
        """Return the request of the picture of another layout, uint8 [H, H], as the window makes it."""
        composition, anchor, held = self.composition, self.photo, self.composition.held
        if not composition.patches and composition.takes_variety:
            anchor = Anchor(self.shown.layout, composition.base, weight=KEPT_OF_REFINEMENT, keeps_style=False)
        return replace(
            self.shown,
            layout=layout,
            composition=None,
            refine_steps=refine_steps,
            repaint=Repaint(composition.settled(), self.shown.layout, edge),
            anchor=anchor,
            lock=None if held is None else held.lock,
        )

    def change_to(self, layout: np.ndarray, result: PictureResult, edge: float) -> tuple[bool, PictureChange]:
        """Return whether the picture of a layout followed it as a whole, and how much it differs from this one where
        the layout changed and elsewhere."""
        patches, before = result.composition.patches, self.composition.settled().patches
        is_whole = not result.composition.has_base_of(self.composition)
        mask = np.zeros((1, 1), np.uint8)
        if is_whole:
            mask = repainted_region(self.shown.layout, layout, edge)
        elif len(patches) > len(before):
            mask = patches[-1].mask
        return is_whole, picture_change(self.picture, result.picture, mask)


def _entry(
    target: Path, layout: GivenLayout, beneath: _Beneath, result: PictureResult, model: PersonalModel, edge: float
) -> dict[str, Any]:
    """Return what is said of a picture in JSON."""
    followed_as_a_whole, change = beneath.change_to(layout.label_map, result, edge)
    assert result.predicted_labels is not None, "it is a full picture"
    iou = changed_class_iou(beneath.shown.layout, layout.label_map, result.predicted_labels, model.palette)
    names = {c.class_id: c.name for c in model.palette.classes}
    return {
        "path": str(target),
        "layout": str(layout.path),
        "size": len(result.picture),
        "followed_as_a_whole": followed_as_a_whole,
        "change_outside": _rounded(change.outside),
        "change_outside_p99": _rounded(change.outside_p99),
        "change_inside": _rounded(change.inside),
        "iou": {names[class_id]: _rounded(value) for class_id, value in iou.items()},
        "iou_mean": _rounded(float(np.mean(list(iou.values())))) if iou else None,
        "seconds": round(result.seconds, 4),
        "unknown_ids": list(layout.unknown_ids),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


COMMAND = Command(
    "repaint",
    "change a picture where its layout changes, and keep the rest",
    order=65,
    add_arguments=add_arguments,
    run=run,
)
