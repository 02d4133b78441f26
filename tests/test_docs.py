"""Every link in every document leads somewhere: file, image, anchor. Addresses elsewhere are at least well-formed."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for path in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("resources/**/*.md"))
)

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_DEFINITION = re.compile(r"^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    dead = [link for link in links(CHECKOUT / document) if not leads_somewhere(CHECKOUT / document, link)]
    assert dead == []


def test_every_document_that_code_names_is_there() -> None:
    folders = ("smis_desktop", "scripts", "setup", "tests")
    named = {
        (path.relative_to(CHECKOUT).as_posix(), document)
        for folder in folders
        for path in (CHECKOUT / folder).rglob("*.py")
        for document in re.findall(r"\bdocs/[\w./-]+\.(?:md|svg|png|jpg)", path.read_text(encoding="utf-8"))
    }
    assert {(path, document) for path, document in named if not (CHECKOUT / document).exists()} == set()


PRESENT = [name for name in DOCUMENTS if not name.startswith(("docs/experiments/", "docs/guide/", "CHANGELOG"))]
"""Documents that speak of the code as it is now."""


@pytest.mark.parametrize("document", PRESENT)
def test_every_module_that_a_document_names_is_there(document: str) -> None:
    paths = {"/" + path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.glob("[!.]*/**/*.py")}
    text = _FENCE.sub("", (CHECKOUT / document).read_text(encoding="utf-8"))
    named = {name for name in re.findall(r"`([\w/]+\.py)`", text) if "NAME" not in name}
    assert {name for name in named if not any(path.endswith(f"/{name}") for path in paths)} == set()


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One *two*, `three`\n\n## One two three\n\n```sh\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#one-two-three) [b2](there.md#one-two-three_1) [c](#here) ![d](gone.png)\n"
        "[e](there.md#no-heading) [f](gone.md) [g](https://) [h](https://example.org/x) `[i](code.md)`\n\n"
        "## Here\n\n```\n[j](fenced.md)\n```\n[k]: also-gone.md\n"
    )
    dead = [link for link in links(page) if not leads_somewhere(page, link)]
    assert dead == ["gone.png", "there.md#no-heading", "gone.md", "https://", "also-gone.md"]


def links(document: Path) -> list[str]:
    """Targets of links and images, in order, those in code left out."""
    text = _CODE.sub("", _FENCE.sub("", document.read_text(encoding="utf-8")))
    return [*_LINK.findall(text), *_DEFINITION.findall(text)]


def leads_somewhere(document: Path, link: str) -> bool:
    """Whether the file is there and has the anchor. Of an address elsewhere: whether it has a host."""
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme in ("https", "http") and "." in parts.netloc
    target = (document.parent / unquote(parts.path)).resolve() if parts.path else document
    if not target.exists():
        return False
    return not parts.fragment or (target.suffix == ".md" and parts.fragment in anchors(target))


@cache
def anchors(document: Path) -> frozenset[str]:
    """Of a document's headings: lower case, hyphens for spaces, nothing else but letters, numbers, `-` and `_`."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", document.read_text(encoding="utf-8"))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
        number, unique = 0, anchor
        while unique in found:
            number += 1
            unique = f"{anchor}_{number}"
        found.add(unique)
    return frozenset(found)
