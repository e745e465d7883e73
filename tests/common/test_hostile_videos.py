"""Files that are called videos and reach out: nothing is opened but the bytes that are given."""

import io
import re
import socket
import threading
import time

import av
import numpy as np
import pytest

from scripts.common import video
from scripts.common.code import ROOT
from scripts.common.errors import Rejected
from scripts.common.video import encode_video, probe_video, read_frames, read_header

FRAMES = np.zeros((4, 16, 16, 3), np.uint8)


@pytest.fixture
def listener():
    """A socket on this machine: its port, and who connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []

        def listen():
            while True:
                try:
                    calls.append(server.accept()[0].recv(100))
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], calls


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{}/a.ts\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile tcp://127.0.0.1:{}\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="9">'
    "<BaseURL>http://127.0.0.1:{}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)


@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8", "a.mpd", None])
@pytest.mark.parametrize("text", [HLS, CONCAT, DASH, SDP], ids=["hls", "concat", "dash", "sdp"])
@pytest.mark.parametrize("look", [probe_video, read_header, read_frames])
def test_a_list_or_a_description_of_streams_asks_nobody(tmp_path, listener, text, name, look):
    port, calls = listener
    source = text.format(port).encode()
    if name is not None:
        (tmp_path / name).write_bytes(source)
        source = tmp_path / name
    started = time.perf_counter()
    with pytest.raises(Rejected, match="undecodable"):
        look(source)
    assert time.perf_counter() - started < 9  # it waited 20 s for what nobody sends
    assert calls == []


def test_a_description_of_a_stream_opens_no_socket():
    """FFmpeg waited 20 s at the port that such a file named."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1] & ~1
    looking = threading.Thread(target=rejected, args=[SDP.format(port).encode()])
    looking.start()
    looking.join(9)
    assert not looking.is_alive()


def rejected(source):
    with pytest.raises(Rejected, match="undecodable"):
        probe_video(source)


def test_a_list_of_files_does_not_show_what_lies_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.mp4").write_bytes(encode_video(FRAMES, 8))
    with pytest.raises(Rejected, match="undecodable"):
        probe_video(b"ffconcat version 1.0\nfile secret.mp4\n")


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "libx264"), ("mov", "libx264"), ("matroska", "libx264"), ("webm", "libvpx-vp9"),
     ("avi", "mpeg4"), ("mpegts", "libx264"), ("flv", "libx264"), ("asf", "mpeg4"), ("ogg", "theora")],
)  # fmt: skip
def test_wanted_containers_are_read_from_bytes_and_files(tmp_path, container, codec):
    target = io.BytesIO()
    try:
        with av.open(target, "w", format=container) as output:
            stream = output.add_stream(codec, rate=8)
            stream.width = stream.height = 16
            stream.pix_fmt = "yuv420p"
            for frame in FRAMES:
                output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            output.mux(stream.encode(None))
    except (av.FFmpegError, ValueError):
        pytest.skip(f"this FFmpeg cannot write {codec}")
    (tmp_path / "a").write_bytes(target.getvalue())
    assert probe_video(target.getvalue()) == probe_video(tmp_path / "a")
    assert probe_video(tmp_path / "a").frames == len(FRAMES)


def test_a_video_that_takes_too_long_is_left(monkeypatch):
    source = encode_video(FRAMES, 8)
    monkeypatch.setattr(video, "LONGEST_S", -1.0)
    monkeypatch.setattr(video.av, "open", lambda *a, timeout, **k: open_(*a, **k))
    with pytest.raises(Rejected, match="took more than"):
        probe_video(source)


open_ = av.open


def test_no_other_place_opens_a_video():
    """Released tars, outside sources and generated videos all come through here."""
    opens = re.compile(r"\bav\.open\(|VideoCapture|read_video\(|Video(?:Reader|Decoder)\(|ffmpeg")
    scripts = {path: path.read_text(encoding="utf-8") for path in ROOT.glob("scripts/**/*.py")}
    found = {
        path.relative_to(ROOT).as_posix() for path, text in scripts.items() if opens.search(text)
    }
    assert found == {"scripts/common/video.py"}
