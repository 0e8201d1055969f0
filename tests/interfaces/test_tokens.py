"""The token: made once, kept for its owner alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from netwright.interfaces.tokens import TokenError, bears, find_token, same


@pytest.fixture(autouse=True)
def netwright_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path))
    return tmp_path


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    token = find_token()
    file = tmp_path / "http-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token.value) >= 40
    assert token.made
    assert find_token() == token
    file.unlink()
    assert find_token().value != token.value


def test_a_file_comes_before_the_variable_and_that_before_the_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETWRIGHT_TOKEN", "from-the-environment")
    file = tmp_path / "mine"
    file.write_text("from-a-file-of-mine\n")
    file.chmod(0o600)
    assert find_token(file).value == "from-a-file-of-mine"
    assert find_token().value == "from-the-environment"
    assert not find_token().made
    assert not (tmp_path / "http-token").exists()


@pytest.mark.parametrize("text", ["", "short", "has a space in the middle", "häßliche-zeichen-darin", "x" * 600])
def test_a_token_must_fit_into_a_header(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(TokenError, match="16 to 512 visible"):
        find_token(file)


def test_others_may_not_read_it(tmp_path: Path) -> None:
    file = tmp_path / "http-token"
    file.write_text("long-enough-and-readable")
    file.chmod(0o644)
    with pytest.raises(TokenError, match="chmod 600"):
        find_token()
    with pytest.raises(TokenError, match="cannot read"):
        find_token(tmp_path / "none")


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "http-token").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TokenError):
        find_token()
    assert not (tmp_path / "elsewhere").exists()


def test_servers_that_start_at_once_have_one_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: find_token(), range(32)))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["http-token"]


def test_only_one_header_with_the_whole_token_is_enough() -> None:
    assert bears(["bearer  abc "], "abc")
    for given in ([], ["abc"], ["Basic abc"], ["Bearer"], ["Bearer ab"], ["Bearer abcd"], ["Bearer abc"] * 2):
        assert not bears(given, "abc")
    assert same("ünï\udc80", "ünï\udc80")
    assert not same("ünï", "üni")
