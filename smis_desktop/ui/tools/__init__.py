"""The tools of the canvas. A module here is a tool: each class in it that has a name is found and offered."""
