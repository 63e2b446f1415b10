from distilmt.evaluation.energy import EnergyMeter


def counter(directory, name, value, whole=1_000_000_000):
    place = directory / name
    place.mkdir(exist_ok=True)
    (place / "energy_uj").write_text(f"{value}\n")
    (place / "max_energy_range_uj").write_text(f"{whole}\n")


def test_joules_of_all_packages_and_not_of_their_parts_again(tmp_path):
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        counter(tmp_path, name, 5_000_000)
    meter = EnergyMeter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 7_000_000)
    counter(tmp_path, "intel-rapl:1", 5_500_000)
    counter(tmp_path, "intel-rapl:0:0", 6_000_000)
    assert meter.joules() == 2.5


def test_a_counter_that_began_anew(tmp_path):
    counter(tmp_path, "intel-rapl:0", 990_000_000)
    meter = EnergyMeter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 10_000_000)
    assert meter.joules() == 20


def test_a_machine_without_a_meter(tmp_path):
    assert EnergyMeter(tmp_path).joules() is None
    assert EnergyMeter(tmp_path / "none").joules() is None
    (tmp_path / "intel-rapl:0").mkdir()  # as where root alone may read
    assert EnergyMeter(tmp_path).joules() is None
