"""Take the site's pictures: each page on a desktop, on a phone and dark. ``python shoot.py build/site``."""

from __future__ import annotations

import argparse
import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
VIEWS = {"desktop": (1280, 900, "light"), "phone": (390, 844, "light"), "dark": (1280, 900, "dark")}
NAMES = ("chromium", "chromium-browser", "google-chrome")


def pages(dataset: str, backbone: str, method: str) -> dict[str, str]:
    """Return the address of each page by the name of its picture."""
    folder = f"{dataset}/{backbone}"
    return {
        "overview": f"index.html#dataset={dataset}&goal=smallest&retained=95",
        "dataset": f"dataset/{dataset}.html",
        "backbone": f"backbone/{backbone}.html",
        "method": f"method/{method}.html",
        "run": f"run.html#run={folder}/{method}/1-4",
        "compare": f"compare.html#runs={folder}/{method}/1-8,{folder}/water_filling/1-8,{folder}/deep_compression/1-8",
        "findings": "findings.html",
        "history": "history.html",
        "rules": "rules.html",
        "submit": "submit.html",
    }


def shoot(browser: Browser, site: Path, addresses: dict[str, str]) -> None:
    """Write one picture a page and view beside this file."""
    for view, (width, height, scheme) in VIEWS.items():
        with browser.new_context(viewport={"width": width, "height": height}) as context:
            page = context.new_page()
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            for name, address in addresses.items():
                page.goto("about:blank")
                page.goto(f"{site.resolve().as_uri()}/{address}")
                page.wait_for_timeout(1200)  # charts and records are drawn after the page
                taken = Image.open(io.BytesIO(page.screenshot()))
                # A palette halves the bytes. It covers all hues: the few pixels of a mark keep their colour.
                small = taken.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
                small.save(HERE / f"{name}-{view}.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--backbone", default="lightgcn")
    parser.add_argument("--method", default="uniform")
    arguments = parser.parse_args()
    chromium = os.environ.get("RECPRESS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        shoot(
            started,
            arguments.site,
            pages(arguments.dataset, arguments.backbone, arguments.method),
        )
        started.close()
