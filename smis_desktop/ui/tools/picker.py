"""The picker: takes the class under the pointer."""

from __future__ import annotations

from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.tools.tool import PenEvent, Tool


class PickerTool(Tool):
    """From what shows. Nothing, and ids that the palette lacks, cannot be picked."""

    def press(self, pen: PenEvent) -> None:
        editor = self.bench.controller.editor
        if editor is None:
            return
        class_id = editor.pick(pen.at)
        if class_id != EMPTY and class_id in editor.document.palette.class_ids:
            self.bench.options.choose_class(class_id)
