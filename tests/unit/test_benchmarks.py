"""What the benchmarks conclude from what they measured, how it is kept, and what is told of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks import keys, organization, report, sizing
from benchmarks.keys import Count
from benchmarks.results import COMMITTED, ELSEWHERE, Claim, Result, load, save
from docs.build_performance import OPERATING, PAGES, PERFORMANCE, written
from exporter.prices import PRICES

ROOT = Path(__file__).parents[2]
SMALL = keys.Row(
    keys=1_000,
    seconds=2.6,
    dictated=2.61,
    long=390.0,
    short=405.0,
    ready=4.0,
    cpu=2.0,
    peak=100.0,
    page=1.0,
    compressed=0.1,
    p50=0.001,
)
MIDDLE = replace(SMALL, keys=10_000, seconds=26.5, dictated=26.1, peak=115.0, page=9.5)
LARGE = replace(SMALL, keys=100_000, seconds=265.0, dictated=261.0, peak=260.0, page=95.0)
SIZES = (SMALL, MIDDLE, LARGE)
SIZED = sizing.Row(
    keys=100_000,
    targets=1,
    peak=301.4,
    first_cpu=98.7,
    changes_cpu=1.4,
    core=0.35,
    requests=30_400_000,
)
TARGETS = organization.Row(
    targets=5100,
    ready=72.0,
    first_cpu=60.0,
    peak=229.0,
    resident=220.0,
    core=0.19,
    rates={"LookupEvents": 100.0},
    p50=0.02,
    p99=0.05,
)


@dataclass(frozen=True)
class Measured:
    size: int
    seconds: float


@pytest.fixture
def _kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ELSEWHERE, str(tmp_path / "results.json"))


def missed(claims: Sequence[Claim]) -> list[str]:
    return [claim.claim for claim in claims if claim.holds is False]


@pytest.mark.usefixtures("_kept_elsewhere")
def test_what_is_kept_is_told_again_with_four_digits() -> None:
    save("sweep", [Measured(10, 1.234567)], [Claim("it is fast", "1.2 s")])

    result = load()["sweep"]
    assert (result.rows, result.claims) == ([{"size": 10, "seconds": 1.235}], [Claim("it is fast", "1.2 s")])
    assert result.command == "python -m benchmarks.sweep"


@pytest.mark.usefixtures("_kept_elsewhere")
def test_a_benchmark_leaves_the_results_of_others_alone() -> None:
    save("one", [Measured(1, 1.0)])
    save("other", [Measured(2, 2.0)], command="python -m benchmarks.second")
    save("one", [Measured(3, 3.0)])

    assert {name: (result.rows[0]["size"], result.command) for name, result in load().items()} == {
        "one": (3, "python -m benchmarks.one"),
        "other": (2, "python -m benchmarks.second"),
    }


def test_a_bound_is_reached_but_not_passed() -> None:
    assert Claim.at_most("time", 2.0, 2.0).holds
    assert not Claim.at_most("time", 2.1, 2.0).holds
    assert Claim.at_least("faster", 1.0, 1.0).holds
    assert not Claim.at_least("faster", 0.9, 1.0).holds


def test_a_claim_says_what_it_is_held_to() -> None:
    assert Claim.at_most("time", 2.1, 2.0).line() == "  DOES NOT HOLD  time: 2.1 s (at most 2.0 s)"
    assert Claim("size", "7 MB").line().strip() == "size: 7 MB"


@pytest.mark.parametrize(("last", "holds"), [(400.0, True), (490.0, True), (510.0, False)])
def test_the_largest_size_may_be_a_quarter_above_the_line_through_the_others(last: float, holds: bool) -> None:
    assert Claim.linear("memory", [1, 2, 4], [100.0, 200.0, last], "{:.0f} MB").holds is holds


def test_the_busiest_span_counts() -> None:
    counts = [Count(0, 0), Count(1, 400), Count(2, 900), Count(3, 1300), Count(4, 1500)]

    assert keys.most(counts, 1) == 500
    assert keys.most(counts, 2) == 450


def test_a_pass_that_is_shorter_than_a_span_counts_as_a_whole() -> None:
    assert keys.most([Count(0, 0), Count(1, 300), Count(2, 800)], 10) == 400


def test_the_budget_of_100_000_keys_is_that_of_their_descriptions_and_of_the_list_before_them() -> None:
    assert keys.dictated(100_000) == pytest.approx(250 + 1)


def test_passes_that_hold_the_budget_are_said_to() -> None:
    assert missed(list(keys.claims(SIZES))) == []


@pytest.mark.parametrize(
    ("sizes", "claim"),
    [
        ((SMALL, MIDDLE, replace(LARGE, seconds=300.0)), "100,000 keys in one region: first full pass"),
        ((replace(SMALL, long=420.0), MIDDLE, LARGE), "most requests in any 10 s, all sizes"),
        ((SMALL, replace(MIDDLE, short=600.0), LARGE), "most requests in any 1 s, all sizes"),
        ((SMALL, MIDDLE, replace(LARGE, peak=400.0)), "memory up to 100,000 keys grows linearly"),
    ],
)
def test_what_goes_beyond_is_said_not_to_hold(sizes: Sequence[keys.Row], claim: str) -> None:
    assert missed(list(keys.claims(sizes))) == [claim]


def test_the_real_processes_are_measured() -> None:
    row = keys.measure(60, "0ms")

    assert row.keys == 60
    assert 0 < row.long <= row.short
    assert row.compressed < row.page
    assert min(row.seconds, row.cpu, row.peak, row.p50) > 0


def test_an_organization_is_held_to_time_memory_and_cpu() -> None:
    assert missed(organization.claims([TARGETS])) == []
    assert len(missed(organization.claims([replace(TARGETS, ready=301.0, peak=251.0, core=0.21)]))) == 3


def test_a_day_costs_what_kms_charges_for_its_own_requests() -> None:
    asked = Counter({("kms", "DescribeKey"): 900_000, ("kms", "ListKeys"): 100_000, ("cloudtrail", "LookupEvents"): 7})
    row = sizing.Row(100, 1, 99.0, 0.7, 0.01, 0.003, sizing.of_kms(asked))

    assert row.line().endswith(f"| 1,000,000 | {1_000_000 * PRICES['kms'].dollars:.2f} |")


def test_the_report_has_each_claim_with_its_command_and_says_what_is_missing() -> None:
    claims = [Claim.at_most("first", 1.0, 2.0), Claim.at_most("second", 3.0, 2.0), Claim("third", "7 MB")]
    result = Result("python -m benchmarks.keys", "2026-03-01", "2 cores", [], claims)

    told = list(report.summary({"keys": result}))
    assert told[2:5] == [
        "| first | 1.0 s | at most 2.0 s | holds | `python -m benchmarks.keys` |",
        "| second | 3.0 s | at most 2.0 s | DOES NOT HOLD |  |",
        "| third | 7 MB |  |  |  |",
    ]
    assert "1 of 2 goals are reached." in told
    assert "Measured 2026-03-01, 2 cores." in told
    assert told[-1].startswith("Not measured yet: serving, sweeping, ")
    assert "keys" not in told[-1]


@pytest.mark.parametrize("module", [each.module for each in report.BENCHMARKS])
def test_each_benchmark_of_the_report_is_there(module: str) -> None:
    assert (ROOT / "benchmarks" / f"{module}.py").is_file()


def page_of(path: Path, results: dict[str, Result]) -> str:
    return written(path.read_text(encoding="utf-8"), PAGES[path], results)


def test_other_results_make_another_page() -> None:
    claims = [Claim("a claim of this test", "42 s")]
    rows = [vars(row) for row in SIZES]
    page = page_of(PERFORMANCE, {"keys": Result("command", "today", "2 cores", rows, claims)})

    assert "| a claim of this test | 42 s |" in page
    assert "| 100,000 | 265.0 s | 261.0 s |" in page
    assert "images/scaling-keys.png" in page


def test_the_operating_guide_has_the_sizes_and_how_they_were_measured() -> None:
    page = page_of(OPERATING, {"sizing": Result("python -m benchmarks.sizing", "today", "2 cores", [vars(SIZED)], [])})

    assert f"\n| {' | '.join(sizing.HEADINGS)} |\n" in page
    assert "\n| 100,000 | 1 | 301 MB | 98.7 s | 1.40 s | 35.0% | 30,400,000 | 91.20 |\n" in page
    assert "\n`python -m benchmarks.sizing`, today, 2 cores.\n" in page


def test_what_was_not_measured_is_said_so() -> None:
    assert "-->\n\nNot measured yet: `make bench`.\n\n<!-- /sizing -->\n" in page_of(OPERATING, {})


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_without_a_place_for_something_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=f"no place in the page for {min(PAGES[path])}"):
        written("# A page\n", PAGES[path], load(COMMITTED))


def test_each_picture_of_the_page_is_there() -> None:
    lines = PERFORMANCE.read_text(encoding="utf-8").splitlines()
    images = [line.partition("](")[2].rstrip(")") for line in lines if line.startswith("![")]
    assert [name for name in images if not (PERFORMANCE.parent / name).is_file()] == []
