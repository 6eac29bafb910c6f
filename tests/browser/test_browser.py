"""Pages in headless Chromium: at 360 px, in the dark, and on paper."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
PAGES = ("clinic", "review")


def run(browser: str, folder: Path, *arguments: str) -> str:
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


MEASURE = """
<script>
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), inner = frame.contentDocument;
  const root = inner.documentElement, out = [];
  out.push("scroll=" + root.scrollWidth, "client=" + root.clientWidth);
  const small = [...inner.querySelectorAll("p,li,td,th,dd,figcaption")]
    .map(e => parseFloat(frame.contentWindow.getComputedStyle(e).fontSize));
  out.push("smallest=" + Math.min(...small));
  document.title = out.join(" ");
  const p = document.createElement("p"); p.id = "measured"; p.textContent = out.join(" ");
  document.body.append(p);
});
</script>
"""


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways_or_shrinks_its_text(
    browser: str, pages: dict[str, Path], tmp_path: Path, name: str, width: int
) -> None:
    # Headless windows are no narrower than 500 px, so the page stands in a frame.
    frame = tmp_path / "frame.html"
    shutil.copyfile(pages[name], tmp_path / "page.html")
    frame.write_text(
        f'<body style="margin:0"><iframe src="page.html" style="width:{width}px;'
        f'height:900px;border:0"></iframe>{MEASURE}</body>',
        encoding="utf-8",
    )
    dom = run(
        browser,
        tmp_path,
        "--allow-file-access-from-files",
        "--dump-dom",
        f"--window-size={width + 100},1000",
        frame.as_uri(),
    )
    found = re.search(r"scroll=(\d+) client=(\d+) smallest=([\d.]+)", dom)
    assert found is not None, dom[-500:]
    scroll, client, smallest = (float(x) for x in found.groups())
    assert client == width
    assert scroll <= client
    assert smallest >= 12


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_the_page_is_whole(
    browser: str, pages: dict[str, Path], tmp_path: Path, name: str
) -> None:
    if shutil.which("pdftotext") is None:
        if os.environ.get("CI"):
            pytest.fail("pdftotext is not here")
        pytest.skip("SKIPPED LOUDLY: pdftotext is not here")
    target = tmp_path / "page.pdf"
    run(
        browser,
        tmp_path,
        f"--print-to-pdf={target}",
        "--no-pdf-header-footer",
        pages[name].as_uri(),
    )
    text = subprocess.run(
        ["pdftotext", "-layout", str(target), "-"], capture_output=True, text=True, check=True
    ).stdout
    plain = re.sub(r"\s+", " ", text)
    if name == "clinic":
        assert "SYNTHETIC" in plain
        assert "75 of 120 people who started" in plain
        assert "Definitions and methods" in plain
        # The row of the table of harms; what wraps in its cells follows.
        assert re.search(r"sessions followed by \d+ \d+ [\d.]+ \(95 % CI", plain)
        assert "People, all other outcomes and comparisons" not in plain  # folded: not printed
        assert "Download these rows" not in plain and "Open all sections" not in plain
        assert "On paper, longer tables are left out." in plain
        inside, wanted = "What patients are told", 2
    else:
        assert "Does the published number reproduce?" in plain
        inside = "Models: Acupuncture v sham acupuncture"
        wanted = 1
    # Once as the name of a closed part of the page, once as the caption inside it.
    assert plain.count(inside) >= wanted
    sizes = subprocess.run(
        ["pdfinfo", str(target)], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"Page size: +59[45]\.\S* x 84[12]", sizes)


def test_in_the_dark_the_page_is_dark(browser: str, pages: dict[str, Path], tmp_path: Path) -> None:
    from matplotlib.image import imread

    brightness = {}
    for mode, flags in (
        ("light", []),
        ("dark", ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]),
    ):
        shot = tmp_path / f"{mode}.png"
        run(
            browser,
            tmp_path / mode,
            *flags,
            f"--screenshot={shot}",
            "--window-size=900,700",
            pages["clinic"].as_uri(),
        )
        brightness[mode] = float(imread(shot)[:60, :, :3].mean())
    assert brightness["light"] > 0.8
    assert brightness["dark"] < 0.4
