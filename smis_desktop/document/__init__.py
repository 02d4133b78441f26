"""The layout being painted: layers, classes, history, brushes. Plain arrays, without Qt or torch."""
