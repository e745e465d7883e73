"""Resizing and normalising, against torchvision as the benchmarks call it."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as tv

from scripts.evaluate import frame_transforms as transforms
from tests.evaluate.moving_pictures import pan, texture

# Of OpenAI's own preprocessing (github.com/openai/CLIP, clip.py).
CLIP = [(0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)]
SIZES = [(144, 256), (256, 144), (240, 240), (100, 141), (576, 1024)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_vbenchs_clip_transform(height, width):
    frames = pan(2, 3, height, width)
    expected = tv.Compose(
        [
            tv.Resize(224, interpolation=tv.InterpolationMode.BICUBIC, antialias=False),
            tv.CenterCrop(224),
            tv.Lambda(lambda x: x.float().div(255.0)),
            tv.Normalize(*CLIP),
        ]
    )(torch.from_numpy(frames).permute(0, 3, 1, 2).float())
    result = transforms.clip_tensors(frames, 224)
    assert result.shape == (2, 3, 224, 224)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_vbenchs_dino_resize(height, width):
    frames = pan(1, 0, height, width)
    expected = tv.Resize(size=224, antialias=False)(
        torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    )
    result = transforms.resize_frames(frames, 224, "bilinear")
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_openais_picture_transform(height, width):
    picture = texture(height, width)
    expected = tv.Compose(
        [
            tv.Resize(224, interpolation=tv.InterpolationMode.BICUBIC),
            tv.CenterCrop(224),
            tv.ToTensor(),
            tv.Normalize(*CLIP),
        ]
    )(Image.fromarray(picture))
    result = transforms.clip_pictures([picture], 224)
    torch.testing.assert_close(result[0], expected, atol=1e-6, rtol=0)


def test_the_two_ways_differ():
    frames = pan(1, 0, 576, 1024)
    difference = transforms.clip_tensors(frames, 224) - transforms.clip_pictures(frames, 224)
    assert difference.abs().max() > 0.01


def test_bicubic_is_not_clamped():
    frames = np.zeros((1, 100, 100, 3), np.uint8)
    frames[:, :, 50:] = 255
    pixels = transforms.resize_frames(frames, 224, "bicubic")
    assert pixels.min() < -1 and pixels.max() > 256


def test_squeezing_is_opencvs_bilinear():
    # cv2.resize of [0, 100] to four pixels, half-pixel centres: 0, 25, 75, 100.
    row = np.array([0, 100], np.uint8).reshape(1, 2, 1).repeat(3, axis=2)
    assert transforms.squeeze_to(row, 1, 4)[0, :, 0].tolist() == [0, 25, 75, 100]
    # Rounded, not cut: 12.75 and 38.25 are 13 and 38.
    row = np.array([0, 51], np.uint8).reshape(1, 2, 1).repeat(3, axis=2)
    assert transforms.squeeze_to(row, 1, 4)[0, :, 0].tolist() == [0, 13, 38, 51]
    # Without antialiasing, halving keeps means of neighbours and not wider ones.
    row = np.array([0, 100, 20, 40], np.uint8).reshape(1, 4, 1).repeat(3, axis=2)
    assert transforms.squeeze_to(row, 1, 2)[0, :, 0].tolist() == [50, 30]
    assert np.array_equal(transforms.squeeze_to(row, 1, 4), row)
