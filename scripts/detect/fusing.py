"""Fusing: a picture as a whole and its six strongest patches, weighed by attention."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torchvision.models import resnet50
from torchvision.transforms import functional as transforms

from scripts.detect.picture_classifier import PictureClassifier
from scripts.models.weights import load_exactly, read_tensors

SIDE = 224
_PATCHES = ((3, 224), (2, 112))
"""Window of the feature map by whose mean three patches are chosen, and their side in pixels."""


class Fusing(PictureClassifier):
    """Fusing (Ju et al., Fusing global and local features for generalized AI-synthesized image
    detection, 2022), as in the harness of Table 3: patches are cut from the picture at full size.
    """

    def __init__(self, weights: Mapping[str, str], *, device: str = "auto"):
        """Load the checkpoint at ``weights['path']`` (key 'model').

        Raises:
            UserError: the weights are missing or do not fit.
        """
        network = FusingNetwork()
        load_exactly(network, read_tensors(weights["path"], "model"), weights["path"])
        super().__init__(network, resize=None, crop=None, device=device)

    @torch.inference_mode()
    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 of shape (images,) in [0, 1], 1 for generated; images are uint8 RGB."""
        whole = []
        for image in images:
            small = transforms.resize(Image.fromarray(image), SIDE)
            whole.append(self.prepare(np.asarray(transforms.center_crop(small, SIDE))))
        full = [self.prepare(image).to(self._device) for image in images]
        logits = self._network(torch.stack(whole).to(self._device), full)
        return torch.sigmoid(logits.flatten()).cpu().numpy()


class FusingNetwork(nn.Module):
    """A ResNet-50 for the whole and the patches, and attention between what it finds in them."""

    def __init__(self):
        """Build it; its layers are called as in the authors' code."""
        super().__init__()
        self.resnet = resnet50()  # its last layer is in the checkpoint, and not used
        self.fc1 = nn.Linear(2048, 128)
        self.mha_list = nn.Sequential(*(_Attention(128, 4) for _ in range(3)))
        self.fc = nn.Linear(128, 1)

    def forward(self, whole: torch.Tensor, full: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return logits of shape (pictures, 1).

        Args:
            whole: the pictures' middles, of shape (pictures, 3, 224, 224).
            full: of each picture all of it, (3, height, width), from which patches are cut.
        """
        maps = self._maps(whole)
        patches = torch.cat([self._cut(*pair) for pair in zip(maps, full, strict=True)])
        parts = self._token(self._maps(patches)).view(len(whole), -1, 128)
        tokens = torch.cat([parts, self._token(maps)[:, None]], dim=1)
        return self.fc(self.mha_list(tokens)[:, -1])

    def _maps(self, pixels: torch.Tensor) -> torch.Tensor:
        net = self.resnet
        x = net.maxpool(net.relu(net.bn1(net.conv1(pixels))))
        return net.layer4(net.layer3(net.layer2(net.layer1(x))))

    def _token(self, maps: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.fc1(maps.mean((2, 3))))

    def _cut(self, found: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        """Return the six patches of a picture, (6, 3, 224, 224)."""
        patches = []
        for top, left, side in patch_places(found, *picture.shape[1:]):
            patch = picture[None, :, top : top + side, left : left + side]
            if patch.shape[2:] != (SIDE, SIDE):
                size = (SIDE, SIDE)
                patch = functional.interpolate(patch, size, mode="bilinear", align_corners=True)
            patches.append(patch)
        return torch.cat(patches)


def patch_places(found: torch.Tensor, height: int, width: int) -> list[tuple[int, ...]]:
    """Return (top, left, side) in pixels of where the features are strongest.

    A window's strength is the mean of all channels in it; the places around one that was chosen are
    not chosen again. The feature map is taken for the picture's central square; what reaches over
    an edge is moved inwards, and is cut off where the picture is smaller than the patch.

    Args:
        found: feature map of shape (channels, rows, columns), nothing below 0.
        height: of the picture in pixels.
        width: of the picture in pixels.
    """
    sides, short = (height, width), min(height, width)
    places = []
    for window, side in _PATCHES:
        strength = functional.avg_pool2d(found[None], window, stride=1).sum(1)
        for _ in range(3):
            largest, place = strength.flatten().max(0)
            row_column = divmod(int(place), strength.shape[2])
            around = functional.max_pool2d(strength, 3, stride=1, padding=1)
            strength = strength * (around != largest)
            corner = []
            for axis in (0, 1):
                cells, windows = found.shape[axis + 1], strength.shape[axis + 1]
                share = torch.tensor(2 * row_column[axis] + cells - windows + 1) / (2 * cells)
                middle = int((sides[axis] - short) // 2 + short * share)
                corner.append(max(0, min(max(0, middle - side // 2), sides[axis] - side)))
            places.append((*corner, side))
    return places


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.mha = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.ln1(x + self.mha(x, x, x, need_weights=False)[0])
        return self.ln2(x + self.fc2(functional.relu(self.fc1(x))))
