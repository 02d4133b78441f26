"""The editor, by any operations in any order: they are undone and redone to the last byte."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from smis_desktop.document.brush import Brush, MirrorAxis
from smis_desktop.document.document import Document, DocumentState, LayerNotPaintable
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.history import History
from smis_desktop.document.palette import EMPTY
from tests.document.conftest import PALETTE

small = st.integers(-20, 84)
spots = st.tuples(small, small)
ids = st.sampled_from([*PALETTE.class_ids, EMPTY])
operations = st.one_of(
    st.tuples(st.just("stroke"), ids, st.lists(spots, min_size=1, max_size=4), st.sampled_from(["round", "square"])),
    st.tuples(st.just("cancelled"), ids, st.lists(spots, min_size=1, max_size=3), st.just("round")),
    st.tuples(st.sampled_from(["rectangle", "ellipse"]), ids, spots, spots),
    st.tuples(st.just("polygon"), ids, st.lists(spots, min_size=3, max_size=6), st.none()),
    st.tuples(st.just("bucket"), ids, spots, st.tuples(st.booleans(), st.booleans(), st.integers(0, 5))),
    st.tuples(st.just("shift"), st.integers(0, 9), small, small),
    st.tuples(
        st.sampled_from(["add", "delete", "duplicate", "merge", "clear", "flip", "hide", "show", "lock", "unlock"]),
        st.integers(0, 9), st.none(), st.none(),
    ),
    st.tuples(st.just("reorder"), st.integers(0, 9), st.integers(0, 9), st.none()),
    st.tuples(st.sampled_from(["rename", "recolour", "class"]), st.integers(0, 9), st.none(), st.none()),
    st.tuples(st.just("activate"), st.integers(0, 9), st.none(), st.none()),
    st.tuples(st.just("mirror"), st.integers(0, 64), st.none(), st.none()),
    st.tuples(st.just("preserve"), st.sets(ids, max_size=2), st.none(), st.none()),
    st.tuples(st.sampled_from(["undo", "redo"]), st.none(), st.none(), st.none()),
)  # fmt: skip


def _do(bench: DocumentEditor, operation: tuple) -> None:  # type: ignore[type-arg]
    """One operation, with whatever layer or class its numbers happen to mean; closed layers refuse."""
    kind, a, b, c = operation
    layers = bench.document.layers

    def layer(number: int) -> int:
        return layers[number % len(layers)].layer_id

    if kind in ("stroke", "cancelled"):
        bench.begin_stroke(Brush(7, c), a, b[0], 0.8)
        for point in b[1:]:
            bench.extend_stroke(point)
        if kind == "stroke":
            bench.end_stroke()
        else:
            bench.cancel_stroke()
        return
    steps: dict[str, Callable[[], object]] = {
        "rectangle": lambda: bench.fill_rectangle(b, c, a),
        "ellipse": lambda: bench.fill_ellipse(b, c, a),
        "polygon": lambda: bench.fill_polygon(b, a),
        "bucket": lambda: bench.bucket(b, a, *c),
        "shift": lambda: bench.shift_layer(layer(a), b, c),
        "add": bench.add_layer,
        "delete": lambda: bench.delete_layer(layer(a)),
        "duplicate": lambda: len(layers) < 8 and bench.duplicate_layer(layer(a)),
        "merge": lambda: bench.merge_down(layer(a)),
        "clear": lambda: bench.clear_layer(layer(a)),
        "flip": lambda: bench.flip_layer(layer(a)),
        "hide": lambda: bench.set_visible(layer(a), False),
        "show": lambda: bench.set_visible(layer(a), True),
        "lock": lambda: bench.set_locked(layer(a), True),
        "unlock": lambda: bench.set_locked(layer(a), False),
        "reorder": lambda: bench.reorder_layer(layer(a), b),
        "rename": lambda: bench.rename_layer(layer(a), f"name {a}"),
        "recolour": lambda: bench.recolor_class(3, (a, a, a)),
        "class": lambda: bench.rename_class(7, f"class name {a}"),
        "activate": lambda: setattr(bench, "active_id", layer(a)),
        "mirror": lambda: setattr(bench, "mirror", None if a == 0 else MirrorAxis("vertical", a)),
        "preserve": lambda: setattr(bench, "preserved", frozenset(a)),
        "undo": bench.undo,
        "redo": bench.redo,
    }
    steps[kind]()


def _same(a: DocumentState, b: DocumentState) -> bool:
    """Equal but for the layer that is active, which is no part of any step."""
    return DocumentState(a.size, a.palette, a.layers, 0).equals(DocumentState(b.size, b.palette, b.layers, 0))


@given(st.lists(operations, min_size=1, max_size=25), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_operations_undo_and_redo_to_identical_bytes(found: list[tuple], seed: int) -> None:  # type: ignore[type-arg]
    """Also: the composite is always what the layers say, ids come from the palette, and only asked-for ids appear."""
    start = np.random.default_rng(seed).choice([0, 3, 7, 200, EMPTY], (64, 64)).astype(np.uint8)
    bench = DocumentEditor(Document.of_label_map(start, PALETTE))
    states = [bench.document.state()]
    for operation in found:
        before = bench.document.state()
        ids_before = set(np.unique(before.label_map()).tolist()) | {
            int(i) for layer in before.layers for i in np.unique(layer.pixels)
        }
        try:
            _do(bench, operation)
        except LayerNotPaintable:
            assert _same(bench.document.state(), before)
        after = bench.document.state()
        np.testing.assert_array_equal(bench.document.label_map, Document.from_state(after).label_map)
        if operation[0] not in ("undo", "redo"):
            asked = {operation[1]} if isinstance(operation[1], int) else set()
            ids_after = {int(i) for layer in after.layers for i in np.unique(layer.pixels)}
            assert ids_after <= ids_before | asked | {EMPTY}
    end = bench.document.state()
    while bench.can_undo:
        bench.undo()
        states.append(bench.document.state())
    assert _same(states[-1], states[0])
    for state in reversed(states[1:-1]):
        bench.redo()
        assert _same(bench.document.state(), state)
    while bench.can_redo:
        bench.redo()
    if not any(operation[0] == "undo" for operation in found):
        assert _same(bench.document.state(), end)


def test_a_thousand_operations_undo_and_redo_to_identical_bytes() -> None:
    """One long afternoon: 1,000 random operations, each state remembered by its bytes."""
    draws = np.random.default_rng(11)
    bench = DocumentEditor(Document.blank(PALETTE, 64), History(max_steps=2000))
    states = [bench.document.state()]
    done = 0
    while done < 1000:
        operation = _random_operation(draws)
        marks = bench.can_undo, bench.undo_name
        try:
            _do(bench, operation)
        except LayerNotPaintable:
            _do(bench, ("unlock", int(draws.integers(10)), None, None))
            _do(bench, ("show", int(draws.integers(10)), None, None))
        done += 1
        state = bench.document.state()
        if not _same(state, states[-1]) or marks != (bench.can_undo, bench.undo_name):
            states.append(state)
    last = bench.document.state()
    seen = 0
    while bench.can_undo:
        bench.undo()
        seen += 1
    assert seen > 400
    assert _same(bench.document.state(), states[0])
    while bench.can_redo:
        bench.redo()
    assert _same(bench.document.state(), last)


def _random_operation(draws: np.random.Generator) -> tuple:  # type: ignore[type-arg]
    def spot() -> tuple[int, int]:
        x, y = draws.integers(-20, 84, 2).tolist()
        return x, y

    class_id = int(draws.choice([*PALETTE.class_ids, EMPTY]))
    kind = str(
        draws.choice(
            ["stroke", "stroke", "cancelled", "rectangle", "ellipse", "polygon", "bucket", "shift", "add", "delete",
             "duplicate", "merge", "clear", "flip", "hide", "show", "lock", "unlock", "reorder", "rename", "recolour",
             "class", "activate", "mirror", "preserve"]
        )
    )  # fmt: skip
    number = int(draws.integers(10))
    if kind in ("stroke", "cancelled"):
        return kind, class_id, [spot() for _ in range(4)], "round"
    if kind in ("rectangle", "ellipse"):
        return kind, class_id, spot(), spot()
    if kind == "polygon":
        return kind, class_id, [spot() for _ in range(5)], None
    if kind == "bucket":
        return kind, class_id, spot(), (bool(draws.integers(2)), bool(draws.integers(2)), number % 4)
    if kind == "preserve":
        return kind, {class_id} if number > 6 else set(), None, None
    return kind, number, *((int(v) for v in draws.integers(-20, 30, 2)) if kind == "shift" else (number // 2, None))
