"""Folders of labelled photos: paired, named, cropped together, or refused in one sentence that names the file."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from smis_desktop.document.palette import EMPTY, LabelKind, default_color
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import middle_squares, same_proportions
from smis_desktop.formats.registry import read_layout
from smis_desktop.formats.shots_folder import likely_label_kind, read_shots, shot_names

CHECKOUT = Path(__file__).resolve().parents[2]
REAL_SHOTS = CHECKOUT.parent / "shared" / "shots"


def _photo(width: int, height: int) -> np.ndarray:
    """A photo whose red is the column and whose green is the row, modulo 256."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, 0 * x], axis=-1).astype(np.uint8)


def _pair(
    folder: Path,
    name: str = "a",
    photo: tuple[int, int] = (32, 32),
    label: np.ndarray | None = None,
    suffix: str = ".png",
) -> Path:
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(_photo(*photo)).save(folder / "images" / f"{name}{suffix}")
    if label is None:
        label = np.ones((photo[1], photo[0]), np.uint8)
        label[0, 0] = 0
    Image.fromarray(label).save(folder / "labels" / f"{name}.png")
    return folder


def _partly(share: float, rest: int) -> np.ndarray:
    """uint8 [100, 100] with that share of class 3."""
    label = np.full(10_000, rest, np.uint8)
    label[: round(10_000 * share)] = 3
    return label.reshape(100, 100)


@pytest.mark.parametrize(
    ("share", "rest", "zero_is_a_class", "kind"),
    [
        (0.3, 0, False, "dense"),
        (0.04, 0, False, "sparse"),
        (0.04, 0, True, "dense"),
        (0.3, 255, True, "sparse"),
        (0.9, 255, False, "dense"),
    ],
)
def test_what_kind_labels_look_like(share: float, rest: int, zero_is_a_class: bool, kind: LabelKind) -> None:
    assert likely_label_kind([_partly(share, rest)] * 2, zero_is_a_class) == kind


class TestPairs:
    def test_natural_order_and_all_suffixes(self, tmp_path: Path) -> None:
        for name, suffix in (("shot10", ".JPG"), ("shot2", ".jpeg"), ("Shot1", ".png"), ("shot3", ".webp")):
            _pair(tmp_path, name, suffix=suffix)
        folder = read_shots(tmp_path)
        assert [shot.name for shot in folder.shots] == ["Shot1", "shot2", "shot3", "shot10"]
        assert folder.notes == ()
        for shot in folder.shots:
            assert shot.picture.shape == (32, 32, 3)
            assert shot.label_map.shape == (32, 32)
            assert str(shot.picture.dtype) == str(shot.label_map.dtype) == "uint8"

    def test_hidden_files_are_passed_over_and_others_noted(self, tmp_path: Path) -> None:
        _pair(tmp_path)
        for name in ("images/.DS_Store", "labels/._a.png", "images/Thumbs.db", "images/list.txt", "labels/old.bmp"):
            (tmp_path / name).write_bytes(b"x")
        notes = read_shots(tmp_path).notes
        assert len(notes) == 2
        assert "images/list.txt" in notes[0]
        assert "labels/old.bmp" in notes[1]

    def test_some_of_them(self, tmp_path: Path) -> None:
        for number, name in enumerate(("a", "b2", "b10")):
            _pair(tmp_path, name, label=np.full((32, 32), number + 5, np.uint8))
        assert shot_names(tmp_path) == ("a", "b2", "b10")
        folder = read_shots(tmp_path, names=("b10", "a"))
        assert [shot.name for shot in folder.shots] == ["a", "b10"]
        assert folder.palette.class_ids == (5, 7)
        (tmp_path / "labels" / "b2.png").write_bytes(b"x")
        assert shot_names(tmp_path) == ("a", "b2", "b10"), "nothing is opened for that"

    def test_names_composed_differently_are_the_same(self, tmp_path: Path) -> None:
        _pair(tmp_path, "caf\u00e9")
        (tmp_path / "labels" / "caf\u00e9.png").rename(tmp_path / "labels" / "cafe\u0301.png")
        assert [shot.name for shot in read_shots(tmp_path).shots] == ["caf\u00e9"]

    def test_another_size_of_the_same_proportions(self, tmp_path: Path) -> None:
        _pair(tmp_path, photo=(64, 64), label=np.ones((32, 32), np.uint8))
        shot = read_shots(tmp_path).shots[0]
        assert (shot.picture.shape, shot.label_map.shape, shot.notes) == ((64, 64, 3), (32, 32), ())


class TestCropping:
    def test_both_to_the_same_middle_with_a_note(self, tmp_path: Path) -> None:
        label = np.ones((40, 60), np.uint8)
        label[:, :10] = 2
        label[:, 10] = 3
        _pair(tmp_path, "wide", photo=(120, 80), label=label)
        folder = read_shots(tmp_path)
        shot = folder.shots[0]
        assert shot.picture[0, 0].tolist() == [20, 0, 0]
        assert shot.picture[-1, -1].tolist() == [99, 79, 0]
        assert set(shot.label_map[:, 0].tolist()) == {3}
        assert folder.palette.class_ids == (1, 3)  # 2 was outside
        assert folder.notes == shot.notes
        assert "wide" in shot.notes[0]
        assert "120×80" in shot.notes[0]
        assert "40×40" in shot.notes[0]

    def test_tall_ones_too(self, tmp_path: Path) -> None:
        _pair(tmp_path, photo=(32, 51))
        shot = read_shots(tmp_path).shots[0]
        assert shot.picture.shape == (32, 32, 3)
        assert shot.picture[0, 0].tolist() == [0, 9, 0]
        assert shot.label_map.shape == (32, 32)

    def test_exif_rotation_comes_first(self, tmp_path: Path) -> None:
        _pair(tmp_path, photo=(40, 60))
        exif = Image.Exif()
        exif[0x0112] = 6
        stored = np.ascontiguousarray(np.rot90(_photo(40, 60)))
        Image.fromarray(stored).save(tmp_path / "images" / "a.png", exif=exif)
        assert read_shots(tmp_path).shots[0].picture[0, 0].tolist() == [0, 10, 0]

    @given(st.integers(16, 400), st.integers(16, 400), st.integers(1, 8), st.booleans())
    def test_whole_multiples_stay_whole(self, width: int, height: int, factor: int, label_is_larger: bool) -> None:
        small, large = (width, height), (width * factor, height * factor)
        assert same_proportions(small, large)
        squares = middle_squares(large, small) if label_is_larger else middle_squares(small, large)[::-1]
        big, little = squares
        assert (big.left, big.top, big.side) == tuple(factor * n for n in (little.left, little.top, little.side))
        assert little.side == min(width, height)
        assert abs(2 * little.left + little.side - width) <= 1
        assert abs(2 * little.top + little.side - height) <= 1

    @given(st.integers(16, 300), st.integers(16, 300), st.integers(16, 3000))
    def test_any_scale_agrees_to_a_pixel_and_stays_inside(self, width: int, height: int, wide: int) -> None:
        large = (max(wide, width), max(round(max(wide, width) * height / width), height))
        if not same_proportions((width, height), large):
            return
        little, big = middle_squares((width, height), large)
        scale = large[0] / width
        assert big.left >= 0
        assert big.top >= 0
        assert big.left + big.side <= large[0]
        assert big.top + big.side <= large[1]
        for small_length, large_length in ((little.left, big.left), (little.top, big.top), (little.side, big.side)):
            assert abs(small_length * scale - large_length) <= scale + 1

    def test_proportions(self) -> None:
        assert same_proportions((1024, 1024), (512, 511))
        assert same_proportions((1500, 1000), (751, 500))
        assert not same_proportions((1024, 1024), (512, 510))
        assert not same_proportions((640, 480), (480, 640))


class TestPalette:
    def test_ids_that_occur_are_never_renumbered(self, tmp_path: Path) -> None:
        label = np.full((32, 32), 132, np.uint8)
        label[:4], label[4:8] = 0, EMPTY
        _pair(tmp_path, "a", label=label)
        _pair(tmp_path, "b", label=np.full((32, 32), 17, np.uint8))
        palette = read_shots(tmp_path).palette
        assert palette.class_ids == (0, 17, 132)
        assert [c.name for c in palette.classes] == ["class 0", "class 17", "class 132"]
        assert [c.color for c in palette.classes] == [default_color(i) for i in (0, 17, 132)]

    def test_zero_is_no_class_where_labels_are_sparse(self, tmp_path: Path) -> None:
        label = np.zeros((32, 32), np.uint8)
        label[3, 3], label[9, 9] = 5, EMPTY
        _pair(tmp_path, label=label)
        assert read_shots(tmp_path, "sparse").palette.class_ids == (5,)
        assert read_shots(tmp_path, "dense").palette.class_ids == (0, 5)

    def test_classes_json_names_and_adds(self, tmp_path: Path) -> None:
        classes = [
            {"id": 1, "name": "skin", "color": "#FFaa01"},
            {"id": 0, "name": "unknown"},
            {"id": 9, "name": "hat", "color": "#000102"},
        ]
        _pair(tmp_path)
        (tmp_path / "classes.json").write_text("\ufeff" + json.dumps({"classes": classes}), encoding="utf-8")
        dense = read_shots(tmp_path).palette
        assert [(c.class_id, c.name, c.color) for c in dense.classes] == [
            (0, "unknown", default_color(0)),
            (1, "skin", (255, 170, 1)),
            (9, "hat", (0, 1, 2)),
        ]
        assert read_shots(tmp_path, "sparse").palette.class_ids == (1, 9)

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("not json", "list of classes"),
            ("[]", "list of classes"),
            ("{}", "list of classes"),
            ("[" * 5000, "list of classes"),
            (b"\xff\xfe\x00", "list of classes"),
            ({"classes": [{"id": 255, "name": "a"}]}, "list of classes"),
            ({"classes": [{"id": -1, "name": "a"}]}, "list of classes"),
            ({"classes": [{"id": "1", "name": "a"}]}, "list of classes"),
            ({"classes": [{"id": 1.5, "name": "a"}]}, "list of classes"),
            ({"classes": [{"id": 1}]}, "list of classes"),
            ({"classes": [{"id": 1, "name": " "}]}, "list of classes"),
            ({"classes": [{"id": 1, "name": "a", "color": "red"}]}, "list of classes"),
            ({"classes": [{"id": 1, "name": "a", "colour": "#000000"}]}, "list of classes"),
            ({"classes": [], "version": 1}, "list of classes"),
            ({"classes": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "class 1 twice"),
            ({"classes": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "two classes"),
        ],
    )
    def test_a_bad_classes_json(self, tmp_path: Path, content: Any, complaint: str) -> None:
        _pair(tmp_path)
        data = content if isinstance(content, bytes) else None
        text = content if isinstance(content, str) else json.dumps(content) if data is None else ""
        (tmp_path / "classes.json").write_bytes(data or text.encode())
        with pytest.raises(UserError, match=complaint) as caught:
            read_shots(tmp_path)
        assert "classes.json" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_default_colours_keep_apart_for_every_kind_of_eye(self) -> None:
        """Measured as the script that made the table measures: 0.1 in OKLab is a step nobody overlooks."""
        looks = runpy.run_path(str(CHECKOUT / "scripts" / "make_class_colors.py"))["looks"]
        colors = np.array([default_color(i) for i in range(255)] + [(128, 128, 128)])
        for count, least in ((12, 0.14), (20, 0.1), (71, 0.05), (255, 0.015)):
            seen = looks(np.concatenate([colors[:count], colors[-1:]]))  # with the grey of unpainted pixels
            apart = np.linalg.norm(seen[:, :, None] - seen[:, None], axis=-1)
            apart[:, np.arange(count + 1), np.arange(count + 1)] = np.inf
            assert apart.min() >= least
        for wrong in (-1, 255):
            with pytest.raises(ValueError, match="outside"):
                default_color(wrong)


class TestRefusals:
    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="nowhere does not exist"):
            read_shots(tmp_path / "nowhere")
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(UserError, match="file is not a folder"):
            read_shots(tmp_path / "file")

    def test_parts_missing_or_empty(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no folder images/"):
            read_shots(tmp_path)
        (tmp_path / "images").mkdir()
        with pytest.raises(UserError, match="no folder labels/"):
            read_shots(tmp_path)
        (tmp_path / "labels").mkdir()
        with pytest.raises(UserError, match="holds no shots"):
            read_shots(tmp_path)

    def test_a_photo_without_label(self, tmp_path: Path) -> None:
        _pair(tmp_path, "b")
        _pair(tmp_path, "a")
        (tmp_path / "labels" / "b.png").unlink()
        with pytest.raises(UserError, match=r"b\.png has no label: add .*b\.png"):
            read_shots(tmp_path)

    def test_a_label_without_photo(self, tmp_path: Path) -> None:
        _pair(tmp_path)
        (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "c.png")
        (tmp_path / "labels" / "c.png").write_bytes((tmp_path / "labels" / "a.png").read_bytes())
        with pytest.raises(UserError, match=r"a\.png has no photo"):
            read_shots(tmp_path)

    def test_a_label_that_is_no_png(self, tmp_path: Path) -> None:
        _pair(tmp_path)
        (tmp_path / "labels" / "a.png").rename(tmp_path / "labels" / "a.jpg")
        with pytest.raises(UserError, match=r"a\.jpg is no PNG"):
            read_shots(tmp_path)

    def test_a_photo_in_another_format(self, tmp_path: Path) -> None:
        _pair(tmp_path)
        (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "a.heic")
        with pytest.raises(UserError, match=r"a\.heic is no JPEG, PNG or WebP"):
            read_shots(tmp_path)

    def test_two_photos_of_one_name(self, tmp_path: Path) -> None:
        _pair(tmp_path, suffix=".jpg")
        _pair(tmp_path, suffix=".png")
        with pytest.raises(UserError, match=r"a\.jpg and a\.png have the same name"):
            read_shots(tmp_path)

    def test_proportions_that_differ(self, tmp_path: Path) -> None:
        _pair(tmp_path, photo=(64, 64), label=np.ones((32, 30), np.uint8))
        with pytest.raises(UserError, match=r"labels/a\.png is 30×32 but .*images/a\.png is 64×64"):
            read_shots(tmp_path)

    @pytest.mark.parametrize(("value", "kind"), [(EMPTY, "dense"), (EMPTY, "sparse"), (0, "sparse")])
    def test_nothing_labelled(self, tmp_path: Path, value: int, kind: LabelKind) -> None:
        _pair(tmp_path, label=np.full((32, 32), value, np.uint8))
        with pytest.raises(UserError, match=r"a\.png has no labelled pixel"):
            read_shots(tmp_path, kind)

    def test_labels_only_where_it_is_cropped(self, tmp_path: Path) -> None:
        label = np.full((32, 64), EMPTY, np.uint8)
        label[:, 0] = 1
        _pair(tmp_path, photo=(64, 32), label=label)
        with pytest.raises(UserError, match="in its middle square"):
            read_shots(tmp_path)

    @pytest.mark.parametrize("part", ["images", "labels"])
    def test_a_text_file_named_png(self, tmp_path: Path, part: str) -> None:
        _pair(tmp_path)
        (tmp_path / part / "a.png").write_text("hello")
        with pytest.raises(UserError, match=rf"{part}/a\.png is not an image"):
            read_shots(tmp_path)

    def test_a_photo_as_label(self, tmp_path: Path) -> None:
        _pair(tmp_path)
        Image.fromarray(_photo(32, 32)).save(tmp_path / "labels" / "a.png")
        with pytest.raises(UserError, match="colours, not class ids"):
            read_shots(tmp_path)

    def test_a_whole_data_set(self, tmp_path: Path) -> None:
        for part in ("images", "labels"):
            (tmp_path / part).mkdir()
            for n in range(101):
                (tmp_path / part / f"{n}.png").write_bytes(b"")
        with pytest.raises(UserError, match="holds 101 shots"):
            read_shots(tmp_path)


class TestLayout:
    def test_square(self, tmp_path: Path) -> None:
        ids = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(ids).save(tmp_path / "l.png")
        layout = read_layout(tmp_path / "l.png")
        np.testing.assert_array_equal(layout.label_map, ids)
        assert layout.notes == ()

    def test_cropped_with_a_note(self, tmp_path: Path) -> None:
        ids = np.tile(np.arange(64, dtype=np.uint8), (32, 1))
        Image.fromarray(ids).save(tmp_path / "l.png")
        layout = read_layout(tmp_path / "l.png")
        np.testing.assert_array_equal(layout.label_map, ids[:, 16:48])
        assert "l.png" in layout.notes[0]
        assert "32×32" in layout.notes[0]

    def test_nothing_in_it(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((32, 32), EMPTY, np.uint8)).save(tmp_path / "l.png")
        with pytest.raises(UserError, match="no labelled pixel"):
            read_layout(tmp_path / "l.png")


class TestShippedShots:
    """Small labelled pictures of the generators' own, read as the real ones below are."""

    @pytest.mark.parametrize(
        ("name", "num_shots", "picture_side", "num_classes"),
        [("faces-shots", 12, 512, 12), ("landscapes-shots", 5, 128, 9)],
    )
    def test_they_are_read_right(self, name: str, num_shots: int, picture_side: int, num_classes: int) -> None:
        folder = read_shots(CHECKOUT / "resources" / name, "dense")
        assert len(folder.shots) == num_shots
        assert likely_label_kind([shot.label_map for shot in folder.shots], zero_is_a_class=True) == "dense"
        assert folder.palette.num_classes == num_classes
        assert folder.notes == ()
        for shot in folder.shots:
            assert shot.picture.shape == (picture_side, picture_side, 3)
            assert shot.label_map.shape[0] == shot.label_map.shape[1]

    def test_foreign_ids_without_names_keep_their_numbers(self, tmp_path: Path) -> None:
        source = CHECKOUT / "resources" / "landscapes-shots"
        shutil.copytree(source / "images", tmp_path / "images")
        (tmp_path / "labels").mkdir()
        ids: set[int] = set()
        for path in (source / "labels").iterdir():
            foreign = np.asarray(Image.open(path)) * 13 + 2
            ids |= set(np.unique(foreign).tolist())
            Image.fromarray(np.repeat(foreign[:, :, None], 3, 2)).save(tmp_path / "labels" / path.name)
        assert set(read_shots(tmp_path).palette.class_ids) == ids


@pytest.mark.skipif(not REAL_SHOTS.is_dir(), reason="the real shots are not part of the project")
class TestRealShots:
    @pytest.mark.parametrize(
        ("name", "kind", "num_shots", "picture_side", "label_side", "class_ids"),
        [
            ("cat", "sparse", 1, 256, 256, range(1, 9)),
            ("car", "dense", 1, 256, 256, range(5)),
            ("celebamask", "dense", 5, 1024, 512, [*range(3), *range(4, 16), 17, 18]),
            ("celebalandmark", "sparse", 5, 1024, 1024, range(1, 71)),
        ],
    )
    def test_they_are_read_right(
        self,
        name: str,
        kind: LabelKind,
        num_shots: int,
        picture_side: int,
        label_side: int,
        class_ids: range | list[int],
    ) -> None:
        folder = read_shots(REAL_SHOTS / name, kind)
        assert len(folder.shots) == num_shots
        assert likely_label_kind([shot.label_map for shot in folder.shots], zero_is_a_class=False) == kind
        assert folder.palette.class_ids == tuple(class_ids)
        assert folder.notes == ()
        for shot in folder.shots:
            assert shot.picture.shape == (picture_side, picture_side, 3)
            assert shot.label_map.shape == (label_side, label_side)

    def test_ade_ids_keep_their_numbers(self) -> None:
        folder = read_shots(REAL_SHOTS / "church")
        assert len(folder.shots) == 5
        assert {0, 1, 2, 132} < set(folder.palette.class_ids)
        assert folder.palette.num_classes == 24
