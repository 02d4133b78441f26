"""The main window: its parts, commands, files and controllers."""
