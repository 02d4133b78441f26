"""Makes docs/performance.md and its plot from what `smis bench --json --paint --app --cold --ranks 2` printed.

Run: python scripts/write_performance_page.py [--note WORDS] BENCH.json [FURTHER.json …]; further files of the same
machine fill in what the first has not measured.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from smis_desktop.evaluation.charts import Mark, bar_chart
from smis_desktop.resources import resources_folder

DOCS = resources_folder().parent / "docs"
FIGURES = {
    "encoder": "encoder",
    "generator_256": "generator, 256²",
    "generator_1024": "generator, 1024²",
    "request_256": "layout to picture, 256²",
    "request_1024": "layout to picture, 1024²",
    "restyled_256": "another style, 256²",
    "repaint_256": "draft of a repainted place, 256²",
    "repaint_256_over_100": "the same over 100 others",
    "refine_step": "a refinement step",
    "refine_step_in_patch": "a refinement step in one place",
    "refine_step_in_regions": "a refinement step with a latent for each region",
    "refine_first_look": "refinement at rest: first look",
    "refine_at_rest": "refinement at rest: whole solve",
    "peer_1024": "the peer, 1024²",
    "limit_1024": "arithmetic limit, 1024²",
    "stroke": "stroke: event to colours",
    "event_to_canvas": "event to painted canvas",
    "event_to_preview": "event to changed preview",
    "event_to_repainted": "event to a picture repainted there",
}
GOALS: dict[str, tuple[str, float]] = {
    "generator_1024 / peer_1024": ("at most", 0.75),
    "generator_1024 / limit_1024": ("at most", 1.6),
    "request_256 / peer_1024": ("at most", 0.30),
    "repaint_256_over_100 / repaint_256": ("at most", 1.15),
    "refine_step_in_patch / refine_step": ("at most", 1.3),
    "event to changed preview, median ms": ("at most", 120.0),
    "event to painted canvas, p99 ms": ("at most", 33.0),
    "pictures a second while a style fader is drawn": ("at least", 15.0),
    "training samples a second, encoder steps included": ("at least", 45.0),
    "a refinement step, median ms": ("at most", 60.0),
    "refinement at rest, median ms": ("at most", 3000.0),
    "mean PSNR at 256², dB": ("at least", 30.0),
    "worst PSNR at 1024², dB": ("at least", 45.0),
    "first picture after the start, s": ("at most", 6.0),
    "first picture with nothing prepared, s": ("at most", 20.0),
    "at rest, per cent of a core": ("at most", 1.0),
    "memory, MiB": ("at most", 1536.0),
    "training by two processes / by one": ("at least", 1.0),
}

_NO_CARD = """
No graphics card could be had for these figures, and none has run the code for them: CUDA graphs (`torch-graphs`),
training on CUDA, Apple's cards. Their logic is tested on the processor, the rest by `pytest --gpu` where there is one.
"""


def main(sources: list[Path], note: str) -> None:
    facts: dict[str, Any] = {}
    for source in sources:
        facts = {**json.loads(source.read_text(encoding="utf-8")), **facts}
    (DOCS / "images" / "performance.svg").write_text(_plot(facts), encoding="utf-8")
    (DOCS / "performance.md").write_text(_page(facts, note), encoding="utf-8")


def reached(facts: dict[str, Any]) -> dict[str, float | None]:
    """Return the figure reached for each goal; None: not measured."""
    median = {name: facts[name]["median"] for name in FIGURES if facts.get(name)}
    application = facts.get("application") or {}
    return {
        **{name: facts["ratios"].get(name) for name in list(GOALS)[:5]},
        "event to changed preview, median ms": median.get("event_to_preview"),
        "event to painted canvas, p99 ms": (facts.get("event_to_canvas") or {}).get("p99"),
        "pictures a second while a style fader is drawn": facts["styles_per_s"],
        "training samples a second, encoder steps included": facts["training"]["samples_per_s"],
        "a refinement step, median ms": median.get("refine_step"),
        "refinement at rest, median ms": median.get("refine_at_rest"),
        "mean PSNR at 256², dB": facts["psnr"].get("256", {}).get("mean"),
        "worst PSNR at 1024², dB": facts["psnr"].get("1024", {}).get("worst"),
        "first picture after the start, s": application.get("first_preview_s"),
        "first picture with nothing prepared, s": application.get("cold_first_preview_s"),
        "at rest, per cent of a core": application.get("idle_cpu_percent"),
        "memory, MiB": application.get("memory_mib"),
        "training by two processes / by one": facts.get("ranks", {}).get("ratio"),
    }


def _page(facts: dict[str, Any], note: str) -> str:
    machine = facts["machine"]
    lines = [
        "# Performance",
        "",
        "Made by `scripts/write_performance_page.py` from `smis bench --json --paint --app --cold --ranks 2`. The peer",
        "is OpenVINO's own run of the generator's original files in float32; the limit is the generator's operations",
        "over the rate of one large float32 matrix product (bfloat16 may stay below it). What is compared was measured",
        "in turns.",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['system']}; "
        f"{facts['threads']} threads; {facts['device']}; {facts['backend']}; {facts['repeats']} runs.",
        *([note] if note else []),
        *([_NO_CARD] if facts["device"] == "CPU" else []),
        "",
        "![Milliseconds, median and p95](images/performance.svg)",
        "",
        "| milliseconds | median | p95 | p99 |",
        "| --- | --- | --- | --- |",
    ]
    for name, words in FIGURES.items():
        if value := facts.get(name):
            lines.append(f"| {words} | {value['median']:.1f} | {value['p95']:.1f} | {value['p99']:.1f} |")
    lines += ["", "| goal | wanted | reached |", "| --- | --- | --- |"]
    for name, value in reached(facts).items():
        bound, goal = GOALS[name]
        lines.append(
            f"| {name} | {bound} {goal:g} | {'not measured' if value is None else _told(bound, goal, value)} |"
        )
    lines.append("")
    return "\n".join(lines)


def _told(bound: str, goal: float, value: float) -> str:
    is_met = value <= goal if bound == "at most" else value >= goal
    return f"{value:g}" if is_met else f"**{value:g}**, missed"


def _plot(facts: dict[str, Any]) -> str:
    groups = {words: (facts[name]["median"], facts[name]["p95"]) for name, words in FIGURES.items() if facts.get(name)}
    marks = {}
    if facts.get("peer_1024"):
        marks[FIGURES["request_256"]] = Mark(0.30 * facts["peer_1024"]["median"], "goal")
        marks[FIGURES["generator_1024"]] = Mark(0.75 * facts["peer_1024"]["median"], "goal")
    return bar_chart("smis bench", groups, ("median", "p95"), " ms", marks)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("--note", default="", help="what a reader should know of the circumstances")
    given = parser.parse_args()
    main(given.sources, given.note)
