"""Open language models: real classes with tiny weights made on the spot, offline."""

import pytest
import torch

from scripts.annotate.prompt_answers import DIRECTION_INSTRUCTION
from scripts.common.errors import Rejected, UserError

torch.set_num_threads(1)
pytest.importorskip("transformers")

QUESTION = "Name the subject of the video in at most three words."
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ANSWERS = {
    "a cat walks and jumps over the old wall": "walk, jump",
    "zoom in": "zoom",
    "portrait": "' '",
    "sing": "The verb is sing, as far as I can see.",
    "endless": "run, " * 12,
}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny Qwen2 that has learned the answers by heart, in the hub's layout."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    words.train_from_iterator([DIRECTION_INSTRUCTION, *ANSWERS, *ANSWERS.values()] * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = TEMPLATE
    configuration = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        eos_token_id=2, pad_token_id=0, bos_token_id=None, tie_word_embeddings=True,
    )  # fmt: skip
    model = Qwen2ForCausalLM(configuration)
    teach(model, tokenizer)
    path = tmp_path_factory.mktemp("chat")
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def teach(model, tokenizer):
    questions, texts = [], []
    for prompt, answer in ANSWERS.items():
        messages = [
            {"role": "system", "content": DIRECTION_INSTRUCTION},
            {"role": "user", "content": prompt},
        ]
        question = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        questions.append(len(tokenizer(question)["input_ids"]))
        texts.append(f"{question}{answer}<|im_end|>")
    tokens = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
    labels = tokens["input_ids"].masked_fill(tokens["attention_mask"] == 0, -100)
    for row, length in enumerate(questions):
        labels[row, :length] = -100
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(400):
        optimizer.zero_grad()
        loss = model(**tokens, labels=labels).loss
        loss.backward()
        optimizer.step()
        if loss < 0.03:
            return
    raise AssertionError("the model did not learn the answers")


def test_answers_are_read_as_those_of_the_papers_model(folder):
    from scripts.annotate.chat_text import ChatDirection

    tagger = ChatDirection({"path": str(folder)}, batch_size=4, max_new_tokens=20)
    found = dict(zip(ANSWERS, tagger.tag(list(ANSWERS)), strict=True))
    assert found == {
        "a cat walks and jumps over the old wall": ["walk", "jump"],
        "zoom in": ["zoom"],
        "portrait": [],
        "sing": Rejected("malformed_answer"),
        "endless": Rejected("malformed_answer"),  # cut before its end
    }


def test_a_batch_answers_as_the_librarys_pipeline_does_one_by_one(folder):
    from transformers import pipeline

    from scripts.annotate.chat_text import ChatModel

    class Plain(ChatModel):
        instruction = QUESTION  # never learned: whatever comes, comes
        parse = staticmethod(str)

    texts = ["a cat", "an astronaut waves at the camera, slow motion, 4k", "猫", "zoom in", ""]
    found = Plain({"path": str(folder)}, batch_size=3, max_new_tokens=20).tag(texts)
    generate = pipeline("text-generation", model=str(folder), device="cpu")
    for text, answer in zip(texts, found, strict=True):
        messages = [
            {"role": "system", "content": QUESTION},
            {"role": "user", "content": text},
        ]
        (expected,) = generate(messages, max_new_tokens=20, do_sample=False)
        written = expected["generated_text"][-1]["content"]
        assert answer == (Rejected("malformed_answer") if is_cut(generate, written) else written)


def is_cut(generate, written):
    return len(generate.tokenizer(written)["input_ids"]) >= 20


def test_too_long_a_text_is_refused_alone(folder):
    from scripts.annotate.chat_text import ChatDirection

    tagger = ChatDirection({"path": str(folder)}, max_prompt_tokens=100, max_new_tokens=8)
    assert tagger.tag(["zoom in", "zoom in " * 90]) == [["zoom"], Rejected("refused")]
    assert tagger.tag([]) == []


def test_a_model_without_a_chat_template_is_a_sentence(folder, tmp_path):
    from transformers import AutoTokenizer

    from scripts.annotate.chat_text import ChatSubject

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="no chat template; name a model that was trained"):
        ChatSubject({"path": str(tmp_path)}, question=QUESTION)
    with pytest.raises(UserError, match=r"'settings\.precision' is 'int3'"):
        ChatSubject({"path": str(folder)}, precision="int3", question=QUESTION)
    with pytest.raises(UserError, match="no question to ask for subjects; give it 'question: subj"):
        ChatSubject({"path": str(folder)})


def test_the_question_is_the_configurations(folder):
    from scripts.annotate.chat_text import ChatSubject

    settings = {"question": QUESTION, "max_new_tokens": 4}
    tagger = ChatSubject({"path": str(folder)}, **settings)
    asked = tagger._tokenizer.decode(tagger._prompt("a cat"))
    assert f"system\n{QUESTION}<|im_end|>" in asked and "user\na cat<|im_end|>" in asked
