"""The picker: takes the class under the pointer."""

from __future__ import annotations

from smis_desktop.labels.index_png import EMPTY
from smis_desktop.ui.tools.tool import PenEvent, Tool


class PickerTool(Tool):
    """From what shows. Nothing, and ids that the palette lacks, cannot be picked."""

    def press(self, pen: PenEvent) -> None:
        workbench = self.bench.easel.workbench
        if workbench is None:
            return
        class_id = workbench.pick(pen.at)
        if class_id != EMPTY and class_id in workbench.document.palette.class_ids:
            self.bench.options.choose_class(class_id)
