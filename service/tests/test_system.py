"""The deployed whole: server, network and application together, under a little of real life."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.tests.target import Answer, Remote, read

pytestmark = pytest.mark.system


def test_many_clients_at_once_each_get_their_own_answer(remote: Remote) -> None:
    """No answer is mixed up with another, and no request id is given twice."""

    def ask(number: int) -> Answer:
        return remote.post(f"/echo/item-{number}?lang=l{number}")

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(ask, range(128)))
    assert {answer.status for answer in answers} == {200}
    assert [answer.json()["namespace_params"] for answer in answers] == [
        {"content_received": f"item-{number}", "language": f"l{number}"} for number in range(128)
    ]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 128


def test_a_connection_is_kept_alive(remote: Remote) -> None:
    """Also after an error, and after a body that the application had no use for."""
    connection = remote.connect()
    for method, path, body, status in (
        ("GET", "/", None, 200),
        ("GET", "/nope", None, 404),
        ("POST", "/echo/x", b"x" * 60_000, 200),
        ("GET", "/healthz", None, 200),
    ):
        connection.request(method, path, body=body)
        assert read(connection.getresponse()).status == status
    connection.close()


def test_a_body_in_chunks_meets_the_limit(remote: Remote) -> None:
    """It declares no length."""
    answer = remote.request("POST", "/echo", body=iter([b"x" * 1000] * 70))
    assert answer.status == 413
    assert answer.json()["error"] == "true"


def test_a_long_address_is_refused_by_the_application_not_the_server(remote: Remote) -> None:
    """JSON up to close below the server's own limit."""
    answer = remote.post("/echo/" + "x" * 8000)
    assert answer.status == 414
    assert answer.json()["error"] == "true"


def test_it_serves_on_after_what_is_no_request(remote: Remote) -> None:
    """The server refuses it, and nobody else notices."""
    connection = remote.connect()
    connection.connect()
    connection.sock.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    assert connection.sock.recv(4096).split(b" ", 2)[1] in {b"400", b"501"}
    connection.close()
    assert remote.get("/healthz").status == 200
