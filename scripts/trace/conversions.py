"""Checkpoints whose tensors are not timm's even with other names."""

import torch

from scripts.common.errors import UserError
from scripts.models.weights import State


def pattern_token_to_register(state: State) -> State:
    """Return AnyPattern's Vision Transformer as timm's with one register token.

    AnyPattern appends a pattern token with a position embedding of its own after the patches
    (https://github.com/WangWenhao0716/AnyPattern, Test/models/vit_models_first_dgg.py); timm puts
    register tokens after the class token. Attention does not know the order of tokens, so only
    the position embeddings have to move along.

    Args:
        state: tensors with timm's names, ``pattern_token`` and ``pos_embed_1``, both of shape
            (1, 1, width).

    Raises:
        UserError: one of them is missing.
    """
    missing = [name for name in ("pattern_token", "pos_embed", "pos_embed_1") if name not in state]
    if missing:
        raise UserError(
            f"the checkpoint has no '{missing[0]}', so it is not AnyPattern's; correct "
            "'settings.conversion' of its entry"
        )
    state = dict(state)
    first, rest = state["pos_embed"].split([1, state["pos_embed"].shape[1] - 1], dim=1)
    state["pos_embed"] = torch.cat([first, state.pop("pos_embed_1"), rest], dim=1)
    state["reg_token"] = state.pop("pattern_token")
    return state


CONVERSIONS = {"pattern_token_to_register": pattern_token_to_register}
