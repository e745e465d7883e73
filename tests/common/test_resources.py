import re

from scripts.common.code import ROOT
from scripts.common.resources import more


def test_each_attempt_gets_twice_what_the_last_one_had():
    assert [more(1000)(None, attempt) for attempt in (1, 2, 3)] == [1000, 2000, 4000]
    assert more(lambda shard: 10 * shard)(7, 2) == 140


def test_every_rule_asks_for_more_memory_and_time_when_it_is_sent_again():
    for file in (ROOT / "rules").glob("*.smk"):
        for line in file.read_text().splitlines():
            assert re.match(r"\s+(mem_mb|runtime)=(?!more\()", line) is None, (file.name, line)
