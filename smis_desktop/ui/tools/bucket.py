"""The bucket: one click fills a region."""

from __future__ import annotations

from smis_desktop.document.shapes import MAX_GAP
from smis_desktop.ui.tools.options import Pixels, Toggle
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolGroup
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP

CONTIGUOUS = Toggle(
    label=QT_TRANSLATE_NOOP("Command", "Contiguous only"),
    tip=QT_TRANSLATE_NOOP("Command", "Fill the connected area; off: the same class everywhere"),
    default=True,
)
ALL_LAYERS = Toggle(
    label=QT_TRANSLATE_NOOP("Command", "Sample all layers"),
    tip=QT_TRANSLATE_NOOP("Command", "Find the area in all visible layers; off: in the active layer only"),
    default=False,
)
GAP = Pixels(
    label=QT_TRANSLATE_NOOP("Command", "Close gaps"),
    accessible_name=QT_TRANSLATE_NOOP("Command", "Close gaps up to this many pixels"),
    tip=QT_TRANSLATE_NOOP("Command", "Paint does not leak through gaps up to this width"),
    default=0,
    minimum=0,
    maximum=MAX_GAP,
)


class BucketTool(Tool):
    """Fills a region of the active layer with the current class."""

    name = "bucket"
    title = QT_TRANSLATE_NOOP("Command", "B&ucket")
    icon = "bucket"
    keys = ("G", "F")
    group = ToolGroup.EDIT
    order = 1
    options = (CONTIGUOUS, ALL_LAYERS, GAP)
    paints_class = True

    def press(self, pen: PenEvent) -> None:
        class_id, options = self.class_to_paint(pen), self.context.options
        contiguous, all_layers, gap = options[CONTIGUOUS], options[ALL_LAYERS], options[GAP]
        if class_id is not None:
            self.context.controller.do(lambda editor: editor.bucket(pen.at, class_id, contiguous, all_layers, gap))
