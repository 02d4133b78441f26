"""Work beside the window: the preview thread, worker processes and their messages. No Qt."""
