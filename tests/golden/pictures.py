"""Pictures that models of the golden files make: written down when the files were, made again by the tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smis_desktop.document.style import Style
from smis_desktop.formats.project import ANCHOR_KEY, Project, anchor_from_json
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Synthesizer
from smis_desktop.personal_model.model import PersonalModel

SIZE = 32
Arrays = dict[str, np.ndarray]


def pictures_of_layouts(generator: Generator, model: PersonalModel, layouts: np.ndarray) -> Arrays:
    """layouts: uint8 [N, H, H]. Each as the encoder answers it, and refined by two steps; for each the latents, the
    picture and the classes that the model sees in it."""
    synthesizer = Synthesizer(generator, model)
    found: Arrays = {}
    for number, layout in enumerate(layouts):
        for steps in (0, 2):
            request = PictureRequest(layout, Style.of_seed(4, 0.7), SIZE, refine_steps=steps)
            found |= _arrays(f"layout-{number}.steps-{steps}", synthesizer.render(request))
    return found


def picture_of_project(generator: Generator, model: PersonalModel, project: Project) -> Arrays:
    """In the project's style: made anew from its layout and anchor, and, if the project says what it is made of, as it
    was painted."""
    style = project.style
    request = PictureRequest(
        project.document.label_map(), style.style, SIZE, anchor=anchor_from_json(style.extras[ANCHOR_KEY])
    )
    synthesizer = Synthesizer(generator, model)
    found = _arrays("project", synthesizer.render(request))
    if style.composition is not None:
        found |= _arrays("painted", synthesizer.render(replace(request, anchor=None, composition=style.composition)))
    return found


def _arrays(name: str, result: PictureResult) -> Arrays:
    assert result.predicted_labels is not None, "it is a full picture"
    return {f"{name}.ws": result.ws, f"{name}.picture": result.picture, f"{name}.seen": result.predicted_labels}
