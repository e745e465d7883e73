"""Tiny pipelines of the paper's models: the real classes, random weights, saved to a folder."""

import io
import json
from pathlib import Path

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLCogVideoX,
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    I2VGenXLPipeline,
    I2VGenXLUNet,
    LTXImageToVideoPipeline,
    LTXVideoTransformer3DModel,
    SkyReelsV2ImageToVideoPipeline,
    SkyReelsV2Transformer3DModel,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
)
from transformers import (
    CLIPImageProcessor,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)


def save_stable_video(folder: Path) -> None:
    """Save a Stable Video Diffusion pipeline of a few thousand weights."""
    torch.manual_seed(0)
    unet = UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64),  # norms of 32 groups
        layers_per_block=1,
        sample_size=8,
        in_channels=8,
        out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=32,
        num_attention_heads=2,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
        num_frames=4,
    )
    vae = AutoencoderKLTemporalDecoder(
        block_out_channels=[32, 64],
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D", "DownEncoderBlock2D"],
        latent_channels=4,
        layers_per_block=1,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        interpolation_type="linear",
        prediction_type="v_prediction",
        use_karras_sigmas=True,
        timestep_type="continuous",
        sigma_max=700.0,
        sigma_min=0.002,
    )
    StableVideoDiffusionPipeline(
        vae=vae.eval(),
        image_encoder=_image_encoder(224),  # the pipeline resizes to 224 whatever the encoder
        unet=unet.eval(),
        scheduler=scheduler,
        feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
    ).save_pretrained(folder, safe_serialization=True)


def save_cogvideox(folder: Path) -> None:
    """Save a CogVideoX image-to-video pipeline of a few thousand weights."""
    torch.manual_seed(0)
    transformer = CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=8,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=32,
        num_layers=1,
        sample_width=2,
        sample_height=2,
        sample_frames=9,
        patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=16,
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )
    vae = AutoencoderKLCogVideoX(
        in_channels=3,
        out_channels=3,
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    CogVideoXImageToVideoPipeline(
        tokenizer=_t5_tokenizer(folder.with_name("t5")),
        text_encoder=_t5_encoder(),
        vae=vae.eval(),
        transformer=transformer.eval(),
        scheduler=CogVideoXDDIMScheduler(),
    ).save_pretrained(folder, safe_serialization=True)


def save_i2vgen_xl(folder: Path) -> None:
    """Save an I2VGen-XL pipeline of a few thousand weights."""
    torch.manual_seed(0)
    unet = I2VGenXLUNet(
        block_out_channels=(4, 8),
        layers_per_block=1,
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        cross_attention_dim=4,
        attention_head_dim=4,
        num_attention_heads=None,
        norm_num_groups=2,
    )
    vae = AutoencoderKL(
        block_out_channels=(8,),
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"],
        up_block_types=["UpDecoderBlock2D"],
        latent_channels=4,
        sample_size=32,
        norm_num_groups=2,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=4,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=2,
            vocab_size=64,
        )
    )
    I2VGenXLPipeline(
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=_clip_tokenizer(folder.with_name("clip")),
        image_encoder=_image_encoder(32, projection=4),
        feature_extractor=CLIPImageProcessor(crop_size=32, size=32),
        unet=unet.eval(),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="linear",
            clip_sample=False,
            set_alpha_to_one=False,
        ),
    ).save_pretrained(folder, safe_serialization=True)


def save_wan(folder: Path, pipeline: str = "WanImageToVideoPipeline", experts: int = 1) -> None:
    """Save a Wan pipeline of a few thousand weights: 2.1 sees the image, 2.2 has two experts."""
    torch.manual_seed(0)
    seen = experts == 1
    transformers_ = [
        WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=36,
            out_channels=16,
            text_dim=32,
            freq_dim=32,
            ffn_dim=32,
            num_layers=1,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
            rope_max_seq_len=32,
            image_dim=32 if seen else None,
        ).eval()
        for _ in range(experts)
    ]
    vae = AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    parts = {"transformer_2": transformers_[-1], "boundary_ratio": 0.9} if not seen else {}
    if pipeline.startswith("Wan"):
        parts |= {"image_processor": None, "image_encoder": None} if not seen else {}
    if seen:
        parts["image_processor"] = CLIPImageProcessor(crop_size=32, size=32)
        parts["image_encoder"] = CLIPVisionModel(_image_encoder(32).config).eval()
    getattr(diffusers, pipeline)(
        tokenizer=_t5_tokenizer(folder.with_name("t5")),
        text_encoder=_t5_encoder(),
        vae=vae.eval(),
        transformer=transformers_[0],
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        **parts,
    ).save_pretrained(folder, safe_serialization=True)


def save_skyreels_v2(folder: Path) -> None:
    """Save a SkyReels V2 pipeline, which has Wan's parts under a transformer of its own."""
    torch.manual_seed(0)
    transformer = SkyReelsV2Transformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=36,
        out_channels=16,
        text_dim=32,
        freq_dim=32,
        ffn_dim=32,
        num_layers=1,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
        image_dim=32,
    )
    vae = AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    SkyReelsV2ImageToVideoPipeline(
        tokenizer=_t5_tokenizer(folder.with_name("t5")),
        text_encoder=_t5_encoder(),
        image_encoder=_image_encoder(32),
        image_processor=CLIPProcessor(
            CLIPImageProcessor(crop_size=32, size=32), _clip_tokenizer(folder.with_name("clip"))
        ),
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=UniPCMultistepScheduler(flow_shift=8.0, use_flow_sigmas=True),
    ).save_pretrained(folder, safe_serialization=True)


def save_ltx(folder: Path) -> None:
    """Save an LTX-Video pipeline of a few thousand weights."""
    torch.manual_seed(0)
    transformer = LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=32,
    )
    vae = AutoencoderKLLTXVideo(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        layers_per_block=(1,) * 5,
        decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    LTXImageToVideoPipeline(
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=_t5_encoder(),
        tokenizer=_t5_tokenizer(folder.with_name("t5")),
    ).save_pretrained(folder, safe_serialization=True)


def _t5_encoder() -> T5EncoderModel:
    config = T5Config(vocab_size=64, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2)
    return T5EncoderModel(config).eval()


def _image_encoder(size: int, projection: int = 32) -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=32,
        projection_dim=projection,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=size,
        intermediate_size=37,
        patch_size=32 if size == 224 else 8,
    )
    return CLIPVisionModelWithProjection(config).eval()


def _clip_tokenizer(folder: Path) -> CLIPTokenizer:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def _t5_tokenizer(folder: Path) -> T5Tokenizer:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a cat waves", "the camera moves", "zoom in on the sea"] * 4),
        model_writer=model,
        vocab_size=40,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    folder.mkdir()
    (folder / "spiece.model").write_bytes(model.getvalue())
    return T5Tokenizer.from_pretrained(folder, extra_ids=0)
