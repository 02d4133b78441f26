"""The bucket: one click fills a region."""

from __future__ import annotations

from smis_desktop.ui.tools.tool import PenEvent, Tool


class BucketTool(Tool):
    """As far as the options say: contiguous or everywhere, by layer or by what shows, closing gaps."""

    picks = True

    def press(self, pen: PenEvent) -> None:
        class_id, options = self.class_to_paint(pen), self.bench.options
        if class_id is not None:
            self.bench.controller.do(
                lambda editor: editor.bucket(pen.at, class_id, options.contiguous, options.all_layers, options.gap)
            )
