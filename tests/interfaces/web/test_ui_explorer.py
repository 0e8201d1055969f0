"""The explorer and the blocks in Chromium: filters, a network in full, its family, files out and in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from netwright.interfaces.web.settings import UPLOAD_BYTES
from netwright.memory.exploring import Looked, explore
from netwright.memory.records import Records
from netwright.memory.types import Candidate, Verdict
from netwright.tools.tasks import task

from .browser_parts import cell, download, field_of, shot, tab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(900)]


NET = """import torch.nn as nn

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear({width}, out_shape[0]))

    def forward(self, x):
        return self.body(x)
"""


def look(page: Any, text: str) -> None:
    field_of(page, "filter-text").fill(text)
    page.locator("#look").click()


def test_explorer(page: Any) -> None:
    tab(page, "Explorer")
    page.locator("#filter-from input, #filter-from textarea").first.fill("100")
    page.locator("#filter-metric input, #filter-metric textarea").first.fill("1")
    page.locator("#look").click()
    page.locator("#found").get_by_text("page 1 of").wait_for()
    page.locator("#networks .virtual-row").first.locator("[role=gridcell]").first.click()
    page.locator("#network-code").get_by_text("forward").first.wait_for()
    shot(page, "explorer")
    for name in ("Facts and verdict", "Architecture", "Lineage", "Against size"):
        tab(page.locator("#network-tabs"), name)
    page.locator("#by-params img").wait_for()
    shot(page, "explorer-size")


def test_export(page: Any) -> None:
    page.locator("#export-csv").click()
    page.locator("#export").get_by_text(".csv").first.wait_for()
    head, *lines = download(page, "export").read_text().splitlines()
    assert head.startswith("id,name,origin,dataset")
    assert lines
    assert all(",digits," in line for line in lines)
    page.locator("#export-parquet").click()
    page.locator("#export").get_by_text(".parquet").first.wait_for()
    table = pq.read_table(download(page, "export"))
    assert table.column_names == head.split(",")
    assert table.num_rows == len(lines)
    tab(page.locator("#network-tabs"), "Code")
    page.locator("#network-download").click()
    assert "class Net" in download(page, "network-file").read_text()


def test_filters_by_campaign_and_what_finds_nothing(page: Any) -> None:
    for name in ("from", "metric"):
        field_of(page, f"filter-{name}").fill("")
    look(page, "no-network-is-called-this")
    page.locator("#found").get_by_text("take filters away").wait_for()
    shot(page, "explorer-nothing")
    look(page, "")
    page.locator("#found").get_by_text("page 1 of").wait_for()
    page.locator("#filter-campaign input").click()
    page.get_by_role("option", name="night-ui").click()  # began after this page was loaded
    page.locator("#found").get_by_text("page 1 of").wait_for()
    page.locator("#filter-campaign input").click()
    page.get_by_role("option", name="any", exact=True).click()


def test_lineage(home: Path, page: Any) -> None:
    parents: tuple[str, ...] = ()
    with Records(f"sqlite:///{home / 'records.db'}") as records:
        for width in (64, 65, 66):
            made = Candidate(source=NET.format(width=width), origin="hand-", parents=parents)
            parents = (records.add_candidate(made),)
            records.put_verdict(parents[0], task("digits").id, Verdict(ok=True, stage="backward", params=width))
    look(page, "hand-")
    page.locator("#found").get_by_text("3 found").wait_for()
    cell(page, "networks", "hand-", 0, "hand-.*").click()
    page.locator("#network-code").get_by_text("Flatten").wait_for()
    tab(page, "Lineage")
    page.locator("#network-lineage img").wait_for()
    page.wait_for_timeout(500)
    box = page.locator("#network-lineage img").bounding_box()
    assert box["width"] > 400  # three generations side by side
    shot(page, "explorer-lineage")


def test_uploads(home: Path, page: Any, tmp_path: Path) -> None:
    trace, large, hostile, good = (tmp_path / name for name in ("trace", "large.py", "hostile.py", "good.py"))
    large.write_text("#" * (UPLOAD_BYTES + 1))
    hostile.write_text(f"open({str(trace)!r}, 'w').write('x')\n{NET.format(width=64)}")
    with Records(f"sqlite:///{home / 'records.db'}") as records:
        best = explore(records, Looked(dataset="digits", metric=0.01), limit=1).lines[0].id
        known = records.get_candidate(best)
    assert known is not None
    good.write_text(known.source)
    page.get_by_role("button", name="Validate a file").click()
    page.locator("#upload-dataset input").click()
    page.get_by_role("option", name="digits", exact=True).click()
    file = page.locator("#upload input[type=file]")
    file.set_input_files(large)
    page.get_by_text("maximum allowed size").first.wait_for()
    page.locator("#filter-dataset").scroll_into_view_if_needed()
    shot(page, "upload-too-large")
    page.locator("#validate").click()
    page.get_by_text("choose a file first").wait_for()
    file.set_input_files(hostile)
    page.locator("#upload").get_by_text("hostile").first.wait_for()
    page.locator("#validate").click()
    page.locator("#verdict").get_by_text("verdict").wait_for()
    shot(page, "upload")
    assert not trace.exists()
    page.locator("#upload .icon-button-wrapper [aria-label=Clear]").click()
    file.set_input_files(good)
    page.locator("#upload").get_by_text("good").first.wait_for()
    page.locator("#validate").click()
    page.locator("#verdict").get_by_text("ok", exact=True).wait_for()


def test_blocks(page: Any) -> None:
    tab(page, "Blocks")
    page.locator("#blocks-text input, #blocks-text textarea").first.fill("squeeze and excitation")
    page.locator("#blocks-go").click()
    page.locator("#blocks .virtual-row").first.locator("[role=gridcell]").first.click()
    page.locator("#block-code").get_by_text("class").first.wait_for()
    page.locator("#block-facts").get_by_text("licence").wait_for()
    shot(page, "blocks")
