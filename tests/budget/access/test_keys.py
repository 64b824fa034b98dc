"""Laws of keys and of what is kept of them."""

import json

import pytest

from budget.access.keys import Binding, KeyKind, decode_record, digest_of, id_of, new_key

NOW_MS = 1_700_000_000_000


def test_a_key_is_its_public_prefix_and_a_secret_that_is_not_kept() -> None:
    """The record has the digest alone; the id is found in the key."""
    key, record = new_key(KeyKind.DATA, NOW_MS, tenant="acme")
    assert key.startswith(f"{record.prefix}_")
    assert id_of(key.encode()) == record.id
    assert len(key.removeprefix(f"{record.prefix}_")) * 4 == 256
    assert key.removeprefix(f"{record.prefix}_") not in record.encode()
    assert record.digest == digest_of(key.encode())


def test_only_the_very_key_is_of_its_record() -> None:
    """Another one, or the same one in another case, is not."""
    key, record = new_key(KeyKind.ADMIN, NOW_MS)
    assert record.is_of(key.encode())
    assert not record.is_of(key.upper().encode())
    assert not record.is_of(key.encode()[:-1])
    assert not record.is_of(new_key(KeyKind.ADMIN, NOW_MS)[0].encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"sk-123",
        b"rwy_data_0123456789ab",
        b"rwy_root_0123456789ab_" + b"0" * 64,
        b"rwy_data_0123456789AB_" + b"0" * 64,
        b"rwy_data_0123456789ab_" + b"0" * 65,
        b"rwy_data_0123456789ab_" + b"0" * 64 + b"\n",
        b"rwy_data_0123456789ab_" + "\N{ARABIC-INDIC DIGIT ZERO}".encode() * 64,
        b"rwy_data_" + b"0" * 1_000_000,
    ],
)
def test_what_is_no_key_has_no_id(text: bytes) -> None:
    """Nothing of it reaches the store."""
    assert id_of(text) is None


def test_a_record_reads_as_it_was_written() -> None:
    """Every field is kept."""
    binding = Binding(("web",), ("agent", "pipeline"), ("gpt-4",))
    _, record = new_key(
        KeyKind.DATA, NOW_MS, tenant="acme", name="ñ", expires_unix_ms=NOW_MS + 1, binding=binding
    )
    assert decode_record(record.encode()) == record


def test_a_restriction_that_is_not_understood_is_not_ignored() -> None:
    """A record of a later version opens nothing here."""
    document = json.loads(new_key(KeyKind.DATA, NOW_MS, tenant="acme")[1].encode())
    with pytest.raises(ValueError, match="instances"):
        decode_record(json.dumps({**document, "binding": {"instances": ["i-1"]}}))
    for text in ("", "[]", "{}", json.dumps({**document, "regions": ["eu"]})):
        with pytest.raises(ValueError, match=r".+"):
            decode_record(text)


def test_a_key_expires_at_its_time() -> None:
    """Not before, and without one never."""
    _, record = new_key(KeyKind.DATA, NOW_MS, tenant="acme", expires_unix_ms=NOW_MS + 1)
    assert not record.is_expired(NOW_MS)
    assert record.is_expired(NOW_MS + 1)
    assert not new_key(KeyKind.DATA, NOW_MS, tenant="acme")[1].is_expired(2**53)
