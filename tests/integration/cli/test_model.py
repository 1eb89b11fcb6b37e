"""The local language model answers those who have its key."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from rota_cli.local import LocalModel, LocalPartError
from rota_cli.local import model as module

_QUESTION = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "temperature": 0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    with LocalModel(tmp_path_factory.mktemp("model")) as model:
        yield model


def test_it_answers_in_words(model: LocalModel) -> None:
    key = {"Authorization": f"Bearer {model.api_key}"}
    answer = httpx2.post(f"{model.url}/chat/completions", headers=key, json=_QUESTION, timeout=60)
    assert answer.json()["choices"][0]["message"]["content"].strip()


def test_it_answers_nobody_without_the_key(model: LocalModel) -> None:
    assert httpx2.post(f"{model.url}/chat/completions", json=_QUESTION).status_code == 401


def test_it_ends_at_once_when_told_to(tmp_path: Path) -> None:
    model = LocalModel(tmp_path / "model")
    model.start()
    model.stop()
    assert model.wait() == 0


def test_weights_that_are_not_the_known_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = tmp_path / "forged.gguf"
    forged.write_bytes(b"GGUF and then something else")
    monkeypatch.setattr(module, "model_file", lambda: forged)
    with pytest.raises(LocalPartError, match=r"is not the file it should be.*\n.*make install"):
        LocalModel(tmp_path / "model").start()


def test_weights_that_are_not_installed_are_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(LocalPartError, match=r"not installed\n.*--model none"):
        LocalModel(tmp_path / "model").start()
    shutil.rmtree(tmp_path / "model")
