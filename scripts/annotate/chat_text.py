"""Subjects and directions by an open language model on this machine (Supplement 10).

The questions are those that the paper puts to GPT-4o, and an answer is read in the same way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scripts.annotate.prompt_answers import (
    DIRECTION_INSTRUCTION,
    parse_subject,
    parse_verbs,
    subject_question,
)
from scripts.common.errors import Rejected, UserError
from scripts.models.devices import PRECISIONS, pick_device
from scripts.models.weights import load_pretrained


class ChatModel:
    """A chat model of transformers that answers one question about each text, greedily.

    Attributes:
        instruction: the question.
    """

    instruction: str
    parse: Callable[[str], Any]

    def __init__(
        self,
        weights: Mapping[str, str] | None = None,
        device: str = "cpu",
        *,
        batch_size: int = 32,
        max_new_tokens: int = 64,
        max_prompt_tokens: int = 1024,
        precision: str = "bfloat16",
        template: Mapping[str, Any] | None = None,
    ):
        """Load the model and its tokenizer.

        Args:
            weights: ``{hub, revision}`` or ``{path}`` of a folder in the hub's layout.
            device: ``cpu``, ``cuda`` or ``auto``.
            batch_size: texts per forward pass; texts of like length are put together.
            max_new_tokens: where an answer is cut; a cut one is rejected as malformed.
            max_prompt_tokens: texts that need more, with the question, are rejected as refused.
            precision: of the weights on a GPU; on the CPU they are float32.
            template: settings of the model's chat template, such as ``enable_thinking``.

        Raises:
            UserError: the weights are missing, or the model has no chat template.
        """
        self._device = pick_device(device)
        if precision not in PRECISIONS:
            raise UserError(
                f"'settings.precision' is '{precision}'; it may be {', '.join(PRECISIONS)}"
            )
        kind = torch.float32 if self._device.type == "cpu" else PRECISIONS[precision]
        # Answers follow their prompts: padding belongs before these.
        self._tokenizer = load_pretrained(
            AutoTokenizer.from_pretrained, weights, padding_side="left"
        )
        if self._tokenizer.chat_template is None:
            raise UserError(
                "the model's tokenizer has no chat template; name a model that was trained to "
                "answer ('Instruct' or 'Chat')"
            )
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        network = load_pretrained(
            AutoModelForCausalLM.from_pretrained, weights, dtype=kind, use_safetensors=True
        )
        self._network = network.eval().to(self._device)
        self._batch_size, self._max_new_tokens = batch_size, max_new_tokens
        self._max_prompt_tokens, self._template = max_prompt_tokens, dict(template or {})

    def tag(self, texts: Sequence[str]) -> list[Any]:
        """Return the value of each text, or why there is none."""
        prompts = [self._prompt(text) for text in texts]
        found: list[Any] = [Rejected("refused")] * len(texts)
        fitting = [n for n, prompt in enumerate(prompts) if len(prompt) <= self._max_prompt_tokens]
        fitting.sort(key=lambda number: len(prompts[number]))
        for start in range(0, len(fitting), self._batch_size):
            numbers = fitting[start : start + self._batch_size]
            answers = self._generate([prompts[number] for number in numbers])
            for number, answer in zip(numbers, answers, strict=True):
                found[number] = (
                    Rejected("malformed_answer") if answer is None else type(self).parse(answer)
                )
        return found

    def _prompt(self, text: str) -> list[int]:
        messages = [
            {"role": "system", "content": self.instruction},
            {"role": "user", "content": text},
        ]
        written = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False, **self._template
        )
        # The template has written the special tokens.
        return self._tokenizer(written, add_special_tokens=False)["input_ids"]

    def _generate(self, prompts: Sequence[list[int]]) -> Iterator[str | None]:
        """Yield the answer to each prompt; None where it did not end in time."""
        tokens = self._tokenizer.pad({"input_ids": list(prompts)}, return_tensors="pt")
        with torch.inference_mode():
            written = self._network.generate(
                **tokens.to(self._device),
                do_sample=False,
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
                max_new_tokens=self._max_new_tokens,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        ends = self._network.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        for answer in written[:, tokens["input_ids"].shape[1] :].tolist():
            ended = any(token in ends for token in answer)
            yield self._tokenizer.decode(answer, skip_special_tokens=True) if ended else None


class ChatSubject(ChatModel):
    """Names what a prompt wants to see animated; a SubjectTagger whose items may be rejections."""

    parse = staticmethod(parse_subject)

    def __init__(self, *model: Any, question: str | None = None, **settings: Any):
        """Load the model to ask it a question; the rest as ``ChatModel``."""
        self.instruction = subject_question(question)
        super().__init__(*model, **settings)


class ChatDirection(ChatModel):
    """Names what a prompt wants to happen; a DirectionTagger whose items may be rejections."""

    instruction = DIRECTION_INSTRUCTION
    parse = staticmethod(parse_verbs)
