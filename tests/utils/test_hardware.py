import ctypes
import os
import site
from pathlib import Path

import ctranslate2
import pytest

from distilmt.inference import device
from distilmt.utils import hardware


class Loader:
    """Stands for the system's loader, which finds some libraries."""

    def __init__(self, there: set[str]) -> None:
        self.there, self.requests = there, []

    def __call__(self, name: str, mode: int = 0) -> object:
        self.requests.append(name)
        if name not in self.there:
            raise OSError(f"{name}: cannot open shared object file")
        return object()


@pytest.mark.skipif(os.name == "nt", reason="Windows names it otherwise")
class TestLoadsCublas:
    def test_false_where_there_is_none(self, monkeypatch):
        monkeypatch.setattr(ctypes, "CDLL", Loader(set()))
        assert not hardware.loads_cublas()

    def test_takes_the_systems(self, monkeypatch):
        monkeypatch.setattr(ctypes, "CDLL", Loader({"libcublas.so.12"}))
        assert hardware.loads_cublas()

    def test_looks_where_pip_puts_it(self, monkeypatch, tmp_path):
        place = tmp_path / "nvidia" / "cublas" / "lib" / "libcublas.so.12"
        place.parent.mkdir(parents=True)
        place.touch()
        monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
        loader = Loader({str(place)})
        monkeypatch.setattr(ctypes, "CDLL", loader)
        assert hardware.loads_cublas()
        assert loader.requests == ["libcublas.so.12", str(place)]


class TestBestDevice:
    @pytest.mark.parametrize(("gpus", "cublas", "expected"), [(0, True, "cpu"), (1, True, "cuda"), (1, False, "cpu")])
    def test_gpu_only_where_ctranslate2_can_use_it(self, monkeypatch, messages, gpus, cublas, expected):
        monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: gpus)
        monkeypatch.setattr(device, "loads_cublas", lambda: cublas)
        assert device.best_device() == expected
        assert bool(messages) == (gpus > 0 and not cublas)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="nothing tells what others use")
def test_free_cores_lie_between_none_and_all():
    assert 0 <= hardware.free_cores(0.05) <= hardware.cores()


@pytest.mark.parametrize(
    ("before", "after", "free"),
    [
        ([(100, 200), (100, 200)], [(120, 220), (120, 220)], 2.0),
        ([(100, 200), (100, 200)], [(100, 220), (120, 220)], 1.0),
        ([(100, 200), (100, 200)], [(110, 220), (105, 220)], 0.75),
        ([(100, 200)], [(100, 220)], 0.0),
    ],
)
def test_free_cores_are_what_others_leave(monkeypatch, before, after, free):
    ticks = iter([before, after])
    monkeypatch.setattr(hardware, "idle_ticks", lambda: next(ticks))
    assert hardware.free_cores(0) == free


def test_all_cores_are_free_where_the_system_does_not_report(monkeypatch):
    monkeypatch.setattr(hardware, "idle_ticks", list)
    assert hardware.free_cores(0) == hardware.cores()
