"""What the Pika bot's messages say: text out of HTML, fields, parameters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.curate.message_text import LONGEST_TEXT, plain_text
from scripts.curate.pika_message import Generation, read_generation
from scripts.curate.pika_parameters import Parameters, split_parameters
from tests.curate.small_export import emoji, in_bold, mention, with_fields


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("it&#39;s &lt;3 &amp; &quot;fine&quot; ni&#241;a &#128512;", "it's <3 & \"fine\" niña 😀"),
        ("typed &amp;amp; stays", "typed &amp; stays"),
        (f"a{emoji('😄')} b {emoji('❤️', 'heart')}", "a😄 b ❤️"),
        ('<img class=chatlog__emoji alt=Wave title=Wave src=x.png>', "Wave"),
        ('see <a href="https://x.example/?a=1&amp;b=2">https://x.example/?a=1&amp;b=2</a>!',
         "see https://x.example/?a=1&b=2!"),
        ('<a href="https://x.example">masked <em>link</em></a>', "masked link"),
        ("<strong>a</strong><em>b</em> <u>c</u> <s>d</s> <code class=x>e  f</code>", "ab c d e f"),
        ('a <span class="chatlog__markdown-spoiler" onclick="showSpoiler(event, this)">b</span> c',
         "a b c"),
        ('<div class="chatlog__markdown-quote"><div class="chatlog__markdown-quote-border"></div>'
         '<div class="chatlog__markdown-quote-content">said</div></div>answered', "said answered"),
        ("<h1>Title</h1>text<br>line", "Title text line"),
        ("list<ul><li>one</li><li>two</li></ul>", "list one two"),
        ("a\n\n\tb\u00a0 c\u202fd", "a b c d"),
        ("~1960s look, 100% *real* 2 ** 3", "~1960s look, 100% *real* 2 ** 3"),
        (f"with {mention('secret.name', 'Secret')} in it", "with @user in it"),
        ('<span class="chatlog__markdown-mention">@everyone</span> in '
         '<span class="chatlog__markdown-mention">#general</span>', "@everyone in #general"),
        ("\x02forged\x03 \x04marks", "forged marks"),
        # --markdown false: as typed, and nothing is a tag
        ("<@1> a **bold** *cat* & <3 __u__ ~~s~~ ||x|| `c` snake_case_name &amp; <b>",
         "@user a bold cat & <3 u s x c snake_case_name &amp; <b>"),
        ("<@!1> <:Wave:22> <a:Run:33> <#44>", "@user Wave Run"),
        ("", ""),
    ],
)  # fmt: skip
def test_text_is_what_was_typed(content, text):
    assert plain_text(content) == text


CAT = "a cat"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (with_fields(CAT), (CAT, "image_to_video", "ann")),
        (with_fields(CAT, image=False), (CAT, "text_to_video", "ann")),
        (with_fields(CAT, one_line=True), (CAT, "image_to_video", "ann")),
        (with_fields(CAT, image=False, one_line=True), (CAT, "text_to_video", "ann")),
        (with_fields(CAT) + ")", (CAT, "image_to_video", "ann")),
        (with_fields(CAT) + "\nSorry, this request was moderated.", (CAT, "image_to_video", "ann")),
        (with_fields("a\nsecond line"), ("a second line", "image_to_video", "ann")),
        (with_fields(""), ("", "image_to_video", "ann")),
        (with_fields(" "), ("", "image_to_video", "ann")),
        (
            with_fields(CAT).replace("Prompt:", "<strong>Prompt:</strong>").replace(
                "Image:", "<strong>Image:</strong>"),
            (CAT, "image_to_video", "ann"),
        ),
        (in_bold(CAT), (CAT, "unknown", "ann")),
        (in_bold("  a  cat") + " (fast)", (CAT, "unknown", "ann")),
        (in_bold(CAT) + "\nImage: 1 Attachment", (CAT, "image_to_video", "ann")),
        (in_bold(""), ("", "unknown", "ann")),
        (" - " + mention("ann"), ("", "unknown", "ann")),
        ("<strong>a cat</strong>", (CAT, "unknown", None)),
        (f"{mention('ann')} <strong>a cat</strong>", (CAT, "unknown", "ann")),
        # the fields of /encrypt_text and /encrypt_image
        (f"Prompt: {CAT}  Message: Hello (Font: BAUHAUS)  Author: {mention('ann')}",
         (CAT, "text_to_video", "ann")),
        (f"Prompt: {CAT}\nImage: 1 Attachment\nMessage: 1 Attachment\nAuthor: {mention('ann')}",
         (CAT, "image_to_video", "ann")),
        (f"Prompt: {CAT}\nMessage: (: (Font: SANS SERIF)\nImage: 1 Attachment\nAuthor: {mention('ann')}",
         (CAT, "image_to_video", "ann")),
        # the words of a field in a prompt are the prompt's
        (with_fields("Image: a cat Message: hi Author: me, Prompt: x"),
         ("Image: a cat Message: hi Author: me, Prompt: x", "image_to_video", "ann")),
        (in_bold("Author: me - myself"), ("Author: me - myself", "unknown", "ann")),
        (with_fields(f"by {mention('bob')} - {mention('cy')}"),
         ("by @user - @user", "image_to_video", "ann")),
        # who asked may be unknown, or known by number only
        (f"Prompt: {CAT}\nAuthor: {mention('Unknown')}", (CAT, "text_to_video", None)),
        (f"{mention('ann')} Prompt: {CAT}\nAuthor:", (CAT, "text_to_video", "ann")),
        (f"Prompt: {CAT}", (CAT, "unknown", None)),
        (f"Prompt: {CAT} - {mention('ann')}", (CAT, "unknown", "ann")),
        ("<@12> **Prompt:** a cat\n**Image:** 1 Attachment\n**Author:** <@12>)",
         (CAT, "image_to_video", "12")),
        ("**a cat** - <@12>", (CAT, "unknown", "12")),
    ],
)  # fmt: skip
def test_the_known_forms_of_a_message(content, expected):
    found = read_generation(content)
    assert (found.prompt, found.kind, found.requester) == expected
    assert found.parameters == Parameters()


@pytest.mark.parametrize(
    "content",
    ["", "hello", f"hello {mention('ann')}", f"here it is - {mention('ann')}",
     "<strong>" + "x" * (LONGEST_TEXT + 1), "a <strong>b</strong>"],
)  # fmt: skip
def test_other_messages_describe_no_generation(content):
    assert read_generation(content) is None


@pytest.mark.parametrize(
    ("text", "prompt", "expected"),
    [
        ("a cat -motion 2 -gs 12 -ar 16:9 -fps 24 -seed 123 -camera zoom in -neg blurry, ugly", "a cat",
         {"motion": 2, "guidance_scale": 12.0, "aspect_ratio": "16:9", "fps": 24, "seed": 123,
          "camera": ["zoom in"], "negative_prompt": "blurry, ugly"}),
        ("a cat --motion 2 --ar 4:5", "a cat", {"motion": 2, "aspect_ratio": "4:5"}),
        ("a cat - motion 2 - neg blurry, ugly", "a cat",
         {"motion": 2, "negative_prompt": "blurry, ugly"}),
        ("a cat —motion 2 –gs 15.5", "a cat", {"motion": 2, "guidance_scale": 15.5}),
        ("-motion 2", "", {"motion": 2}),
        ("-motion 2 a cat -gs 8", "a cat", {"motion": 2, "guidance_scale": 8.0}),
        ("a cat -neg blurry -motion 0", "a cat", {"motion": 0, "negative_prompt": "blurry"}),
        ("a cat -neg a -neg b", "a cat", {"negative_prompt": "a, b"}),
        ("a cat -neg", "a cat", {}),
        ("a cat -neg well-lit, low-res - grainy", "a cat",
         {"negative_prompt": "well-lit, low-res - grainy"}),
        ("a cat -motion 1 -motion 3", "a cat", {"motion": 3}),
        ("a cat -MOTION 3 -AR 1:1 -Camera Zoom Out", "a cat",
         {"motion": 3, "aspect_ratio": "1:1", "camera": ["zoom out"]}),
        ("a cat -motion:2 -gs=8 -fps16", "a cat", {"motion": 2, "guidance_scale": 8.0, "fps": 16}),
        ("a cat, -motion 2, -gs 8, running", "a cat, running", {"motion": 2, "guidance_scale": 8.0}),
        ("a cat -ar 16 : 9", "a cat", {"aspect_ratio": "16:9"}),
        ("a cat -ar 1.85:1", "a cat", {"aspect_ratio": "1.85:1"}),
        ("a cat -camera pan up left", "a cat", {"camera": ["pan up", "pan left"]}),
        ("a cat -camera pan up, zoom in and rotate ccw", "a cat",
         {"camera": ["pan up", "zoom in", "rotate ccw"]}),
        ("a cat -camera zoom in -camera rotate counter-clockwise", "a cat",
         {"camera": ["zoom in", "rotate counter-clockwise"]}),
        ("a cat -seed 9223372036854775807", "a cat", {"seed": 2**63 - 1}),
        # what Pika does not know, or cannot be
        ("a cat --v 5 --size 100", "a cat", {"others": "--v 5 --size 100"}),
        ("a cat --style raw --no dogs, birds --niji 5", "a cat",
         {"others": "--style raw --no dogs, birds --niji 5"}),
        ("a cat -motion 1.5 -seed 9223372036854775808", "a cat",
         {"others": "-motion 1.5 -seed 9223372036854775808"}),
        # what only looks like a parameter
        ("a slow-motion 2 shot", "a slow-motion 2 shot", {}),
        ("a photo -motion blur", "a photo -motion blur", {}),
        ("a dog - camera orbit, -5 degrees", "a dog - camera orbit, -5 degrees", {}),
        ("a dog - motion 2 cars", "a dog - motion 2 cars", {}),
        ("the ship — motion 2", "the ship — motion 2", {}),
        ("camera zoom in, motion 3", "camera zoom in, motion 3", {}),
        ("state-of-the-art -artistic -camera -fps many", "state-of-the-art -artistic -camera -fps many", {}),
        ("version -v 5", "version -v 5", {}),
        ("https://x.example/a-motion-2 -motion 2", "https://x.example/a-motion-2", {"motion": 2}),
        ("a -motion 22kg cat", "a -motion 22kg cat", {}),
    ],
)  # fmt: skip
def test_parameters_are_parted_from_the_prompt(text, prompt, expected):
    assert split_parameters(text) == (prompt, Parameters(**expected))


def test_a_line_that_markdown_took_for_a_list_is_a_parameter_still():
    content = with_fields("a cat<ul><li>motion 2 - gs 8</li></ul>")
    expected = Parameters(motion=2, guidance_scale=8.0)
    assert read_generation(content) == Generation("a cat", "image_to_video", "ann", expected)


@given(st.text(max_size=300))
def test_nothing_that_a_content_holds_breaks_the_reader(content):
    for text in (content, f"Prompt:{content}", f"<strong>{content}", f"<@1>{content}"):
        found = read_generation(text)
        assert found is None or not re.search(r"\s\s|[\x02\x03\x04]", found.prompt)
