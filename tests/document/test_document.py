"""Documents: layers over an empty ground, their composite, and their value."""

from __future__ import annotations

import numpy as np
import pytest

from smis_desktop.document.document import Document
from smis_desktop.document.layers import Layer, layer_thumbnail
from smis_desktop.document.palette import EMPTY, Palette, SemanticClass

PALETTE = Palette(tuple(SemanticClass(i, f"class {i}", (i, 2 * i, 3 * i)) for i in (0, 3, 7)))


def _block(layer_id: int, value: int, left: int, top: int, side: int = 20, **facts: bool) -> Layer:
    return Layer(
        layer_id, f"layer {layer_id}", left=left, top=top, pixels=np.full((side, side), value, np.uint8), **facts
    )


def test_a_blank_document_has_one_empty_layer() -> None:
    document = Document.blank(PALETTE)
    assert (document.size, document.revision, len(document.layers)) == (512, 0, 1)
    assert (document.label_map == EMPTY).all()
    assert document.layers[0].rect is None


def test_the_topmost_visible_pixel_that_is_not_empty_wins() -> None:
    hole = np.full((20, 20), 7, np.uint8)
    hole[5:10, 5:10] = EMPTY
    layers = [
        _block(4, 0, 0, 0),
        _block(9, 3, 10, 10),
        _block(2, 0, 0, 0, side=64, visible=False),
        Layer(5, "holed", left=10, top=10, pixels=hole),
    ]
    document = Document(64, PALETTE, layers)
    expected = np.full((64, 64), EMPTY, np.uint8)
    expected[0:20, 0:20] = 0
    expected[10:30, 10:30] = 7
    expected[15:20, 15:20] = 3
    np.testing.assert_array_equal(document.label_map, expected)
    assert document.active_id == 5
    assert [layer.layer_id for layer in document.layers] == [4, 9, 2, 5]


def test_layers_may_reach_outside() -> None:
    document = Document(64, PALETTE, [_block(1, 3, -10, 60)])
    expected = np.full((64, 64), EMPTY, np.uint8)
    expected[60:, :10] = 3
    np.testing.assert_array_equal(document.label_map, expected)
    assert document.layers[0].pixels.shape == (20, 20)


def test_a_state_is_the_document_and_stays_what_it_was() -> None:
    document = Document(64, PALETTE, [_block(1, 3, -10, 60), _block(2, 7, 5, 5, locked=True)], active_id=1)
    state = document.state()
    again = Document.from_state(state)
    assert again.state().equals(state)
    np.testing.assert_array_equal(again.label_map, document.label_map)
    np.testing.assert_array_equal(state.label_map(), document.label_map)
    document.active_id = 2
    assert state.active_id == 1
    assert not document.state().equals(state)


@pytest.mark.parametrize(
    "label_map",
    [
        np.zeros((63, 63), np.uint8),
        np.zeros((2049, 2049), np.uint8),
        np.zeros((64, 65), np.uint8),
        np.zeros((64, 64), np.int64),
        np.zeros((64, 64, 3), np.uint8),
    ],
)
def test_what_is_no_label_map_is_refused(label_map: np.ndarray) -> None:
    with pytest.raises(ValueError, match="document"):
        Document.of_label_map(label_map, PALETTE)


def test_impossible_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        Document(64, PALETTE, [_block(1, 3, 0, 0), _block(1, 7, 0, 0)])
    with pytest.raises(ValueError, match="no layer 9"):
        Document(64, PALETTE, [_block(1, 3, 0, 0)], active_id=9)


def test_views_are_read_only() -> None:
    document = Document.of_label_map(np.zeros((64, 64), np.uint8), PALETTE)
    for pixels in (document.label_map, document.snapshot(), document.layers[0].pixels):
        with pytest.raises(ValueError, match="read-only"):
            pixels[0, 0] = 1


def test_a_thumbnail_shows_the_layer_in_the_document() -> None:
    picture = layer_thumbnail(_block(1, 3, 32, 0, side=32), 64, 8, PALETTE.color_table)
    assert picture.shape == (8, 8, 4)
    assert (picture[:4, 4:] == (3, 6, 9, 255)).all()
    assert (picture[4:, :, 3] == 0).all()
    assert (picture[:, :4, 3] == 0).all()
    assert (layer_thumbnail(Layer(1, "empty"), 64, 8, PALETTE.color_table) == 0).all()
