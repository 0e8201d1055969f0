"""What the tabs show, without any widget: texts that stay texts, drawings, rows, files, settings."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from netwright.graphs.config import Config, ConfigError
from netwright.graphs.turns import Message, Reply, Shown
from netwright.interfaces.campaign_process import CampaignState
from netwright.interfaces.web.tabs.explorer import ANY, looked
from netwright.interfaces.web.views import campaigns, explorer, talk
from netwright.interfaces.web.views.drawing import architecture
from netwright.interfaces.web.views.fields import FieldError, number, whole
from netwright.interfaces.web.views.figures import learning_curve, scatter
from netwright.interfaces.web.views.layers import read_layers
from netwright.interfaces.web.views.lineage import WIDEST, kin
from netwright.interfaces.web.views.text import coloured, difference, facts, plain, shown
from netwright.memory.descent import Ancestry
from netwright.memory.exploring import Line

NET = """
import torch.nn as nn

class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(c, c, 3), nn.BatchNorm2d(c))
        self.skip = nn.Identity() if c == 1 else nn.Conv2d(c, c, 1)

    def forward(self, x):
        return self.skip(x) + self.body(x)

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        layers = [nn.Conv2d(1, 8, 3)]
        for i in range(3):
            layers += [Block(8), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(8, out_shape[0])
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x):
        return self.head(self.features(x))

class Unused(nn.Module):
    pass
"""
EVIL = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![b](http://evil.example/c) <script>x</script>"


def test_markdown_keeps_its_marks_and_loses_html_pictures_and_links() -> None:
    made = shown(f"**bold** {EVIL}\n\n| a | b |\n\n`<b>` code\n```python\nx < 1\n{EVIL}\n```\nafter <i>")
    outside, _, rest = made.partition("```python")
    assert "**bold**" in made
    assert "| a | b |" in made
    assert "<img" not in outside
    assert "<script" not in outside
    assert "](" not in outside
    assert "`<b>`" in outside
    assert "x < 1" in rest  # the browser shows code as text already
    assert rest.rstrip().endswith("after &lt;i&gt;")


@pytest.mark.parametrize("text", ["```\n<script>", "~~~\n```\n<b>", "````\n```\n<b>"])
def test_a_fence_that_is_left_open_is_closed(text: str) -> None:
    made = shown(text).splitlines()
    assert made[-1] == made[0]


def test_plain_text_is_text() -> None:
    made = plain("# *x* | `y` <b>\nnext")
    assert "<b>" not in made
    assert "\n" not in made
    assert made.startswith("\\# \\*x\\*")
    assert "onerror" not in facts([("message", "<img onerror=1>"), ("none", None)]).replace("&lt;img onerror", "")


def test_differences_are_escaped() -> None:
    made = coloured(difference("a\n</pre><script>", "b\n</pre><script>", ("<old>", "new")))
    assert made.count("<pre") == made.count("</pre>") == 1
    assert "<script>" not in made
    assert "netwright-added" in made
    assert "netwright-gone" in made
    assert difference("a", "a", ("x", "y")) == "no difference"


def test_layers_are_read_in_the_order_of_the_text() -> None:
    net, block = read_layers(NET)
    assert (net.name, block.name) == ("Net", "Block")
    assert [part.kind for part in net.parts] == ["layer", "repeat", "layer"]
    assert net.parts[0].label == "Conv2d(1, 8, 3)"
    assert [one.name for one in net.parts[1].parts] == ["Block", "ReLU"]
    assert net.parts[2].label == "head: Linear(8, out_shape[0])"
    assert [part.kind for part in block.parts] == ["group", "group"]
    assert [one.kind for one in block.parts[1].parts] == ["either", "either"]
    assert block.forward == ("return self.skip(x) + self.body(x)",)


@pytest.mark.parametrize(
    "source",
    ["", "x = (", "class Net: pass", "(" * 5_000, "-" * 90_000 + "1", "class Net:\n def f(s): " + "a." * 9_000 + "b",
     "x = '\0'", "import os; os.abort()", "class Net:\n def __init__(self):\n  self.a = $Conv$({'x'})",
     "y" * 300_000],
)  # fmt: skip
def test_any_text_has_a_drawing(source: str) -> None:
    assert architecture(source).get_size_inches().tolist()


def test_drawings_of_large_and_strange_networks_have_an_end(tmp_path: Path) -> None:
    body = "\n".join(f"        self.a{n} = nn.Conv2d({n}, {n}, '$x^2$<b>')" for n in range(2_000))
    source = f"import torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n{body}\n"
    assert len(read_layers(source)[0].parts) == 200
    figure = architecture(source)
    assert figure.get_size_inches()[1] <= 40
    architecture(NET).savefig(tmp_path / "net.png")
    assert (tmp_path / "net.png").stat().st_size > 5_000


def test_curves_and_dots(tmp_path: Path) -> None:
    for figure in (learning_curve([0.2, 0.5]), learning_curve([]), scatter([(10, 0.5), (0, 0.1)], "parameters")):
        figure.savefig(tmp_path / "figure.png")
    assert scatter([], "FLOPs").texts


def test_lineage_goes_both_ways_and_has_an_end() -> None:
    def one(key: str, *parents: str) -> Ancestry:
        return Ancestry(key, f"llm-{key}", parents, ())

    many = [one(f"child{n:02}", "me") for n in range(WIDEST + 5)]
    found = kin([one("grand"), one("parent", "grand"), one("me", "parent", "lost"), *many, one("other")], "me")
    assert set(found.levels) == {-2, -1, 0, 1}
    assert set(found.levels[-1]) == {"parent", "lost"}
    assert "not on record" in found.levels[-1]["lost"]
    assert len(found.levels[1]) == WIDEST
    assert found.left_out == {1: 5}
    assert ("grand", "parent") in found.edges
    assert not any("other" in level for level in found.levels.values())


def line(name: str = "llm-1") -> Line:
    return Line("a" * 64, name, "llm-", "digits", True, 1234, None, 0.5, datetime(2026, 1, 2, tzinfo=UTC))


def test_rows_and_files_of_networks(tmp_path: Path) -> None:
    [row] = explorer.rows([line()])
    assert row[:6] == ["llm-1", "digits", "yes", "1,234", "–", "50.0 %"]
    assert len(row) == len(explorer.HEADERS)
    with explorer.write_csv([line("=SUM(A1)")], tmp_path).open(newline="") as file:
        header, written = csv.reader(file)
    assert header == list(Line._fields)
    assert written[1] == "'=SUM(A1)"
    table = pq.read_table(explorer.write_parquet([line(), line()], tmp_path))
    assert table.num_rows == 2
    assert table.column("params").to_pylist() == [1234, 1234]
    assert explorer.page_of(0, 5) == (1, 1)
    assert explorer.page_of(explorer.PAGE + 1, 9) == (2, 2)
    assert explorer.page_of(explorer.PAGE, -3) == (1, 1)


def test_filters_as_they_are_typed() -> None:
    made = looked("digits", ANY, ANY, "valid", None, "2k", "1,000,000", "80", "params", False)
    assert (made.dataset, made.origin, made.valid, made.sort) == ("digits", None, True, "params")
    assert (made.params_from, made.params_to, made.metric) == (2_000, 1_000_000, 0.8)


@pytest.mark.parametrize("text", ["many", "-3", "1e400", "nan", "12 apples"])
def test_fields_that_hold_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|from|read|range"):
        whole("Cycles", text)


def test_fields() -> None:
    assert number("Minutes", "") is None
    assert number("Minutes", "2.5") == 2.5
    assert whole("Cycles", " 12 ") == 12
    with pytest.raises(FieldError, match="whole number"):
        whole("Cycles", "2.5")
    with pytest.raises(FieldError, match="Metric"):
        number("Metric", "120", most=100)


def test_settings_of_a_new_campaign() -> None:
    wish = campaigns.Wish(pasted="campaign: {seed: 3}\nbudget: {cycles: 9}", dataset="digits", cycles=2, minutes=1.5)
    made = campaigns.settings(wish, Config())
    assert (made.campaign.seed, made.budget.cycles, made.budget.wall_s) == (3, 2, 90.0)
    assert campaigns.settings(campaigns.Wish(preset="paper-7b"), Config()).model.name != Config().model.name


@pytest.mark.parametrize(
    ("pasted", "error"),
    [
        ("- a\n- b", "must be a mapping"),
        ("a: [", "no YAML"),
        ("nothing: {known: 1}", "invalid configuration"),
        ("sandbox: {backend: process}", "no boundary"),
        ("sandbox: {backend: [bubblewrap, process]}", "process"),
        ("!!python/object/apply:os.system [id]", "no YAML"),
        ("campaign: {candidates: 0}", "candidates"),
    ],
)
def test_settings_that_are_refused(pasted: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        campaigns.settings(campaigns.Wish(pasted=pasted), Config())


@pytest.mark.parametrize("preset", ["../../etc/passwd", "nobody", "/etc/passwd"])
def test_presets_are_names(preset: str) -> None:
    with pytest.raises(ConfigError, match="no configuration is called"):
        campaigns.settings(campaigns.Wish(preset=preset), Config())


def test_ids_name_no_other_folder() -> None:
    assert campaigns.identifier("  ") is None
    assert campaigns.identifier("night-1") == "night-1"
    for bad in ("../x", "a/b", "-x", "x" * 65):
        with pytest.raises(FieldError):
            campaigns.identifier(bad)


def test_rows_and_log_of_a_campaign(netwright_home: Path) -> None:
    state = CampaignState("night", "running", True, 42, 3, 1_200, 1.6, None)
    assert campaigns.rows([state]) == [["night", "running", "pid 42", "3", "1,200", "2 s ago", ""]]
    assert campaigns.log_tail("night") == "no log yet"
    folder = netwright_home / "campaigns" / "night"
    folder.mkdir(parents=True)
    (folder / "process.log").write_bytes(b"x" * 100_000 + b"\n\x1b[31mred\x1b[0m \xff\nlast")
    told = campaigns.log_tail("night")
    assert told.endswith("last")
    assert "\x1b" not in told
    assert "red \ufffd" in told
    assert len(told) < 20_000


def one(n: int, **fields: object) -> Shown:
    same = {"candidate_id": f"{n:064}", "name": f"llm-{n}", "source": f"x = {n}", "stage": "backward", "params": 10}
    return Shown.model_validate({"n": n, **same, **fields})


def test_a_conversation() -> None:
    asked = Reply(
        kind="approval", text="Train?", shown=(one(1), one(2)), offers=("yes", "no"),
        approval={"step": "train", "why": "2 networks", "cost": "60 s"},
    )  # fmt: skip
    done = Reply(kind="answer", text=EVIL, shown=(one(2, metric=0.5), one(3, parent=2)), offers=tuple("abcdefgh"))
    history = [Message(role="person", text="<b>hello", at="t")]
    history.append(Message(role="netwright", text="Train?", reply=asked, at="t"))
    assert talk.standing(history) == talk.Standing("Train these networks? 2 networks: 60 s", ())
    assert talk.newest(history) == 1
    history += [Message(role="person", text="yes", at="t"), Message(role="netwright", text=EVIL, reply=done, at="t")]
    standing = talk.standing(history)
    assert (standing.approval, standing.offers) == (None, tuple("abcdef"))
    known = talk.candidates(history)
    assert [each.n for each in known] == [1, 2, 3]
    assert known[1].metric == 0.5
    assert talk.newest(history) == 2
    assert talk.choices(known)[1] == ("2: llm-2 · 10 parameters · 50.0 % accuracy", 2)
    assert talk.table(known)[2][-1] == 2
    assert "it varies" in talk.changes(known[2], known)
    assert "shown before it" in talk.changes(known[1], known)
    assert "Nothing to compare" in talk.changes(known[0], known)
    said = talk.messages(history, "more")
    assert [each["role"] for each in said] == ["user", "assistant", "user", "assistant", "user"]
    assert said[0]["content"] == "&lt;b&gt;hello"
    assert talk.messages([history[0]], "<b>hello") == said[:1]  # written down already, so not shown twice
    assert talk.standing([]) == talk.Standing(None, ())
