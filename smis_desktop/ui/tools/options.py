"""What a person has set for the tools: sizes, shape, stabiliser, bucket; one owner, watched by tools and bars."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.brush import BrushShape
from smis_desktop.document.shapes import MAX_GAP

MAX_DIAMETER = 512
DEFAULT_DIAMETER = 36
TOOL_NAMES = (
    "brush", "eraser", "rectangle", "ellipse", "polygon", "lasso", "bucket", "picker", "move", "pan", "zoom",
)  # fmt: skip


class ToolOptions(QObject):
    """The state of the tools. Every setter emits `changed` if it changed anything."""

    changed = Signal()
    class_chosen = Signal(int)
    """Another class is current."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tool = "brush"
        self._class_id: int | None = None
        self._last_class_id: int | None = None
        self._diameters = {"brush": DEFAULT_DIAMETER, "eraser": DEFAULT_DIAMETER}
        self._shape: BrushShape = "round"
        self._stabilizer = 0.0
        self._pressure_scales = True
        self._contiguous = True
        self._all_layers = False
        self._gap = 0

    @property
    def tool(self) -> str:
        """One of TOOL_NAMES."""
        return self._tool

    def set_tool(self, name: str) -> None:
        assert name in TOOL_NAMES, name
        self._set("_tool", name)

    @property
    def class_id(self) -> int | None:
        """What is painted; None as long as no palette is known."""
        return self._class_id

    def choose_class(self, class_id: int) -> None:
        if class_id != self._class_id:
            self._last_class_id, self._class_id = self._class_id, class_id
            self.class_chosen.emit(class_id)

    def swap_classes(self) -> None:
        """Back to the class before this one."""
        if self._last_class_id is not None:
            self.choose_class(self._last_class_id)

    @property
    def sized_tool(self) -> str:
        """Whose size is set now: the eraser's, or the brush's."""
        return "eraser" if self._tool == "eraser" else "brush"

    @property
    def diameter(self) -> int:
        """Of the brush or eraser in hand, in layout pixels."""
        return self._diameters[self.sized_tool]

    def diameter_of(self, tool: str) -> int:
        """Of `brush` or `eraser`."""
        return self._diameters[tool]

    def set_diameter(self, diameter: int) -> None:
        """Clamped to 1–512."""
        diameter = min(max(diameter, 1), MAX_DIAMETER)
        if diameter != self.diameter:
            self._diameters[self.sized_tool] = diameter
            self.changed.emit()

    def grow(self) -> None:
        """About a fifth larger."""
        self.set_diameter(max(self.diameter + 1, round(self.diameter * 1.2)))

    def shrink(self) -> None:
        """About a fifth smaller."""
        self.set_diameter(min(self.diameter - 1, round(self.diameter / 1.2)))

    @property
    def shape(self) -> BrushShape:
        return self._shape

    def set_shape(self, shape: BrushShape) -> None:
        self._set("_shape", shape)

    @property
    def stabilizer(self) -> float:
        """0 off – 1 strongest."""
        return self._stabilizer

    def set_stabilizer(self, strength: float) -> None:
        self._set("_stabilizer", min(max(strength, 0.0), 1.0))

    @property
    def pressure_scales(self) -> bool:
        """Whether a pen's pressure scales the brush."""
        return self._pressure_scales

    def set_pressure_scales(self, scales: bool) -> None:
        self._set("_pressure_scales", scales)

    @property
    def contiguous(self) -> bool:
        """The bucket fills what hangs together only."""
        return self._contiguous

    def set_contiguous(self, contiguous: bool) -> None:
        self._set("_contiguous", contiguous)

    @property
    def all_layers(self) -> bool:
        """The bucket looks at what shows rather than at the active layer."""
        return self._all_layers

    def set_all_layers(self, all_layers: bool) -> None:
        self._set("_all_layers", all_layers)

    @property
    def gap(self) -> int:
        """Openings up to so many pixels wide do not let the bucket's paint out."""
        return self._gap

    def set_gap(self, gap: int) -> None:
        self._set("_gap", min(max(gap, 0), MAX_GAP))

    def _set(self, name: str, value: object) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            self.changed.emit()
