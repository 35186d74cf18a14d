"""Secrets: what was given to be let in is shown nowhere, even where the server says it back."""

import base64
import signal
from pathlib import Path

import orjson
import pytest

from collector.report import json
from collector.text.printable import printable
from loadgen.cli.argv import starred
from loadgen.cli.main import main
from loadgen.errors import ProcessError
from loadgen.options import BenchOptions, TargetOptions
from loadgen.runs.run_metadata import config
from loadgen.secrets import HIDDEN, Secrets, split_userinfo
from loadgen.server.target import redacted, resolve
from tests.faults.test_stops import LONG, children, wait_for
from tests.support.commands import LIMIT_S, T2I, command, fetch, run, server
from tests.support.echo import echo_server

KEY, HEADER, USER, PASSWORD = "sk-proj-Zm9v/YmFy+cXV4", "tok-1234567890", "someone", "hunter2+x"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
EVERY = (KEY, HEADER, USER, PASSWORD, BASIC, "hunter2%2Bx", "Zm9v\\/YmFy")
USERINFO = f"{USER}:hunter2%2Bx@"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("http://{}", ("--header", f"X-Session={HEADER}", "--header", f"X-Plain={HEADER}")),
        ("http://{}/as-200", ("--api-key", KEY, "--slo")),
        ("http://{}/as-headers", ("--api-key", KEY)),
        ("http://{}/as-stages", ("--header", f"Cookie=sid={HEADER}", "--verify", "none", "--backend", "vllm-omni")),
        (f"http://{USERINFO}{{}}", ("--warmup-requests", "2")),
        ("http://{}", ("--server-metrics", f"http://{USERINFO}{{}}/metrics?token={HEADER}")),
        ("http://127.0.0.1:9/as-200", ("--proxy", f"http://{USERINFO}{{}}")),
        ("https://127.0.0.1:9", ("--proxy", f"http://{USERINFO}{{}}")),  # refuses to CONNECT
    ],
)
def test_a_secret_is_in_nothing_that_is_shown_or_kept_though_the_server_says_it_back(
    tmp_path: Path, where: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with echo_server() as place:
        given = [word.format(place) for word in ("--base-url", where, *words)]
        kept = ("--output-file", str(tmp_path / "out.json"), "--run-dir", str(tmp_path / "run"))
        env = {} if "--api-key" in words or USERINFO in where else {"OPENAI_API_KEY": KEY}
        code, out, err = run("bench", *T2I[:-1], "--num-prompts", "3", "--force", *given, *kept, **env)
    main(["report", str(tmp_path / "run")])
    again = "".join(capsys.readouterr())
    files = {path.name: path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*") if path.is_file()}
    shown = {**files, "out": out, "err": err, "again": again}
    assert {name: secret for name, text in shown.items() for secret in EVERY if secret in text} == {}
    assert "Traceback" not in err
    assert "\x1b" not in out + err + again
    if "--server-metrics" in words:
        assert HIDDEN in files["metrics.jsonl"]
    if code != 2:
        assert HIDDEN in "".join(shown.values())  # it was said back, and somebody hid it


@pytest.mark.parametrize(
    "words",
    [
        ("--base-url", f"http://{USERINFO}127.0.0.1:9"),
        ("--base-url", f"http://{USERINFO}127.0.0.1:x"),
        ("--base-url", f"ftp://{USERINFO}h"),
        ("--base-url", f"{USERINFO}h"),
        ("--base-url", "http://127.0.0.1:9", "--proxy", f"http://{USERINFO}127.0.0.1:9"),
        ("--base-url", "http://127.0.0.1:9", "--proxy", f"socks://{USERINFO}h"),
        ("--base-url", "http://127.0.0.1:9", "--api-key", f"{KEY}\n"),
        ("--base-url", "http://127.0.0.1:9", "--api-key", f"{KEY}\x00x"),
        ("--base-url", "http://127.0.0.1:9", "--header", f"Authorization: Bearer {KEY}"),
        ("--base-url", "http://127.0.0.1:9", "--header", f"Authorization=Bearer {KEY}\r\nX: y"),
    ],
)
def test_a_secret_is_not_in_the_line_that_says_what_is_wrong_with_it(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *T2I, *words]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert [secret for secret in EVERY if secret in err] == []


def test_a_secret_of_a_file_is_used_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\nsecond line\n")
    with echo_server() as place:
        words = (
            "--base-url",
            f"http://{place}",
            "--api-key-file",
            str(tmp_path / "key"),
            "--num-prompts",
            "1",
            "--force",
        )
        _, out, err = run("bench", *T2I, *words, OPENAI_API_KEY="another")
    assert f"Authorization: Bearer {HIDDEN}" in out
    assert KEY not in out + err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"", "the first line is empty"),
        (b"\nkey", "the first line is empty"),
        (b"k\xffy\n", "cannot hold"),
        (b"k\x1by", "cannot hold"),
    ],
)
def test_a_key_file_that_holds_no_key_is_bad_usage(
    tmp_path: Path, content: bytes | None, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    assert main(["bench", *T2I, "--simulate", "--api-key-file", str(path)]) == 2
    assert says in (said := capsys.readouterr().err)
    assert len(said.splitlines()) == 1


# ps


@pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="only Linux shows (and lets us change) argv in /proc"
)
def test_neither_ps_nor_the_environment_of_a_child_shows_a_secret() -> None:
    with server(base_ms=5, replicas=50) as url:
        url = url.replace("://", f"://{USERINFO}")
        words = ("--base-url", url, "--warmup-requests", "0", "--api-key", KEY, f"--header=X-Session={HEADER}")
        process = command("bench", *T2I, *LONG, *words, OPENAI_API_KEY=KEY, http_proxy=f"http://{USERINFO}127.0.0.1:9")
        try:
            wait_for("requests", lambda: fetch(f"{url.replace(USERINFO, '')}/sim/stats")["requests"] > 5)
            pids = children(process.pid)
            shown = {name: Path(f"/proc/{pid}/{kind}").read_bytes().decode(errors="replace")
                     for kind in ("cmdline", "environ") for name, pid in pids.items()}  # fmt: skip
            own = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=LIMIT_S)
    assert len(pids) >= 5
    assert "--api-key\0***" in own
    assert {name: secret for name, text in {**shown, "own": own}.items() for secret in EVERY if secret in text} == {}


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("--api-key K123 --slo", "--api-key **** --slo"),
        ("--api-key=K123", "--api-key=****"),
        ("--api-key --header --slo", "--api-key ******** --slo"),
        ("--header A=b --header=C=d", "--header *** --header=***"),
        ("--proxy http://u:p@h:1/x", "--proxy http://***@h:1/x"),
        ("--server-metrics=http://h?k=1 --model x", "--server-metrics=************ --model x"),
        ("--api-key-file /etc/key", "--api-key-file /etc/key"),
        ("--base-url http://h:1", "--base-url http://h:1"),
    ],
)
def test_words_of_the_command_line_keep_their_length_and_lose_their_secrets(word: str, shown: str) -> None:
    assert starred(word.encode().split(b" ")) == shown.encode().split(b" ")


@pytest.mark.parametrize(
    "words", [["--api-ky", KEY], [f"--apikey={KEY}"], ["--auth-token", KEY], ["--prxy", "http://u:secretpw@h"]]
)
def test_a_secret_behind_a_mistyped_flag_is_not_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *words])
    said = capsys.readouterr().err
    assert KEY not in said
    assert "secretpw" not in said
    assert words[0].partition("=")[0] in said


# Texts


def secrets(**options: object) -> Secrets:
    return Secrets.of(TargetOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Bearer {KEY} is unknown", "Bearer *** is unknown"),
        (f"{KEY}{KEY}", "******"),
        (f"cut: {KEY[:9]}", "cut: ***"),
        (f"cut: {KEY[:9]}, and on", "cut: ***, and on"),
        (orjson.dumps(KEY).decode(), '"***"'),
        (KEY.replace("/", "\\/"), "***"),
        (KEY.replace("/", "%2F").replace("+", "%2B"), "***"),
        ("see http://me:pw@host/x and ftp://u@h", "see http://host/x and ftp://h"),
        ("nothing here: a@b, sk-", "nothing here: a@b, sk-"),
    ],
)
def test_a_text_loses_the_key_in_every_form_it_may_come_back_in(text: str, shown: str) -> None:
    assert secrets(api_key=KEY).hide(text) == shown


@pytest.mark.parametrize("text", [PASSWORD, "hunter2%2Bx", BASIC, f"Basic {BASIC}", BASIC[:20]])
def test_the_credentials_of_a_url_are_secret_decoded_encoded_and_in_base64(text: str) -> None:
    shown = secrets(base_url=f"http://{USERINFO}h").hide(f"said {text}!")
    assert shown in ("said ***!", "said Basic ***!")


def test_names_of_media_types_and_short_labels_stay_readable() -> None:
    kept = secrets(headers={"Accept": "application/json", "X-Team": "video"})
    assert kept.hide("no video in content; application error") == "no video in content; application error"


@pytest.mark.parametrize(
    ("url", "userinfo", "rest"),
    [
        ("http://h:1/a@b", "", "http://h:1/a@b"),
        ("http://u:p@h", "u:p", "http://h"),
        ("http://u:p@ss@h/x", "u:p@ss", "http://h/x"),
        ("http://u:p/w@h/x", "u:p/w", "http://h/x"),
        ("http://u:p#w?@h", "u:p#w?", "http://h"),
        ("u:p@h", "u:p", "h"),
        ("http://[::1]:8/x@y", "", "http://[::1]:8/x@y"),
        ("", "", ""),
    ],
)
def test_credentials_are_split_off_a_url_even_where_it_is_malformed(url: str, userinfo: str, rest: str) -> None:
    assert split_userinfo(url) == (userinfo, rest)
    assert redacted(url) == rest


def test_no_repr_and_no_configuration_shows_a_secret() -> None:
    options = TargetOptions(
        base_url=f"http://{USERINFO}127.0.0.1:1",
        api_key=KEY,
        headers={"X-Key": HEADER},
        proxy=f"http://{USERINFO}127.0.0.1:2",
    )
    shown = [repr(options), repr(BenchOptions(target=options)), repr(resolve(options)), repr(Secrets.of(options))]
    shown.append(orjson.dumps(config(BenchOptions(target=options))).decode())
    assert [secret for secret in EVERY for text in shown if secret in text] == []
    assert "127.0.0.1:2" in shown[-1]


def test_a_fault_of_ours_loses_the_secrets_in_its_message() -> None:
    with pytest.raises(ProcessError, match=r"^sender 0 died \(bad key \*\*\*\)$"), secrets(api_key=KEY).hidden():
        raise ProcessError(f"sender 0 died (bad key {KEY})")


# Terminals


def test_a_result_on_standard_output_cannot_drive_a_terminal() -> None:
    hostile = "".join(map(chr, [*range(32), *range(0x7F, 0xA0), 0x202E, ord("é")]))
    written = json.dump({"example": hostile})
    assert orjson.loads(written) == {"example": hostile}
    assert all(ord(c) >= 0xA0 or 32 <= ord(c) < 127 or c == "\n" for c in written.decode())


def test_what_is_printable_has_no_escape_no_newline_and_no_change_of_direction() -> None:
    hostile = "".join(map(chr, [*range(32), *range(0x7F, 0xA0), 0x202E, 0x2028, 0xFEFF]))
    assert printable(f"a{hostile}b").split() == ["a", "b"]
