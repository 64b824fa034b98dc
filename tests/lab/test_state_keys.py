import redis
from hypothesis import given
from hypothesis import strategies as st

from lab.state_keys import FIRST_ROW, StateKeys, key_prefix, rows_by_instance

IDS = st.text("abcXYZ019._-", min_size=1, max_size=20)
ROWS = st.sampled_from(["metadata", "customStatus", FIRST_ROW, "history-000001", "inbox-000000"])


@given(st.dictionaries(IDS, st.frozensets(ROWS, min_size=1), max_size=8))
def test_keys_group_back_into_what_they_were_made_of(rows: dict[str, frozenset[str]]) -> None:
    """Each key belongs to exactly one row of one instance."""
    prefix = key_prefix()
    keys = [f"{prefix}{instance}||{row}" for instance, found in rows.items() for row in found]
    assert rows_by_instance([*keys, "another||key"], prefix) == rows


def test_expired_keys_are_gone_from_the_look(redis_port: int) -> None:
    """A real server's scan shows what lives and not what has expired or is another's."""
    client = redis.Redis(port=redis_port)
    client.hset(f"{key_prefix()}one||metadata", "data", "x")
    client.hset(f"{key_prefix()}two||{FIRST_ROW}", "data", "x")
    client.hset("else||where", "data", "x")
    keys = StateKeys(redis_port)
    assert keys.rows() == {"one": {"metadata"}, "two": {FIRST_ROW}}
    client.pexpire(f"{key_prefix()}two||{FIRST_ROW}", 1)
    while client.exists(f"{key_prefix()}two||{FIRST_ROW}"):
        pass
    assert keys.rows() == {"one": {"metadata"}}
    keys.close()
    client.close()
