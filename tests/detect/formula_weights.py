"""Weights by a formula, the same wherever they are needed: a reference's network and ours."""

import torch
from torch import nn
from torchvision.models import resnet50


def fill(network: nn.Module) -> nn.Module:
    """Give each tensor of a network values of a sine, by its place in the order of names."""
    for number, (name, tensor) in enumerate(sorted(network.state_dict().items())):
        if not tensor.is_floating_point() or name == "lod":
            continue
        values = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 0.7 + number * 1.3)
        if name.endswith("kernel"):  # of StyleGAN's blur, which is no weight
            edge = torch.tensor([1.0, 2.0, 1.0]) / 4
            values = (edge[:, None] * edge).expand(tensor.shape)
        elif name.endswith("running_var"):
            values = values.abs() + 1
        elif tensor.ndim > 1:
            values = values * 1.5 / (tensor.numel() / tensor.shape[0]) ** 0.5
        elif name.endswith("weight"):
            values = 1 + 0.3 * values
        else:
            values = 0.1 * values
        tensor.copy_(values.view(tensor.shape).to(tensor.dtype))
    return network


def save_resnet(path, **others) -> None:
    """Write a ResNet-50 with one output as a classifier's checkpoint."""
    torch.save({"model": fill(resnet50(num_classes=1)).state_dict(), **others}, path)


def wave(*shape: int) -> torch.Tensor:
    """Return float32 of a shape, between -1 and 1."""
    size = torch.Size(shape).numel()
    return torch.cos(torch.arange(size, dtype=torch.float64) ** 1.1).view(shape).float()
