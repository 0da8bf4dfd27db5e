"""What the service's benchmark makes of wrk's words and of its runs."""

import pytest

from benchmarks import service, service_container, tables

SAID = """Running 5s test @ http://127.0.0.1:5000/echo/hello?lang=en
  Latency Distribution
     50%    9.10ms
     99%   {p99}
  4210 requests in 5.01s, 2.44MB read
{more}Requests/sec:    840.12
Transfer/sec:      0.49MB
"""


@pytest.mark.parametrize(("p99", "ms"), [("850.00us", 0.85), ("21.50ms", 21.5), ("1.20s", 1200.0)])
def test_the_figures_of_wrk_are_read_in_one_unit(p99: str, ms: float) -> None:
    assert service_container.figures(SAID.format(p99=p99, more="")) == pytest.approx(
        {"rate": 840.12, "p99_ms": ms, "errors": 0}
    )


@pytest.mark.parametrize(
    ("more", "errors"),
    [
        ("  Socket errors: connect 1, read 20, write 0, timeout 300\n", 321),
        ("  Non-2xx or 3xx responses: 7\n", 7),
    ],
)
def test_requests_that_failed_are_counted(more: str, errors: int) -> None:
    assert service_container.figures(SAID.format(p99="1.00ms", more=more))["errors"] == errors


def test_a_text_without_figures_is_an_error() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        service_container.figures("unable to connect to 127.0.0.1:5000")


def run(rate: float, errors: int = 0) -> dict[str, float]:
    """One measurement."""
    return {"rate": rate, "p99_ms": 5.0, "errors": errors, "cpu_us": 300.0}


def test_the_share_is_the_median_of_the_shares_of_each_run() -> None:
    """A machine whose speed drifts does so for both sides of a run."""
    rows = service.compared({"bare hello": [run(100), run(1000), run(10)], "echo": [run(90), run(950), run(5)]})
    assert rows["echo"]["share"] == pytest.approx(0.9)
    assert rows["bare hello"]["share"] == 1
    assert rows["echo"]["rate"] == 90


def test_a_run_with_failed_requests_is_no_result() -> None:
    with pytest.raises(ValueError, match="echo failed"):
        service.compared({"bare hello": [run(100)], "echo": [run(100, errors=1)]})


def test_the_table_has_every_side_step_and_kind_and_its_place_is_in_the_page() -> None:
    document = {
        "machine": {"processor": "P", "cores": 2, "kernel": "6", "load": 0.1},
        "limits": "--cpus 1",
        "runs": 5,
        "compared": service.compared({"bare hello": [run(100)], "echo, all hooks": [run(95)]}),
        "starts": {"echo, all hooks": {"process begun": 0.3, "first 200": 1.25}},
        "workers": {"gthread 2 x 4": run(95)},
    }
    lines = service.table(document)
    assert "| echo, all hooks | 95 | 95.0% | 5.0 | 300 |" in lines
    assert "| first 200 | 1.25 |" in lines
    assert "| gthread 2 x 4 | 95 | 5.0 | 300 | 0 |" in lines
    page = service.PAGE.read_text(encoding="utf-8")
    assert "| first 200 | 1.25 |" in tables.renewed(page, "service", lines)
