"""What counts as an answer: models say in many words that they will not, or that there is nothing."""

import pytest

from scripts.annotate.prompt_answers import parse_subject, parse_verbs
from scripts.common.errors import Rejected

REFUSALS = [
    "I'm sorry, I can't assist with that.",
    "I’m sorry, but I can’t assist with that request.",
    "I'm sorry, but I cannot help with that.",
    "Sorry, I can't help with that",
    "I can't assist",
    "I cannot provide that information.",
    "I'm unable to help with this request.",
    "I am not able to process this content.",
    "As an AI, I must refuse.",
    "This goes against our content policy.",
    "I apologize, but I won't be able to comply.",
    "I must decline.",
    "I can't continue with that.",
    "I cannot determine the subject.",
    "Unable to determine subject",
    "I'm unable to identify the subject",
    "I will not answer that.",
    "I must respectfully decline",
    "Request denied",
]
NOTHING = [
    " ", "", "' '", "None", "none.", "N/A", "null", "Nothing", "no verb", "No verbs.", "no subject",
    "There is no subject", "There is no subject.", "There are no verbs in the given sentence.",
    "No clear subject", "No specific subject mentioned", "Not applicable",
    "The sentence contains no verbs.", "There is no verb", "There's no subject", "(none)", "None found",
    "-", "No", "Not specified", "The subject is not specified", "Unclear", "I see no subject",
    "I do not see a verb", "This sentence has no verbs", "It contains no verb",
    "The given sentence does not contain any verbs.",
]  # fmt: skip
SUBJECTS = [
    "cat",
    "a man",
    "Sorry-looking dog"[14:],
    "no smoking sign",
    "nobody",
    "nun",
    "null island",
    "no parking sign",
    "unknown soldier",
    "the it girl",
]


@pytest.mark.parametrize("answer", REFUSALS)
def test_a_refusal_in_words_is_a_refusal(answer):
    assert parse_subject(answer) == parse_verbs(answer) == Rejected("refused")


@pytest.mark.parametrize("answer", NOTHING)
def test_words_for_nothing_are_no_name(answer):
    assert (parse_subject(answer), parse_verbs(answer)) == ("", [])


@pytest.mark.parametrize("answer", SUBJECTS)
def test_a_name_stays_one(answer):
    assert parse_subject(answer).lower() == answer


@pytest.mark.parametrize("answer", ["help, assist", "can, help", "provide", "walk, process"])
def test_verbs_that_refusals_use_are_verbs(answer):
    assert parse_verbs(answer) == answer.split(", ")
