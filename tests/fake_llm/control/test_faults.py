from tests.fake_llm.conftest import FakeLlm

_FAIL = {"kind": "fail", "status": 500}


def test_faults_are_shown_as_they_were_set(fake_llm: FakeLlm) -> None:
    """In their order, with the defaults that hold for them."""
    shown = fake_llm.set_faults({**_FAIL, "times": 3}, {**_FAIL, "model": "gpt-4"})
    assert shown == fake_llm.get("/faults")
    first, second = shown["faults"]
    assert (first["kind"], first["hits"], first["over"]) == ("fail", 0, False)
    assert first["attributes"]["times"] == 3
    assert second["attributes"]["model"] == "gpt-4"
    assert "fail" in shown["kinds"]


def test_setting_faults_takes_the_place_of_those_before(fake_llm: FakeLlm) -> None:
    """And lifting leaves none."""
    fake_llm.set_faults(_FAIL, _FAIL)
    assert len(fake_llm.set_faults(_FAIL)["faults"]) == 1
    assert fake_llm.client.delete("/faults").json()["faults"] == []
    assert fake_llm.get("/faults")["faults"] == []


def test_bad_faults_change_nothing(fake_llm: FakeLlm) -> None:
    """422, every bad field named; what was set is still in force."""
    fake_llm.set_faults(_FAIL)
    bad = {"faults": [{"kind": "fail"}, {"kind": "nonsense"}]}
    answer = fake_llm.client.put("/faults", json=bad)
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert "0.status" in message
    assert "1.kind" in message
    assert len(fake_llm.get("/faults")["faults"]) == 1


def test_a_reset_leaves_faults_in_force(fake_llm: FakeLlm) -> None:
    """Books and faults are two things."""
    fake_llm.set_faults(_FAIL)
    fake_llm.client.post("/reset").raise_for_status()
    assert len(fake_llm.get("/faults")["faults"]) == 1
