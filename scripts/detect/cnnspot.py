"""CNNSpot: a ResNet-50 trained on pictures of one GAN."""

from collections.abc import Mapping

from torchvision.models import resnet50

from scripts.detect.checkpoints import load_weights, part_of, read_checkpoint
from scripts.detect.picture_classifier import PictureClassifier


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
        load_weights(network, part_of(read_checkpoint(path), "model", path), path)
        super().__init__(network, resize=resize, crop=crop, device=device)
