from fake_llm.routes.ids import new_id


def test_no_two_answers_have_one_id() -> None:
    """Ids are unique within a process, and begin as their provider's do."""
    ids = {new_id("msg_") for _ in range(100)}
    assert len(ids) == 100
    assert all(each.startswith("msg_") for each in ids)
