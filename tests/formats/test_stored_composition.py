"""Compositions in projects: stored once, bounded, and no hindrance for earlier versions."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smis_desktop.document.composition import (
    LOCK_SIDE,
    MASK_SIDE,
    ClassLock,
    Composition,
    Held,
    Patch,
    Region,
    blended,
    repainted_region,
)
from smis_desktop.document.document import DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.style import Look, Style
from smis_desktop.errors import UserError
from smis_desktop.formats.project import KeptPicture, KeptStyle, Project, decode_project, encode_project
from smis_desktop.formats.stored_composition import MAX_PATCHES, MAX_REGIONS
from tests.formats.projects import PALETTE, latents, same_composition, soft_mask

DOCUMENT = DocumentState(64, PALETTE, (Layer(1, "Layer 1", pixels=np.full((64, 64), 3, np.uint8)),), 1)
OLDER = Path(__file__).parents[1] / "golden" / "0.1.0" / "files" / "painting.smis"
LAYOUT = np.full((LOCK_SIDE, LOCK_SIDE), 3, np.uint8)
LOCK = ClassLock.of(
    Composition(latents(7, 4), (Patch(latents(8, 3), soft_mask(8)),)), Style(Look(3), 0.25), LAYOUT, frozenset({3, 7})
)
LOCK_OF_A_FACE = ClassLock.of(Composition(np.ones((23, 512), np.float32)), Style(), LAYOUT, frozenset({3}))
REGIONS = (Region(latents(5, 3), soft_mask(5)), Region(latents(6, 3), soft_mask(6)))
MADE_OF = Composition(
    latents(1, 4), (Patch(latents(2, 3), soft_mask(2)),), held=Held(LOCK, soft_mask(9)), regions=REGIONS
)


def project_of(*compositions: Composition) -> Project:
    """The first is that of the picture, the others those of kept ones."""
    first, *others = (KeptStyle(composition=one, refined=24, generator="faces") for one in compositions)
    return Project(DOCUMENT, first, kept=tuple(KeptPicture(b"png", DOCUMENT, style) for style in others))


def entries_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def reopened(*compositions: Composition) -> list[Composition | None]:
    found = decode_project(encode_project(project_of(*compositions)), "it")
    return [style.composition for style in (found.style, *(kept.style for kept in found.kept))]


def test_what_pictures_share_is_stored_once_and_is_one_object_again() -> None:
    """At the size of the faces' generator: a hundred strokes, and ten kept pictures on the way."""
    random = np.random.default_rng(0)
    composition = Composition(random.normal(size=(23, 512)).astype(np.float32), held=LOCK_OF_A_FACE.held_in(LAYOUT))
    on_the_way = []
    for stroke in range(100):
        before, after = np.zeros((2, 256, 256), np.uint8)
        row, column = random.integers(0, 224, 2)
        after[row : row + 32, column : column + 9] = 1
        ws = random.normal(size=(9, 512)).astype(np.float32)
        composition = composition.with_patch(Patch(ws, repainted_region(before, after)))
        if stroke % 10 == 9:
            on_the_way.append(composition)
    alone = encode_project(project_of(composition))
    data = encode_project(project_of(composition, *on_the_way))
    assert len(data) - len(alone) < 20_000, "the kept pictures cost what their documents take"
    assert len(data) < 1.1 * (100 * 9 + 2 * 23) * 512 * 4
    found = decode_project(data, "it")
    assert found.style.composition is not None
    assert same_composition(found.style.composition, composition)
    for kept, wanted in zip(found.kept, on_the_way, strict=True):
        own = kept.style.composition
        assert own is not None
        assert own.held is not None
        assert found.style.composition.held is not None
        assert same_composition(own, wanted)
        assert all(x is y for x, y in zip(own.patches, found.style.composition.patches, strict=False))
        assert own.held.lock is found.style.composition.held.lock


def test_every_bit_of_a_number_comes_back() -> None:
    odd = np.array([[-0.0, 1e-42, np.float32(1) / 3, -3.4e38]] * 4, np.float32)
    (found,) = reopened(Composition(odd, (Patch(odd[:2], np.arange(128 * 128).reshape(128, 128).astype(np.uint8)),)))
    assert found is not None
    assert found.base.tobytes() == odd.tobytes()
    assert found.patches[0].mask.tobytes() == bytes(range(256)) * 64
    assert not any(array.flags.writeable for array in (found.base, found.patches[0].ws, found.patches[0].mask))


def test_regions_come_back() -> None:
    (found,) = reopened(MADE_OF)
    assert found is not None
    assert found.digest == MADE_OF.digest
    assert [region.digest for region in found.regions] == [region.digest for region in REGIONS]
    too_many = Composition(latents(1, 4), regions=REGIONS[:1] * (MAX_REGIONS + 1))
    assert reopened(too_many) == [None], "its picture is made anew"


def test_a_film_between_reopened_pictures_keeps_what_both_begin_with() -> None:
    second = MADE_OF.with_patch(Patch(latents(4, 3), soft_mask(4)))
    one, other = reopened(MADE_OF, second)
    assert one is not None
    assert other is not None
    assert blended(one, other, 0.5).digest == blended(MADE_OF, second, 0.5).digest


def test_a_composition_larger_than_a_file_may_hold_is_left_out() -> None:
    """Its picture is made anew then; what must not happen is a project that does not open."""
    patch = Patch(latents(2, 3), np.full((MASK_SIDE, MASK_SIDE), 40, np.uint8))
    most = Composition(latents(1, 4), (patch,) * MAX_PATCHES)
    wide = Composition(np.zeros((2, 4096), np.float32))
    infinite = Composition(np.full((4, 8), np.inf, np.float32))
    twice = replace(MADE_OF, held=Held(replace(LOCK, composition=MADE_OF), soft_mask(1)))
    kept, *others = reopened(most, wide, infinite, twice, MADE_OF.with_patch(Patch(infinite.base, patch.mask)))
    assert same_composition(kept, most)
    assert others == [None] * 4


def test_patches_that_are_hidden_give_way_to_the_limit() -> None:
    opaque = Patch(latents(2, 3), np.full((MASK_SIDE, MASK_SIDE), 255, np.uint8))
    (found,) = reopened(Composition(latents(1, 4), (opaque,) * (MAX_PATCHES + 1)))
    assert same_composition(found, Composition(latents(1, 4), (opaque,)))


def test_a_composition_is_for_its_own_generator() -> None:
    style = KeptStyle(composition=MADE_OF, generator="faces", generator_sha256="ab" * 32)
    assert style.composition_for("faces") is MADE_OF
    assert style.composition_for("renamed", "ab" * 32) is MADE_OF
    assert style.composition_for("cats") is None
    assert KeptStyle(composition=MADE_OF).composition_for("cats") is MADE_OF, "nothing is known"
    assert style.composition_for("faces", "cd" * 32) is None, "other weights under the same name"
    assert replace(style, generator_sha256=None).composition_for("faces", "cd" * 32) is MADE_OF


def test_all_that_earlier_versions_read_is_as_they_wrote_it() -> None:
    """They ignore what they do not know."""

    def covers(now: Any, then: Any) -> bool:
        if isinstance(then, dict):
            return all(key in now and covers(now[key], value) for key, value in then.items())
        if isinstance(then, list):
            return len(now) == len(then) and all(covers(*pair) for pair in zip(now, then, strict=True))
        return bool(now == then)

    older = entries_of(OLDER.read_bytes())
    found = decode_project(OLDER.read_bytes(), "it")
    style = replace(found.style, composition=MADE_OF, generator="faces")
    newer = entries_of(encode_project(replace(found, style=style)))
    facts = json.loads(newer.pop("project.json"))
    assert facts["style"]["composition"] is not None
    assert covers(facts, json.loads(older.pop("project.json")))
    assert older.items() <= newer.items()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


MASKS = {
    "narrower": _png(Image.new("L", (MASK_SIDE - 1, MASK_SIDE))),
    "huge": _png(Image.new("L", (6000, 6000))),
    "in colours": _png(Image.new("RGB", (MASK_SIDE, MASK_SIDE))),
    "long": _png(Image.new("L", (MASK_SIDE, MASK_SIDE))) + bytes(1 << 20),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_of_another_kind_is_refused(mask: bytes) -> None:
    entries = entries_of(encode_project(project_of(MADE_OF)))
    name = next(name for name in entries if name.startswith("compositions/") and name.endswith(".png"))
    with pytest.raises(UserError, match=r"it is no project .*backup"):
        decode_project(zipped({**entries, name: mask}), "it")


def _without_locks(facts: dict[str, Any]) -> None:
    facts["compositions"]["locks"] = []


def _lock_that_holds(facts: dict[str, Any]) -> None:
    facts["compositions"]["locks"][0]["composition"]["held"] = facts["style"]["composition"]["held"]


def _layout_as_mask(facts: dict[str, Any]) -> None:
    facts["style"]["composition"]["held"]["mask"] = facts["compositions"]["locks"][0]["layout"]


def _no_class(facts: dict[str, Any]) -> None:
    facts["compositions"]["locks"][0]["class_ids"] = [256]


def _patches(*numbers: int) -> Any:
    def change(facts: dict[str, Any]) -> None:
        facts["style"]["composition"]["patches"] = list(numbers)

    return change


def _shape(*shape: int) -> Any:
    def change(facts: dict[str, Any]) -> None:
        facts["style"]["composition"]["base"]["shape"] = list(shape)

    return change


def _many_patches(facts: dict[str, Any]) -> None:
    facts["compositions"]["patches"] *= 20_000


def _narrow_patch(facts: dict[str, Any]) -> None:
    for patch in facts["compositions"]["patches"]:
        patch["ws"]["shape"] = [6, 4]


def _tall_patch(facts: dict[str, Any]) -> None:
    facts["style"]["composition"]["base"] = facts["compositions"]["patches"][0]["ws"]
    facts["compositions"]["patches"][0]["ws"] = facts["compositions"]["locks"][0]["composition"]["base"]


def _refined(facts: dict[str, Any]) -> None:
    facts["style"]["refined"] = -1


WRONG = {
    "no lock": _without_locks,
    "locks in locks": _lock_that_holds,
    "a layout as a mask": _layout_as_mask,
    "no class": _no_class,
    "no patch": _patches(7),
    "negative": _patches(-1),
    "too many": _patches(*[0] * (MAX_PATCHES + 1)),
    "many slots": _shape(65, 8),
    "many columns": _shape(1, 2049),
    "no slots": _shape(0, 8),
    "more numbers": _shape(5, 8),
    "fewer numbers": _shape(3, 8),
    "many shared": _many_patches,
    "narrow patch": _narrow_patch,
    "tall patch": _tall_patch,
    "negative steps": _refined,
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_composition_that_cannot_be_is_refused(change: Any) -> None:
    entries = entries_of(encode_project(project_of(MADE_OF)))
    facts = json.loads(entries["project.json"])
    decode_project(zipped(entries), "it")
    change(facts)
    with pytest.raises(UserError, match=r"it is no project .*backup"):
        decode_project(zipped({**entries, "project.json": json.dumps(facts).encode()}), "it")


def test_numbers_that_are_not_finite_are_refused() -> None:
    entries = entries_of(encode_project(project_of(MADE_OF)))
    name = next(name for name in entries if name.endswith(".f32"))
    damaged = entries[name][:-4] + np.array([np.nan], "<f4").tobytes()
    with pytest.raises(UserError, match="not finite"):
        decode_project(zipped({**entries, name: damaged}), "it")
