"""The gallery's pages in a real browser: opened from disk, and from the server of 'make show'."""

import contextlib
import shutil
import threading
import unicodedata
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.commands.report_page import write_page
from scripts.commands.show import serve
from scripts.common.identity import prompt_uuid
from scripts.publish.gallery.data_files import words
from tests.commands.test_report_page import run  # noqa: F401
from tests.publish.made_up_gallery import CATS, DRAGON, HOSTILE, TEXTS, UNSAFE, make_gallery

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium or google-chrome is installed")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return make_gallery(tmp_path_factory.mktemp("run") / "results")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, request):
    """A page that notes what it asks for, and what goes wrong in it."""
    more = getattr(request, "param", {})
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **more)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda fault: page.faults.append(str(fault)))
    yield page
    assert not page.faults
    assert page.evaluate("window.hacked") is None
    context.close()


def until(page, expression):
    """Wait until an expression is true; the pages' policy lets playwright's own way not in."""
    from playwright.sync_api import Error

    for _ in range(500):
        with contextlib.suppress(Error):  # it is on its way to another page
            if page.evaluate(expression):
                return
        page.wait_for_timeout(20)
    raise AssertionError(f"never true: {expression}")


def open_page(page, root, name):
    page.goto(f"{root}/{name}")
    if "index" in name:
        until(page, "document.getElementById('facts').textContent")
    elif "search" in name:
        until(page, "document.body.dataset.shown")
    elif UUIDS["hidden"] not in name:
        until(page, "document.body.dataset.shown || document.querySelector('[role=alert]')")


def find(page, **query):
    """Return the texts that a search finds, by its address as the form sets it."""
    before = page.evaluate("document.body.dataset.shown")
    page.evaluate("query => { location.hash = new URLSearchParams(query); }", query)
    until(page, f"document.body.dataset.shown !== {before!r}")
    while page.is_visible("#more"):
        number = page.locator("#found li").count()
        page.click("#more")
        until(page, f"document.querySelectorAll('#found li').length > {number}")
    return set(page.locator("#found a").all_inner_texts())


def axe(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


UUIDS = {"dragon": prompt_uuid(DRAGON), "hidden": prompt_uuid(UNSAFE), "cats": prompt_uuid(CATS)}


@pytest.mark.parametrize(
    "name",
    ["index.html", "search.html", *(f"prompt.html#{UUIDS[one]}" for one in ("dragon", "hidden"))],
)
def test_a_page_from_disk_is_accessible_and_asks_nobody_else(page, gallery, name):
    open_page(page, gallery.as_uri(), name)
    assert all(url.startswith((gallery.as_uri(), "data:")) for url in page.asked)
    assert any("data/" in url for url in page.asked)
    assert axe(page) == []


@pytest.mark.parametrize("page", [{"bypass_csp": True}], indirect=True)
def test_hostile_prompts_are_text_wherever_they_are_shown(page, gallery):
    """Even where the pages' policy would not stop them."""
    open_page(page, gallery.as_uri(), "search.html")
    page.check("#unsafe")
    assert set(HOSTILE) <= find(page, words="moon")
    planted = "main script, main svg, main i, main [onerror], main [onload], main img[src=x]"
    assert page.locator(planted).count() == 0
    for text in HOSTILE:
        open_page(page, gallery.as_uri(), "index.html")
        open_page(page, gallery.as_uri(), f"prompt.html#{prompt_uuid(text)}")
        assert page.text_content("#text") == text
        assert page.locator(planted).count() == 0
    page.goto(f"{gallery.as_uri()}/search.html#subject=<img src=x onerror=window.hacked=6>")
    until(page, "document.body.dataset.shown")


def test_searches_find_what_has_all_that_is_asked_for(page, gallery):
    open_page(page, gallery.as_uri(), "search.html")
    page.check("#unsafe")
    astronauts = {"an astronaut waves", "astronauts walk on the moon"}
    moons = {text for text in TEXTS if "moon" in words(text)}
    assert find(page, words="ASTRO*") == astronauts
    assert find(page, words="astronaut") == {"an astronaut waves"}
    assert find(page, words="the Moon walk") == {"astronauts walk on the moon"}
    assert find(page, words="猫") == {"月と猫 on the moon"} == find(page, words="と月")
    assert find(page, words="луна") == {"ЛУНА над морем"}
    assert find(page, words="moon") == moons and len(moons) == 7
    assert find(page, words="da*") == set(), "dates are no words"
    assert find(page, subject="cats") == {CATS}
    assert find(page, direction="wave", words="astronauts") == {"astronauts walk on the moon"}
    assert find(page, camera="zoom in") == find(page, motion="3") == {DRAGON}
    assert find(page, guidance_scale="12", fooled="phash") == {DRAGON}
    assert find(page, fooled="spectrum", words="cats") == set()
    assert find(page, negative="ugly") == {CATS}
    assert find(page, videos="all", words="dragon") == {DRAGON}
    assert find(page, videos="sway", words="astronaut") == set()
    days = {text for number, text in enumerate(TEXTS) if 3 <= 1 + number % 28 <= 5}
    assert find(page, **{"from": "2024-01-03", "to": "2024-01-05"}) == days
    assert find(page, all="") == set(TEXTS)
    assert page.text_content("#count") == f"{len(TEXTS)} prompts found"


def known(letter):
    """Return whether Python knows a letter: a browser may know some that were added later."""
    return unicodedata.category(letter) != "Cn"


def test_words_are_those_of_python(page, gallery):
    open_page(page, gallery.as_uri(), "search.html")
    texts = [
        *TEXTS,
        "ＡＢＣ ①², ½ ǅungla İstanbul STRASSE ß",
        "नमस्ते دنیا",
        "can't_stop e\u0301 ﬁ",
        "한국어 カタカナ㍿",
    ]
    texts += [
        "".join(filter(known, map(chr, range(start, start + 256))))
        for start in range(0, 0x3400, 256)
    ]
    assert page.evaluate("texts => texts.map((text) => wordsOf(text))", texts) == list(
        map(words, texts)
    )


def test_a_prompt_is_found_by_keyboard_and_its_uuid_is_copied(page, gallery):
    open_page(page, gallery.as_uri(), "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    while page.evaluate("document.activeElement.id") != "words":
        page.keyboard.press("Tab")
    page.keyboard.type("dragon")
    page.keyboard.press("Enter")
    until(page, "document.body.dataset.shown")
    assert (
        page.text_content("#count") == "1 prompt found" and page.input_value("#words") == "dragon"
    )
    while (
        page.evaluate("document.activeElement.tagName + document.activeElement.textContent")
        != f"A{DRAGON}"
    ):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/prompt.html#*")
    until(page, "document.body.dataset.shown")
    assert page.text_content("#uuid") == UUIDS["dragon"]
    page.focus("#copy")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('copied').textContent")
    assert page.evaluate("navigator.clipboard.readText()") == UUIDS["dragon"]
    rows = page.locator("#scores tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        ["Generator", "Motion", "Spectrum", "VideoMAE", "Perceptual hash"],
        ["Pika", "0.250", "0.510", "0.500", "0.900"],
        ["Sway <b>", "0.250", "0.500 fooled", "0.300 fooled", "0.900 fooled"],
    ]
    assert page.locator("#nearest a").first.inner_text() == CATS
    assert "zoom in" in page.inner_text("#fields") and "Motion (-motion)" in page.inner_text(
        "#fields"
    )


def test_videos_play_in_step_and_end_where_they_end(page, gallery):
    open_page(page, gallery.as_uri(), f"prompt.html#{UUIDS['dragon']}")
    until(
        page, "[...document.querySelectorAll('video')].filter(v => v.readyState > 3).length === 2"
    )
    times = "[...document.querySelectorAll('video')].map((video) => video.currentTime)"
    page.fill("#time", "0.5")
    until(page, f"{times}.every((time) => time === 0.5)")
    page.click("#play")
    until(page, f"{times}[1] > 0.6")
    one, other = page.evaluate(times)
    assert abs(one - min(other, 1)) < 0.15
    page.click("#play")
    page.wait_for_timeout(50)
    one, other = page.evaluate(times)
    assert one == pytest.approx(min(other, 1), abs=0.01)
    page.fill("#time", "1.5")
    until(page, f"{times}[1] === 1.5")
    assert page.evaluate(times)[0] == pytest.approx(1, abs=0.01), "the shorter stays at its end"
    page.select_option("#speed", "0.25")
    assert (
        page.evaluate("[...document.querySelectorAll('video')].map((v) => v.playbackRate)")
        == [0.25] * 2
    )


def test_what_is_unsafe_is_hidden_until_it_is_asked_for(page, gallery):
    open_page(page, gallery.as_uri(), "search.html")
    found = find(page, words="naked")
    assert found == {f"Prompt {UUIDS['hidden'][:8]}"} and page.locator("#found img").count() == 0
    page.check("#unsafe")
    page.wait_for_selector("#found img")
    open_page(page, gallery.as_uri(), "index.html")
    open_page(page, gallery.as_uri(), f"prompt.html#{UUIDS['hidden']}")
    page.wait_for_selector("#unsafe-note", state="visible")
    assert "naked" not in page.inner_text("body") and "naked" not in page.title()
    assert page.locator("main img, main video").count() == 0 and page.is_hidden("#shown")
    page.focus("#reveal")
    page.keyboard.press("Enter")
    page.wait_for_selector("#media video")
    assert page.text_content("#text") == UNSAFE and page.is_hidden("#unsafe-note")


def test_a_uuid_leads_to_its_prompt_and_an_unknown_one_is_named(page, gallery):
    for number, text in enumerate(TEXTS[:60:10]):  # over both shards, and borders of files
        uuid = prompt_uuid(text)
        page.goto("about:blank")
        page.goto(f"{gallery.as_uri()}/prompt.html#{uuid}")
        until(page, f"document.getElementById('uuid').textContent === '{uuid}'")
        assert text in (UNSAFE, TEXTS[20]) or page.text_content("#text") == text, number
    open_page(page, gallery.as_uri(), "search.html")
    page.fill("#words", UUIDS["cats"].upper())
    page.press("#words", "Enter")
    page.wait_for_url(f"**/prompt.html#{UUIDS['cats']}")
    for unknown in ("0" * 8 + UUIDS["cats"][8:], "../x"):
        page.goto("about:blank")
        page.goto(f"{gallery.as_uri()}/prompt.html#{unknown}")
        page.wait_for_selector("text=No prompt has this UUID.")


def test_a_video_in_a_tar_needs_a_server_that_gives_parts(page, tmp_path):
    results = make_gallery(tmp_path / "results", copied=0).parent
    name = f"gallery/prompt.html#{UUIDS['dragon']}"
    open_page(page, results.as_uri(), name)
    assert page.inner_text("#media").count("no part: open the gallery with make show") == 2
    plain = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(results))
    )
    for server, videos in ((plain, 0), (serve(tmp_path, 0), 2)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        open_page(page, f"http://127.0.0.1:{server.server_port}", name)
        assert page.locator("video").count() == videos
        if videos:
            until(page, "[...document.querySelectorAll('video')].every(v => v.duration > 0.9)")
        else:
            assert page.inner_text("#media").count("gives no part") == 2
        server.shutdown()
        server.server_close()


def test_the_report_is_accessible_and_asks_nobody_else(page, run):  # noqa: F811
    page.goto(write_page(run).as_uri())
    assert all(url.startswith(run.as_uri()) for url in page.asked) and len(page.asked) > 2
    assert axe(page) == []
