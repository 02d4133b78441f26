"""Work next to the window: the preview thread, worker processes and their messages. No Qt."""
