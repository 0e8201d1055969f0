"""Where candidates train. NVIDIA's program is a script here: this machine need not have a GPU."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from netwright.tools.devices import CPU, Device, DeviceMissing, Places, device_nodes, find_devices, places_on


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ``nvidia-smi`` of two GPUs, one of them nearly full."""
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\n[ "$1" = "--query-gpu=index,memory.free,memory.total" ] || exit 2\n'
        'printf "0, 9000, 10000\\n1, 1000, 10000\\n2, [N/A], [N/A]\\n"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def test_a_gpu_takes_as_many_as_fit(smi: Path) -> None:
    assert find_devices("auto", 2048) == [Device("cuda:0", 4)]
    assert find_devices("cuda", 500) == [Device("cuda:0", 18), Device("cuda:1", 2)]
    assert find_devices("cpu") == [CPU]


def test_what_a_server_will_take_is_not_free(smi: Path) -> None:
    assert find_devices("auto", 2048, {0: 0.5}) == [Device("cuda:0", 2)]
    assert find_devices("auto", 500, {0: 0.96}) == [Device("cuda:1", 2)]


def test_what_a_server_holds_already_is_not_subtracted_twice(smi: Path) -> None:
    assert find_devices("auto", 500, {1: 0.9}) == [Device("cuda:0", 18), Device("cuda:1", 2)]


def test_without_room_it_is_the_cpu_or_an_error(smi: Path) -> None:
    assert find_devices("auto", 20_000) == [CPU]
    with pytest.raises(DeviceMissing, match="found GPU 0 with 9000 MiB to spare, GPU 1 with 1000 MiB to spare"):
        find_devices("cuda", 20_000)


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 9\n"])
def test_without_a_driver(script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(script)
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert find_devices("auto") == [CPU]
    with pytest.raises(DeviceMissing, match="no GPU"):
        find_devices("cuda")


def test_places_are_counted_on_gpus_only() -> None:
    assert places_on([CPU]) is None
    assert places_on([Device("cuda:0", 4), Device("cuda:1", 2)]) == 6


def test_nodes_of_a_device() -> None:
    assert device_nodes([CPU]) == ()
    shown = [str(path) for path in device_nodes([Device("cuda:1", 3)])]
    assert shown[:2] == ["/dev/nvidia1", "/dev/nvidiactl"]
    assert "/dev/nvidia0" not in shown


def test_the_emptiest_device_is_taken_and_none_beyond_its_room() -> None:
    places = Places([Device("cuda:0", 1), Device("cuda:1", 2)])
    most: dict[str, int] = {}
    now: dict[str, int] = {"cuda:0": 0, "cuda:1": 0}
    lock, full = threading.Lock(), threading.Barrier(3)

    def work(number: int) -> None:
        with places.lease() as name:
            with lock:
                now[name] += 1
                most[name] = max(most.get(name, 0), now[name])
            if number < 3:
                full.wait(10)  # the first three hold all the room at once
            with lock:
                now[name] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(12)))
    assert most == {"cuda:0": 1, "cuda:1": 2}


def test_the_cpu_has_no_bound_of_its_own() -> None:
    places = Places([CPU])
    with places.lease() as one, places.lease() as two:
        assert (one, two) == ("cpu", "cpu")


def test_no_device_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one device"):
        Places([])
