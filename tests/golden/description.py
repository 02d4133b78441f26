"""What a file held, as JSON: all its numbers and words, and the digest of every array.

`scripts/make_golden_files.py` describes what it is about to write, the tests describe what they read. The keys stand in
the golden files' `expected.json` and never change; the attributes that they are read from may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor, nn

from smis_desktop.document.composition import ClassLock, Composition
from smis_desktop.document.document import DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette
from smis_desktop.document.style import Anchor, Look, Style
from smis_desktop.formats.project import ANCHOR_KEY, KeptPicture, KeptStyle, Project, anchor_from_json
from smis_desktop.formats.shots_folder import Shot
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.training.shots import GeneratedPictures
from smis_desktop.training.workspace import Workspace

Facts = dict[str, Any]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def array(values: np.ndarray | Tensor | None) -> str | None:
    """Like `uint8[64,64] 0123…`."""
    if values is None:
        return None
    plain = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    return f"{plain.dtype}{list(plain.shape)} {digest(np.ascontiguousarray(plain).tobytes())}"


def tensors(values: Iterable[Tensor]) -> list[str]:
    """Of a network, whatever its parts are called in the code."""
    return sorted(str(array(value)) for value in values)


def network(module: nn.Module) -> list[str]:
    return tensors(module.state_dict().values())


def palette(value: Palette) -> list[list[Any]]:
    return [[c.class_id, c.name, list(c.color)] for c in value.classes]


def layer(value: Layer) -> Facts:
    return {
        "id": value.layer_id,
        "name": value.name,
        "visible": value.visible,
        "locked": value.locked,
        "left": value.left,
        "top": value.top,
        "pixels": array(value.pixels),
    }


def document(value: DocumentState, with_locks: bool = True) -> Facts:
    """with_locks: False for formats that know no locks."""
    layers = [layer(one) for one in value.layers]
    for facts in () if with_locks else layers:
        del facts["locked"]
    return {
        "size": value.size,
        "palette": palette(value.palette),
        "layers": layers,
        "active": value.active_id,
        "composite": array(value.label_map()),
    }


def look(value: Look | None) -> Facts | None:
    return None if value is None else {"seed": value.seed, "name": value.name, "ws": array(value.ws)}


def style(value: Style) -> Facts:
    return {
        "look": look(value.look),
        "mix": value.mix,
        "coarse": value.coarse,
        "middle": value.middle,
        "fine": value.fine,
        "second": look(value.second),
        "blend": value.blend,
        "classes": [[class_id, look(worn)] for class_id, worn in value.class_looks],
        "variety": value.variety,
    }


def anchor(value: Anchor | None) -> Facts | None:
    return None if value is None else {"name": value.name, "layout": array(value.layout), "ws": array(value.ws)}


def composition(value: Composition) -> Facts:
    held = value.held
    return {
        "base": array(value.base),
        "patches": [[array(patch.ws), array(patch.mask), look(patch.look)] for patch in value.patches],
        "takes_variety": value.takes_variety,
        "held": None if held is None else {"lock": lock(held.lock), "mask": array(held.mask)},
    }


def lock(value: ClassLock) -> Facts:
    return {
        "composition": composition(value.composition),
        "style": style(value.style),
        "layout": array(value.layout),
        "classes": sorted(value.class_ids),
    }


def made_of(value: KeptStyle) -> Facts:
    """Nothing for files of the versions that did not know."""
    if value.composition is None:
        return {}
    generator = [value.generator, value.generator_sha256]
    return {"made_of": composition(value.composition), "refined": value.refined, "generator": generator}


def kept_style(value: KeptStyle) -> Facts:
    facts = value.extras.get(ANCHOR_KEY)
    return {
        **made_of(value),
        "style": style(value.style),
        "ws": array(value.ws),
        "pins": [look(pin) for pin in value.pins],
        "anchor": anchor(None if facts is None else anchor_from_json(facts)),
        "other": {key: fact for key, fact in value.extras.items() if key != ANCHOR_KEY},
    }


def kept_picture(value: KeptPicture) -> Facts:
    return {"png": digest(value.png), "document": document(value.document), "style": kept_style(value.style)}


def project(value: Project) -> Facts:
    return {
        "document": document(value.document),
        "style": kept_style(value.style),
        "model": [value.model_name, value.model_sha256, value.model_path],
        "kept": [kept_picture(kept) for kept in value.kept],
    }


def model(value: PersonalModel) -> Facts:
    shape = value.encoder.shape
    return {
        "name": value.name,
        "generator": [value.generator_name, value.generator_sha256],
        "palette": palette(value.palette),
        "label_kind": value.label_kind,
        "vectors": [value.vectors.top_k, value.vectors.threshold, value.vectors.resolution, *network(value.vectors)],
        "probe": None if value.probe is None else network(value.probe),
        "encoder": [shape.num_classes, shape.num_ws, shape.w_dim, list(shape.slot_groups), shape.width],
        "encoder_tensors": network(value.encoder),
        "directions": array(value.directions),
        "feature_colors": array(value.feature_colors),
        "settings": value.settings,
    }


def generated(value: GeneratedPictures | None) -> Facts | None:
    if value is None:
        return None
    pictures = [[picture.name, picture.seed, picture.truncation] for picture in value.pictures]
    return {"generator": value.generator, "weights_sha256": value.weights_sha256, "pictures": pictures}


def shot(value: Shot) -> Facts:
    return {"name": value.name, "picture": array(value.picture), "label": array(value.label_map)}


def workspace(value: Workspace) -> Facts:
    facts = value.settings
    return {
        "name": facts.name,
        "generator": [facts.generator, facts.generator_sha256],
        "labels": [facts.label_kind, facts.top_k, facts.threshold, facts.transfer],
        "is_training_held": facts.is_training_held,
        "palette": palette(value.palette),
        "generated": generated(value.generated()),
        "shots": [
            {
                "name": known.name,
                "seed": known.seed,
                "psnr": known.psnr,
                "perceptual": known.perceptual,
                "is_found_by_label": known.is_found_by_label,
                "picture": array(value.picture(known.name)),
                "label": array(value.label(known.name)),
            }
            for known in value.shots()
        ],
    }
