"""Prompts made of what was left over in prompts released before come back as they were typed.

That is: entities, `Message: 1 Attachment`, emoji's tags, links, parameters. Each prompt is read
twice: in columns, as most messages are, and one by one.
"""

from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.schemas.curate import MESSAGES
from scripts.common.tables import read_table
from scripts.curate import extract_messages as module
from scripts.curate.extract_messages import extract_messages
from scripts.curate.pika_parameters import Parameters
from tests.curate.small_export import emoji, export, generation, mention, typed, used

EMOJI = ["😄", "❤️", "🐈‍⬛", "🇫🇷"]
LINKS = [
    "https://example.com/ref.png",
    "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2",
]
WORDS = [
    "a", "cat", "runs,", "it's", "<3", "&", '"talks"', "&amp;", "&lt;b&gt;", "&#39;", "&nbsp;", "&am",
    "niña", "Löwe", "一条龙", "девушка", "(best quality:1.2)", "100%", "—", "volumetric", "-5", "8k",
    "state-of-the-art", "zoom in", "camera pan left", "2-3", "\n", "  ", "𝓪𝓫", "1½", "x\u0301-y",
    "Image:", "Image: 1 Attachment", "Message: 1", "Message: 1 Attachment", "Author", "Author:",
    "Author: me", "Prompt:", "<b>bold</b>", "</div>", "</span></div>", "@somebody", "slow-motion 2",
    '<img class="emoji" alt="x">', "-motion blur", "- dog", "\x1f", "\u2028", "\u00a0",
]  # fmt: skip
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(EMOJI + LINKS),
    st.text(
        st.characters(
            codec="utf-8", exclude_categories=("C", "Pd", "Z"), exclude_characters="*_~|`@:"
        ),
        min_size=1,
        max_size=8,
    ),
)
NUMBERS = {
    "motion": st.integers(0, 4),
    "guidance_scale": st.sampled_from([8.0, 12.0, 15.5, 24.0]),
    "aspect_ratio": st.sampled_from(["16:9", "9:16", "1:1", "4:5"]),
    "fps": st.integers(8, 24),
    "seed": st.integers(0, 2**63 - 1),
}
OPTIONS = NUMBERS | {
    "camera": st.sampled_from([["zoom in"], ["rotate ccw"], ["pan up", "pan left"]]),
    "negative_prompt": st.sampled_from(["blurry, ugly", "low-res", "it's & <bad>"]),
}
NAMES = {"guidance_scale": "gs", "aspect_ratio": "ar", "negative_prompt": "neg"}
FORMS = ("lines", "one line", "bold labels", "in bold", "typed")


class Typed(NamedTuple):
    """What a user typed, and the form in which the bot shows it."""

    before: list[str]
    inside: dict[str, object]
    after: list[str]
    at_end: dict[str, object]
    dash: str
    form: str
    has_image: bool
    hidden: str
    command: str | None

    @property
    def prompt(self) -> str:
        return " ".join(" ".join(self.before + self.after).split())

    @property
    def is_ambiguous(self) -> bool:
        """Whether nobody could tell it from the bot's own words."""
        ends_as_field = self.prompt.endswith("1 Attachment") and not self.at_end
        return ends_as_field or (self.form == "in bold" and self.prompt.startswith("Prompt:"))


def spell(dash: str, options: dict[str, object]) -> list[str]:
    """Return options as they are typed; ``pan up`` and ``pan left`` are typed ``pan up left``."""
    return [
        f"{dash}{NAMES.get(name, name)} "
        + (" ".join(value).replace("up pan", "up") if name == "camera" else f"{value:g}"
           if isinstance(value, float) else str(value))
        for name, value in options.items()
    ]  # fmt: skip


def as_html(piece: str) -> str:
    if piece in EMOJI:
        return emoji(piece)
    return f'<a href="{typed(piece)}">{typed(piece)}</a>' if piece in LINKS else typed(piece)


def content(said: Typed) -> str:
    """Return the bot's message as the exporter writes it."""
    # With a space behind its dash an option is one only where another or nothing follows.
    inner_dash = said.dash.strip()
    pieces = [
        said.before,
        spell(inner_dash, said.inside),
        said.after,
        spell(said.dash, said.at_end),
    ]
    raw = said.form == "typed"
    text = " ".join(piece if raw else as_html(piece) for part in pieces for piece in part)
    label = "{}:"
    if said.form in ("bold labels", "typed"):
        label = "**{}:**" if raw else "<strong>{}:</strong>"
    who = "<@1>" if raw else mention("ann")
    if said.form == "in bold":
        return f"<strong>{text}</strong> - {who}"
    lines = [f"{who} {label.format('Prompt')} {text}"]
    lines += [f"{label.format('Image')} 1 Attachment"] if said.has_image else []
    lines += [f"{label.format('Message')} {said.hidden}"] if said.hidden else []
    lines += [f"{label.format('Author')} {who}"]
    return ("  " if said.form == "one line" else "\n").join(lines)


def expected(said: Typed) -> dict[str, object]:
    if said.form == "in bold":
        kind = "unknown"
    else:
        kind = "image_to_video" if said.has_image else "text_to_video"
    parameters = Parameters(**(said.inside | said.at_end))._asdict()
    parameters["other_parameters"] = parameters.pop("others")
    requester = "1" if said.form == "typed" else "ann"
    return {"prompt": said.prompt, "kind": kind, "requester": requester} | parameters


def options(values: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    return st.fixed_dictionaries({}, optional=values)


SAID = st.builds(
    Typed,
    before=st.lists(PIECES, max_size=8),
    inside=options(NUMBERS),
    after=st.lists(PIECES, max_size=4),
    at_end=options(OPTIONS),
    dash=st.sampled_from(["-", "--", "- ", "—"]),
    form=st.sampled_from(FORMS),
    has_image=st.booleans(),
    hidden=st.sampled_from(["", "", "1 Attachment", "Hello (Font: BAUHAUS)"]),
    command=st.sampled_from([None, "animate"]),
).filter(lambda said: not said.is_ambiguous)


def extract(folder: Path, document: str) -> list[dict]:
    path, kept = folder / "export.html", folder / "messages.parquet"
    path.write_text(document, encoding="utf-8", newline="")
    extract_messages(
        path, kept, folder / "rejects.parquet", folder / "state.parquet", bot_names=["Pika"]
    )
    return read_table(kept, MESSAGES).to_pylist()


def test_what_was_typed_comes_back(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")

    @settings(max_examples=40, deadline=None)
    @given(st.lists(SAID, min_size=1, max_size=12))
    def check(messages: list[Typed]) -> None:
        document = export(
            *[
                [generation(n, content(said), above=used("animate", "ann") if said.command else "")]
                for n, said in enumerate(messages)
            ]
        )
        in_columns = extract(folder, document)
        with patch.object(module, "match_usual", lambda _: None):
            one_by_one = extract(folder, document)
        for said, row, other in zip(messages, in_columns, one_by_one, strict=True):
            assert {name: row[name] for name in expected(said)} == expected(said)
            assert row == other
            assert row["command"] == said.command

    check()
