"""The demo's channel: the bot's messages, what people say between them, and when."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts.common.identity import derived_seed, normalise_prompt
from scripts.demo.export_html import (
    Attachment,
    Author,
    Message,
    Reply,
    encode,
    marked,
    media_path,
    mention,
)
from scripts.demo.generations import Generation
from scripts.demo.lists import phrases
from scripts.demo.prompts import EMOJI
from scripts.demo.times import Locale, snowflake, timestamp_of

SPAN = (datetime(2023, 7, 1, tzinfo=UTC), datetime(2024, 10, 31, tzinfo=UTC))
"""First and last day of the paper's collection (Section 3)."""

PIKA = Author(1123665496148017235, "Pika#6789", "Pika", is_bot=True)
MIDJOURNEY = Author(936929561302675456, "Midjourney Bot#9282", "Midjourney Bot", is_bot=True)

USERS = (
    *(
        Author(
            100000000000000000 + 7919 * number, f"made_up_{'_'.join(name)}", " ".join(name).title()
        )
        for number, name in enumerate(itertools.product(*phrases("user").values()))
    ),
    Author(100000000000999999, "made_up_angle", '<Ann & "Co">'),
)
"""Who writes in the channel. Nobody: names say so; the last one's tries to break a page."""


@dataclass(frozen=True)
class Channel:
    """One channel: its id, the name of its export, and the machine that exported it."""

    channel_id: int
    name: str
    locale: Locale

    @property
    def media_folder(self) -> str:
        """The folder of media beside the export."""
        return f"{self.name}.html_Files"


Store = Callable[[Generation, str], int]
"""Puts a generation's video at a relative path, or what is left of it; returns its size."""


def write_channel(
    channel: Channel, generations: Sequence[Generation], seed: int, store: Store
) -> tuple[list[Message], list[dict]]:
    """Return a channel's messages by time, and what a parser must find in them.

    Args:
        channel: where it happens.
        generations: in the order of time.
        seed: chooses times, chatter and reactions.
        store: called once per generation.
    """
    chance = random.Random(derived_seed(seed, "channel", channel.name))
    plan: list[Generation | str] = []
    for generation in generations:
        plan += [kind for kind, share in _CHATTER.items() if chance.random() < share]
        plan.append(generation)
    messages: list[Message] = []
    truth = []
    for item, timestamp_ms in zip(plan, _times(len(plan), chance), strict=True):
        number = snowflake(timestamp_ms, chance.getrandbits(22))
        if isinstance(item, Generation):
            attachment = _video(item, number, channel, chance, store)
            messages.append(_generation_message(item, number, attachment, chance))
            truth.append(truth_row(item, messages[-1], attachment))
        else:
            messages.append(_other_message(item, number, messages, generations, chance))
    return messages, truth


def truth_row(generation: Generation, message: Message, video: Attachment) -> dict:
    """Return what a parser must recover of a generation; options only where they were given."""
    row = {
        "message_id": str(message.message_id),
        "timestamp_ms": message.timestamp_ms,
        "prompt": normalise_prompt(generation.raw_text),
        "kind": generation.kind,
        "video": video.address,
        "video_name": video.name,
        "requester": generation.requester.name,
    }
    return row | generation.parameters


def _video(
    generation: Generation, number: int, channel: Channel, chance: random.Random, store: Store
) -> Attachment:
    name = generation.file_name
    # The file is uploaded a moment before its message.
    upload = number - (chance.randrange(400, 1500) << 22)
    url = f"https://cdn.discordapp.com/attachments/{channel.channel_id}/{upload}/{name}"
    seconds = timestamp_of(number) // 1000
    signature = chance.getrandbits(256)
    signed = f"{url}?ex={seconds + 86_400:x}&is={seconds:x}&hm={signature:064x}&"
    path = media_path(channel.media_folder, url, name)
    size = store(generation, path)
    return Attachment(signed if generation.fault == "expired_link" else path, name, size)


def _generation_message(
    generation: Generation, number: int, video: Attachment, chance: random.Random
) -> Message:
    reply = None
    if chance.random() < 0.35:
        # /create takes an image too; /animate must have one.
        is_text = generation.kind == "text_to_video"
        command = "create" if is_text or chance.random() < 0.3 else "animate"
        reply = Reply(generation.requester, f"used /{command}")
    return Message(
        number,
        PIKA,
        bot_text(generation),
        (video,),
        _reactions(chance, 0.2),
        reply,
        edited_ms=_edit(number, chance, 0.05),
        pinned=chance.random() < 0.02,
    )


def bot_text(generation: Generation, last_line: str = "") -> str:
    """Return the HTML of the bot's message in the generation's layout."""
    who = mention(generation.requester)
    bold = generation.layout == "old"
    prompt = "".join(
        marked(span.text, "text" if bold and span.mark == "strong" else span.mark, EMOJI)
        for span in generation.raw_spans
    )
    prompt += encode(generation.parameter_text())
    last = f"\n{encode(last_line)}" if last_line else ""
    if bold:
        return f"<strong>{prompt}</strong> - {who}{last}"
    label = "<strong>{}:</strong>" if generation.layout == "bold" else "{}:"
    parts = [f"{who} {label.format('Prompt')} {prompt}".rstrip()]
    if generation.kind == "image_to_video":
        parts.append(f"{label.format('Image')} 1 Attachment")
    if generation.hidden_message:
        parts.append(f"{label.format('Message')} {encode(generation.hidden_message)}")
    parts.append(f"{label.format('Author')} {who}{')' if generation.bracket else ''}")
    return ("  " if generation.layout == "one_line" else "\n").join(parts) + last


_CHATTER = {"chat": 0.42, "answer": 0.06, "share": 0.06, "quote": 0.03, "midjourney": 0.10}
_CHATTER |= {"notice": 0.06, "progress": 0.12, "moderated": 0.07, "failed": 0.03}
"""How often each kind of other message stands before a generation."""


def _other_message(
    kind: str,
    number: int,
    before: Sequence[Message],
    generations: Sequence[Generation],
    chance: random.Random,
) -> Message:
    """Return a message that is no generation."""
    user = chance.choice(USERS)
    host = f"https://cdn.discordapp.com/attachments/1/{number}"
    if kind == "notice":
        return Message(number, user, notice=chance.choice(_NOTICES))
    if kind == "midjourney":
        prompt = chance.choice(phrases("midjourney")[""])
        picture = Attachment(f"{host}/grid.png", "grid.png", 1_258_291, "image")
        text = f"<strong>{encode(prompt)}</strong> - {mention(user)} (fast)"
        return Message(number, MIDJOURNEY, text, (picture,), _reactions(chance, 0.3))
    if kind in _BOT_LINES:
        line = _BOT_LINES[kind].format(chance.randrange(5, 96))
        return Message(number, PIKA, bot_text(chance.choice(generations), line))
    text, files, reply = encode(chance.choice(phrases("chat")[""])), (), None
    if kind == "answer" and before:
        answered = chance.choice(before[-4:])
        quoted = answered.content or "<em>Click to see attachment</em>"
        reply = Reply(answered.author, quoted, answered.message_id)
    if kind == "share":
        files = (chance.choice(_shared_files(host)),)
    if kind == "quote":
        text = f"Prompt: {text} -motion 2\nImage: 1 Attachment"
        files = (_shared_files(host)[0],)
    return Message(
        number, user, text, files, _reactions(chance, 0.2), reply, _edit(number, chance, 0.08)
    )


_NOTICES = (
    ("join-icon", "joined the server."),
    ("join-icon", "joined the server."),
    ("pin-icon", "pinned a message to this channel."),
    ("thread-icon", "started a thread."),
)

_BOT_LINES = {
    "progress": "Generating… {}%",
    "moderated": "Sorry, this request was moderated.",
    "failed": "Something went wrong, please try again.",
}


def _shared_files(host: str) -> tuple[Attachment, ...]:
    return (
        Attachment(f"{host}/holiday_seed12.mp4", "holiday_seed12.mp4", 3_250_586),
        Attachment(f"{host}/sketch.png", "sketch.png", 482_344, "image"),
        Attachment(f"{host}/workflow.json", "workflow.json", 5_120, "generic"),
    )


def _reactions(chance: random.Random, share: float) -> tuple[tuple[str, str, int], ...]:
    if chance.random() >= share:
        return ()
    (sign,) = chance.sample(("❤️", "🔥"), 1)
    return ((sign, EMOJI[sign], chance.randrange(1, 9)),)


def _edit(number: int, chance: random.Random, share: float) -> int | None:
    if chance.random() >= share:
        return None
    return timestamp_of(number) + chance.randrange(5_000, 600_000)


def _times(count: int, chance: random.Random) -> Iterator[int]:
    """Yield rising times in ms: sessions spread over the paper's span, a few messages in each."""
    first, last = (round(day.timestamp() * 1000) for day in SPAN)
    times: list[int] = []
    while len(times) < count:
        start = chance.randrange(first, last)
        for _ in range(chance.randrange(2, 12)):
            start += round(8_000 + chance.expovariate(1 / 110_000))
            times.append(start)
    last = 0
    for time in sorted(chance.sample(times, count)):
        last = max(time, last + 1)  # two messages in one millisecond would sort by chance
        yield last
