"""The URL of a server in every form that users give, and what a request's path becomes below it."""

import pytest

from loadgen.errors import UsageError
from loadgen.options import TargetOptions
from loadgen.server.target import resolve
from loadgen.server.url import endpoint_path, parse_base_url, split_endpoint

IMAGES = "/v1/images/generations"


@pytest.mark.parametrize(
    ("path", "prefix", "endpoint"),
    [
        ("", "", None),
        ("/", "", None),
        ("/v1", "", None),
        ("/v1/", "", None),
        ("/api/v1", "/api", None),
        ("/api", "/api", None),
        ("/my-v1", "/my-v1", None),
        (IMAGES, "", IMAGES),
        (f"/gateway{IMAGES}/", "/gateway", IMAGES),
        ("/v1/videos/sync", "", "/v1/videos/sync"),
        ("/openai/deployments/x/images/generations", "/openai/deployments/x", "/images/generations"),
    ],
)
def test_a_path_is_a_prefix_and_perhaps_an_endpoint(path: str, prefix: str, endpoint: str | None) -> None:
    assert split_endpoint(path) == (prefix, endpoint)


@pytest.mark.parametrize(
    ("base", "endpoint", "path", "requested"),
    [
        ("http://127.0.0.1:1", None, IMAGES, IMAGES),
        ("http://127.0.0.1:1/v1", None, IMAGES, IMAGES),
        ("http://127.0.0.1:1/v1?api-version=2", None, IMAGES, f"{IMAGES}?api-version=2"),
        ("http://127.0.0.1:1/d/images/generations?api-version=2", None, IMAGES, "/d/images/generations?api-version=2"),
        ("http://127.0.0.1:1", "/make", IMAGES, "/make"),
        ("http://127.0.0.1:1?a=1", "/make?b=2", IMAGES, "/make?b=2&a=1"),
        ("http://127.0.0.1:1/v1", None, "/health", "/health"),
    ],
)
def test_a_request_goes_below_the_prefix_with_the_query(
    base: str, endpoint: str | None, path: str, requested: str
) -> None:
    target = resolve(TargetOptions(base_url=base, backend="openai", endpoint=endpoint))
    assert target.path_of(path) == requested


def test_polls_follow_the_endpoint_of_the_creation() -> None:
    target = resolve(TargetOptions(base_url="http://127.0.0.1:1", backend="v1/videos", endpoint="/api/jobs"))
    assert target.path_of("/v1/videos/x/content") == "/api/jobs/x/content"


@pytest.mark.parametrize("scheme", ["htp", "ws", "ftp", "socks5", "localhost", ""])
@pytest.mark.parametrize("port", [":8091", ""])
def test_a_scheme_that_is_not_http_is_refused_with_the_forms_that_are(scheme: str, port: str) -> None:
    with pytest.raises(UsageError, match=r"--base-url .*: .*give http://HOST:PORT or https://HOST:PORT"):
        parse_base_url(f"{scheme}://h{port}")


@pytest.mark.parametrize("scheme", ["socks5", "socks4", "https", "ws"])
def test_a_proxy_that_is_not_spoken_is_refused_before_the_start(scheme: str) -> None:
    with pytest.raises(UsageError, match=r"--proxy .*: .*give http://HOST:PORT$"):
        resolve(TargetOptions(base_url="http://127.0.0.1:1", proxy=f"{scheme}://127.0.0.1:9"))


@pytest.mark.parametrize("text", ["unix:/run/s.sock", "unix:///run/s.sock", "UNIX:/run/s.sock"])
def test_a_unix_url_is_a_socket(text: str) -> None:
    found = parse_base_url(text)
    assert (found.unix_socket, found.host, found.prefix) == ("/run/s.sock", "localhost", "")


@pytest.mark.parametrize(("text", "path"), [("v1/x", "/v1/x"), ("/v1/x", "/v1/x"), ("x?a=b", "/x?a=b")])
def test_an_endpoint_is_a_path_with_or_without_its_slash(text: str, path: str) -> None:
    assert endpoint_path(text) == path


@pytest.mark.parametrize("text", ["http://h/v1/x", "", "/", "a b", "a#b", "a\nb", "é"])
def test_what_is_no_path_is_no_endpoint(text: str) -> None:
    with pytest.raises(UsageError, match="--endpoint"):
        endpoint_path(text)


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("backend", ["openai", "v1/videos"])
def test_a_header_of_the_users_replaces_ours_whatever_its_capitals(name: str, backend: str) -> None:
    options = TargetOptions(
        base_url="http://u:p@127.0.0.1:1", backend=backend, api_key="k", headers={name: "mine", "user-agent": "me"}
    )
    headers = resolve(options).headers
    assert [value for key, value in headers.items() if key.lower() == "authorization"] == ["mine"]
    assert [value for key, value in headers.items() if key.lower() == "user-agent"] == ["me"]
