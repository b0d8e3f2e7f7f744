"""Files: `save` and `load`, safetensors inside; PyTorch's .pt files are read by a reader that executes nothing."""

from minigrad.io.safetensors import load_file, save_file
from minigrad.io.store import load, save

__all__ = ["load", "load_file", "save", "save_file"]
