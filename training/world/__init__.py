"""The procedural world the miniature models know: coloured shapes moving on coloured backgrounds."""
