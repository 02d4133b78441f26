"""The picker: takes the class under the pointer."""

from __future__ import annotations

from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolGroup
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP


class PickerTool(Tool):
    """Picks from what is visible, except empty pixels and ids that the palette lacks."""

    name = "picker"
    title = QT_TRANSLATE_NOOP("Command", "P&icker")
    icon = "picker"
    keys = ("I",)
    group = ToolGroup.EDIT
    order = 2
    hint = QT_TRANSLATE_NOOP("Command", "Click the class to paint with")

    def press(self, pen: PenEvent) -> None:
        editor = self.context.controller.editor
        if editor is None:
            return
        class_id = editor.pick(pen.at)
        if class_id != EMPTY and class_id in editor.document.palette.class_ids:
            self.context.options.choose_class(class_id)
