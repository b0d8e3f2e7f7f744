"""minigrad: a mini-PyTorch to read and extend."""
