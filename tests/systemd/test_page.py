from tests.systemd.page import with_section


def test_each_systemd_has_a_section_and_a_new_run_replaces_its_own() -> None:
    page = with_section("", "systemd 257", [("killed", "DOWN · alert-worker", 1.23)])
    page = with_section(page, "systemd 252", [("killed", "DOWN · alert-worker", 2.0), ("back", "BACK", 4.0)])
    page = with_section(page, "systemd 257", [("killed", "DOWN · alert-worker", 1.9)])

    assert page.count("# Drills") == 1
    assert page.index("## systemd 252") < page.index("## systemd 257")
    assert "| killed | DOWN · alert-worker | 1.9 |" in page
    assert "1.2 |" not in page
    assert "| back | BACK | 4.0 |" in page
