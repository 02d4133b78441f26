"""Work beside the window: the preview thread and its messages. No Qt here."""
