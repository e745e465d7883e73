"""Weights drawn by the tensors' names, with which references gave the numbers that tests hold."""

import zlib

import torch


def drawn_tensor(name, shape, scale=1.0):
    """Return the tensor of a name: small enough that a deep network does not overflow."""
    draw = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    drawn = torch.randn(tuple(shape), generator=draw)
    if len(shape) < 2:  # a bias, or what multiplies channels
        multiplies = name.endswith(("gamma", "weight"))
        return 0.1 * drawn + (1 if multiplies else 0)
    return scale * drawn / drawn[0].numel() ** 0.5


def draw_weights(network, prefix="", scale=1.0):
    """Replace a network's parameters; return its state with a prefix before the names."""
    for name, parameter in network.named_parameters():
        parameter.data = drawn_tensor(f"{prefix}{name}", parameter.shape, scale)
    return {f"{prefix}{name}": value for name, value in network.state_dict().items()}


def drawn_frames(*shape):
    """Return uint8 RGB frames: noise that is the same everywhere."""
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (*shape, 3), generator=draw, dtype=torch.uint8).numpy()
