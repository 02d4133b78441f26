"""The layout being painted: layers, classes, history, brushes. Plain arrays; knows neither Qt nor torch."""
