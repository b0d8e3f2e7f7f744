"""Helpers around training: `utils.data`."""
