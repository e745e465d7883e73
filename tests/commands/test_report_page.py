"""The report's page and its server: all is open at once, nothing is asked of other hosts."""

import json
import re
import threading
import urllib.error
import urllib.request

import pytest

from scripts.analyse.registry import RESULTS
from scripts.commands.report import make_report
from scripts.commands.report_page import write_page
from scripts.commands.show import serve
from scripts.common.code import ROOT
from scripts.common.study import STAGES

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def run(tmp_path):
    """A run that made Table 7 and Figure 4, and the record of a job."""
    settings = {"banner": f"made up {HOSTILE}", "top": 25}
    origin = {
        "settings": settings, "code": {"commit": "abc123", "dirty": True}, "seeds": {"seed": 77},
        "weights": {"clip": {"hub": HOSTILE}}, "inputs": {"results/summary.parquet": "f00d"},
    }  # fmt: skip
    for rule in ("build_table7", "plot_figure4", "account", "plot_topics"):
        result = RESULTS[rule]
        for file in result.files.values():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text("x")
        (tmp_path / result.provenance).write_text(json.dumps(origin))
    page = "<html><body><table><tr><td>0.976</td></tr></table><p>Note.</p></body></html>"
    (tmp_path / "results/tables/table7.html").write_text(page)
    account = f"# made up\nstep,kept\nextract_messages,12\n{HOSTILE},3\n"
    (tmp_path / "results/tables/funnel.csv").write_text(account)
    (tmp_path / "results/messages").mkdir()
    (tmp_path / "results/messages/names.parquet").write_text("names")
    record = {"rule": "score_videos", "script": "scripts/evaluate/score_videos.py", "seconds": 1.5}
    record |= {"inputs": ["videos.tar"], "outputs": ["scores.parquet"]}
    made = {"rule": "fetch_videos", "script": "scripts/curate/fetch_videos.py", "seconds": 2}
    made |= {"inputs": ["x.html"], "outputs": ["videos.tar"]}
    for name, one in {"score_videos/1": record, "score_videos/2": record, "fetch/1": made}.items():
        path = tmp_path / f"logs/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(one))
    (tmp_path / "benchmarks/score_videos").mkdir(parents=True)
    (tmp_path / "benchmarks/score_videos/1.jsonl").write_text('{"max_rss": 1234.5}\n')
    return tmp_path


def test_tables_and_figures_are_open_with_their_captions(run):
    text = write_page(run).read_text()
    assert "<td>0.976</td>" in text and "<p>Note.</p>" in text
    assert 'src="../figures/figure4.png"' in text and 'href="../figures/figure4.pdf"' in text
    assert "The 25 subjects" in text and "mean score of their videos" in text
    assert 'href="../tables/table7.provenance.json"' in text and "Table 5" not in text
    for address in re.findall(r'(?:src|href)="(\.\./[^"#]+)"', text):
        assert (run / "results/report" / address).exists(), address


def test_results_stand_in_their_categories_and_say_where_they_come_from(run):
    text = write_page(run).read_text()
    assert re.findall(r"<h2>(.*?)</h2>|<h3>(.*?)</h3>", text)[:8] == [
        ("Tables of the paper", ""), ("", "Table 7"), ("Figures of the paper", ""), ("", "Figure 4"),
        ("Tables beyond the paper", ""), ("", "Account of items"),
        ("Figures beyond the paper", ""), ("", "Subjects and directions"),
    ]  # fmt: skip
    assert '<td class="name">extract_messages</td><td class="name">12</td>' in text
    for cells in (("Code", "commit abc123, edited since"), ("Seed", "77"),
                  ("results/summary.parquet", "SHA-256 f00d")):  # fmt: skip
        assert "<tr>" + "".join(f'<td class="name">{cell}</td>' for cell in cells) in text
    assert 'loading="lazy"' not in text, "what is open is there before one scrolls to it"


def test_the_stages_stand_in_order_with_what_they_took_and_read(run):
    text = write_page(run).read_text()
    boxes = re.findall(r'<text [^>]*middle">(\w+)</text>', text)
    assert boxes == list(STAGES) and text.count("<path d=") == 1
    start, end = re.search(r'<path d="M(\d+) 150 C.* (\d+) 147"', text).groups()
    assert (int(start) // 110, int(end) // 110) == (
        STAGES.index("curate"),
        STAGES.index("evaluate"),
    )
    row = ("evaluate", "2 jobs, 3 s", "curate", "score_videos")
    assert "".join(f'<td class="name">{cell}</td>' for cell in row) in text
    took = ("evaluate", "score_videos", "2", "3", "1,234")
    assert "".join(f'<td class="name">{cell}</td>' for cell in took) in text


def test_texts_are_escaped_and_no_other_host_is_asked(run):
    text = write_page(run).read_text()
    assert HOSTILE not in text and "made up &lt;script&gt;" in text
    assert "default-src 'none'" in text
    assert not re.search(r'src="(?!\.\./)|@import|url\(', text)


def test_only_what_is_to_be_looked_at_is_served_and_to_this_machine(run):
    write_page(run)
    server = serve(run, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = f"http://127.0.0.1:{server.server_port}"
    try:
        assert server.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"{root}/report/") as answer:
            assert b"0.976" in answer.read()
        part = urllib.request.Request(f"{root}/tables/funnel.csv", headers={"Range": "bytes=2-5"})
        with urllib.request.urlopen(part) as answer:
            assert answer.status == 206 and answer.read() == b"made"
            assert answer.headers["Content-Range"].startswith("bytes 2-5/")
        for path in ("/messages/names.parquet", "/report/../messages/names.parquet", "/tables/",
                     "/report/%2e%2e/messages/names.parquet", "/", "/../logs/score_videos/1.json"):  # fmt: skip
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(root + path)
    finally:
        server.shutdown()
        server.server_close()


def test_every_result_has_a_caption_that_the_page_can_render():
    """Its template asks for nothing but the banner and the rule's own settings."""
    for result in RESULTS.values():
        text = (ROOT / "rules" / result.caption).read_text()
        assert set(re.findall(r"snakemake\.(\w+)", text)) <= {"config", "params"}
        assert set(re.findall(r'config\["(\w+)"\]', text)) <= {"banner"}


def test_the_last_lines_name_the_gallery_the_report_and_how_to_look_at_them(run, capsys):
    (run / "results/report.zip").write_text("newer than all tables")
    (run / "results/gallery").mkdir()
    (run / "results/gallery/index.html").write_text("x")
    assert make_report("profiles/demo", run) == 0
    last = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in last] == ["report:", "gallery:", "to"]
    for path in ("report/index.html", "gallery/index.html"):
        assert any(str(run / "results" / path) in line for line in last)
    assert "make show" in last[-1]
