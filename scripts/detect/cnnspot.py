"""CNNSpot: a ResNet-50 trained on pictures of one GAN."""

from collections.abc import Mapping

from torchvision.models import resnet50

from scripts.detect.picture_classifier import PictureClassifier
from scripts.models.weights import cut_prefix, load_exactly, read_tensors


class CnnSpot(PictureClassifier):
    """CNNSpot (Wang et al., CNN-generated images are surprisingly easy to spot... for now, 2020).

    A ResNet-50 with one output; the checkpoint's key is 'model'.
    """

    def __init__(
        self,
        weights: Mapping[str, str],
        *,
        resize: int | None = 256,
        crop: int | None = 224,
        device: str = "auto",
    ):
        """Load the weights at ``weights['path']``; the rest as ``PictureClassifier``.

        Raises:
            UserError: the weights are missing or do not fit.
        """
        path = weights["path"]
        network = resnet50(num_classes=1)
        load_exactly(network, cut_prefix(read_tensors(path, "model"), r"module\."), path)
        super().__init__(network, resize=resize, crop=crop, device=device)
