"""Reads a clip off its pixels: background, count, colours, shapes and motions."""
