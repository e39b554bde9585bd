"""Signatures: detached JWS with Ed25519."""

from __future__ import annotations

import json
import pickle
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from comity.adapters.keyring import FolderKeyring
from comity.errors import Halted
from comity.wire import signing
from comity.wire.signing import BadSignature, OtherExchange, SigningKey

VALUE = b"\x00\x00\x00\x00\x01\xff\xfe not UTF-8"
HERE = "exchange-1"
KEY = SigningKey.from_bytes(bytes(range(32)))
FOREIGN = json.loads((Path(__file__).parent.parent / "foreign_tokens.json").read_bytes())  # by bytes(range(32)) over VALUE
OTHER = SigningKey.from_bytes(bytes(range(1, 33)))


def b64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def with_header(header: bytes) -> str:
    return f"{b64(header)}..{KEY.sign(VALUE, HERE).split('.')[2]}"


def test_what_was_signed_verifies_and_names_its_key() -> None:
    detached = KEY.sign(VALUE, HERE)
    signing.verify(detached, VALUE, KEY.public_bytes, HERE)
    assert signing.header_of(detached).kid == KEY.kid
    assert detached.split(".")[1] == ""


def test_the_key_of_rfc_8037_has_its_published_thumbprint() -> None:
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert signing.key_id(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_other_bytes_never_verify(value: bytes, other: bytes) -> None:
    detached = KEY.sign(value, HERE)
    if value == other:
        signing.verify(detached, other, KEY.public_bytes, HERE)
    else:
        with pytest.raises(BadSignature):
            signing.verify(detached, other, KEY.public_bytes, HERE)


def test_a_value_of_16_mib_is_not_too_large() -> None:
    value = bytes(16 * 1024 * 1024)
    signing.verify(KEY.sign(value, HERE), value, KEY.public_bytes, HERE)


def test_another_key_is_refused_even_where_the_signature_names_it() -> None:
    with pytest.raises(BadSignature, match="not by this key"):
        signing.verify(KEY.sign(VALUE, HERE), VALUE, OTHER.public_bytes, HERE)
    renamed = f"{OTHER.sign(VALUE, HERE).split('.')[0]}..{KEY.sign(VALUE, HERE).split('.')[2]}"
    with pytest.raises(BadSignature, match="not by this key"):
        signing.verify(renamed, VALUE, OTHER.public_bytes, HERE)


def test_an_attached_payload_is_refused_although_its_signature_is_good() -> None:
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64(KEY.public_bytes), "d": b64(KEY.to_bytes())})
    attached = jws.serialize_compact({"alg": "Ed25519", "kid": KEY.kid}, VALUE, key, algorithms=["Ed25519"])
    with pytest.raises(BadSignature, match="attached"):
        signing.verify(attached, b"other bytes", KEY.public_bytes, HERE)


@pytest.mark.parametrize(
    "algorithm", ["none", "HS256", "Ed448", "ES256", "ed25519", "eddsa", "Ed25519ph", "", None, 7, ["EdDSA"]]
)
def test_another_algorithm_is_refused(algorithm: object) -> None:
    with pytest.raises(BadSignature, match="algorithm"):
        signing.verify(with_header(json.dumps({"alg": algorithm, "kid": KEY.kid}).encode()), VALUE, KEY.public_bytes, HERE)


def test_a_signature_of_another_kind_of_key_is_refused() -> None:
    detached = jws.detach_content(jws.serialize_compact({"alg": "ES256", "kid": KEY.kid}, VALUE, ECKey.generate_key("P-256")))
    with pytest.raises(BadSignature, match="algorithm"):
        signing.verify(detached, VALUE, KEY.public_bytes, HERE)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"alg"',
        b"[[]]",
        b'[["alg", "Ed25519"], ["kid", "x"]]',
        b"{",
        b"\xff",
        b"[" * 200,
        b'{"alg":"Ed25519"}',
        b'{"kid":"%b"}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","kid":""}',
        b'{"alg":"Ed25519","kid":" before"}',
        b'{"alg":"Ed25519","kid":"line\\nbreak"}',
        b'{"alg":"Ed25519","kid":"\xc3\xa4"}',
        b'{"alg":"Ed25519","kid":"%b"}' % (b"x" * 129),
        b'\xef\xbb\xbf{"alg":"Ed25519","kid":"%b"}' % KEY.kid.encode(),
        '{"alg":"Ed25519","kid":"x"}'.encode("utf-16"),
        b'{"alg":"Ed25519","kid":"%b","x":NaN}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","kid":"%b","x":%b}' % (KEY.kid.encode(), b"9" * 4_400),
        b'{"alg":"Ed25519","kid":7}',
        b'{"alg":"Ed25519","kid":"%b","kid":"%b"}' % (OTHER.kid.encode(), KEY.kid.encode()),
        b'{"alg":"Ed25519","kid":"%b","b64":false}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","kid":"%b","crit":["b64"]}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","kid":"%b","b64":true}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","kid":"%b","\\u0063rit":[]}' % KEY.kid.encode(),
        b'{"alg":"EdDSA","kid":"%b","alg":"Ed25519"}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","kid":"%b","jwk":{"x":1,"x":2}}' % KEY.kid.encode(),
    ],
)
def test_another_header_is_refused(header: bytes) -> None:
    signature = KEY._private.sign(f"{b64(header)}.{b64(VALUE)}".encode())
    with pytest.raises(BadSignature):
        signing.verify(f"{b64(header)}..{b64(signature)}", VALUE, KEY.public_bytes, HERE)


@pytest.mark.parametrize("name", FOREIGN["taken"])
def test_what_a_common_library_signs_is_taken(name: str) -> None:
    token = FOREIGN["taken"][name]
    signing.verify(token, VALUE, KEY.public_bytes, HERE)
    assert signing.header_of(token).kid == "lakeside-2026-01"
    with pytest.raises(BadSignature, match="not by this key over these bytes"):
        signing.verify(token, VALUE + b"x", KEY.public_bytes, HERE)


@pytest.mark.parametrize("name", FOREIGN["unencoded"])
def test_an_unencoded_payload_is_refused_and_the_refusal_says_what_to_change(name: str) -> None:
    with pytest.raises(BadSignature, match=r"the header holds (crit|b64): sign the base64url payload"):
        signing.verify(FOREIGN["unencoded"][name], VALUE, KEY.public_bytes, HERE)


def test_another_library_reads_what_is_signed_here() -> None:
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64(KEY.public_bytes)})
    registry = jws.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)
    read = jws.deserialize_compact(KEY.sign(VALUE, HERE), public, payload=VALUE, registry=registry)
    assert read.protected["kid"] == KEY.kid


HEADERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "cty", "jwk", "crit", "b64", "aud", "x5c", "Crit"]) | st.text(max_size=4),
    st.sampled_from(["Ed25519", "EdDSA", str(KEY.kid), "JWT", HERE])
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=6,
)


@given(HEADERS, st.booleans())
def test_a_header_of_any_members_is_taken_or_refused_as_bad(members: dict[str, object], named: bool) -> None:  # noqa: FBT001
    """What is taken names a key and an algorithm, and nothing that would change what was signed."""
    said = {**members, **({"alg": "EdDSA", "kid": "k", "aud": ["there", HERE]} if named else {})}
    header = b64(json.dumps(said).encode())
    token = f"{header}..{b64(KEY._private.sign(f'{header}.{b64(VALUE)}'.encode()))}"
    try:
        signing.verify(token, VALUE, KEY.public_bytes, HERE)
    except BadSignature:
        return
    assert signing.header_of(token).kid == said["kid"]
    assert said["alg"] in signing.ALGORITHMS
    assert not {"crit", "b64"} & set(said)
    assert HERE in signing.header_of(token).audience


def with_audience(audience: object) -> str:
    header = b64(json.dumps({"alg": "EdDSA", "kid": KEY.kid, "aud": audience}).encode())
    return f"{header}..{b64(KEY._private.sign(f'{header}.{b64(VALUE)}'.encode()))}"


@pytest.mark.parametrize("audience", [HERE, [HERE], ["exchange-2", HERE]])
def test_a_signature_is_good_where_its_header_names_the_exchange(audience: object) -> None:
    signing.verify(with_audience(audience), VALUE, KEY.public_bytes, HERE)


@pytest.mark.parametrize("audience", ["exchange-2", [], "", HERE.upper(), HERE + " ", ["exchange-2"], ["exchange", "-1"]])
def test_a_signature_for_another_exchange_or_none_is_good_nowhere_else(audience: object) -> None:
    """F33."""
    with pytest.raises(OtherExchange, match="as aud into the header"):
        signing.verify(with_audience(audience), VALUE, KEY.public_bytes, HERE)


def test_a_signature_without_an_audience_is_told_what_lacks() -> None:
    header = b64(json.dumps({"alg": "EdDSA", "kid": KEY.kid}).encode())
    token = f"{header}..{b64(KEY._private.sign(f'{header}.{b64(VALUE)}'.encode()))}"
    with pytest.raises(OtherExchange, match="for no exchange"):
        signing.verify(token, VALUE, KEY.public_bytes, HERE)


@pytest.mark.parametrize("audience", [None, 7, True, {HERE: 1}, [HERE, 7], [[HERE]]])
def test_an_audience_of_another_form_is_malformed(audience: object) -> None:
    with pytest.raises(BadSignature, match="aud is"):
        signing.header_of(with_audience(audience))


def test_a_bad_signature_is_bad_before_it_is_anothers() -> None:
    with pytest.raises(BadSignature) as caught:
        signing.verify(with_audience("exchange-2"), VALUE + b"x", KEY.public_bytes, HERE)
    assert not isinstance(caught.value, OtherExchange)


@given(st.binary(max_size=200))
def test_a_header_of_any_bytes_raises_only_bad_signature(header: bytes) -> None:
    with pytest.raises(BadSignature):
        signing.header_of(with_header(header))


@pytest.mark.parametrize("kid", ["lakeside-2026-01", "did:web:lakeside.example#key-1", "Lakeside PD, 2026", "k", "x" * 128])
def test_a_party_may_name_its_own_key(kid: str) -> None:
    token = KEY.named(kid).sign(VALUE, HERE)
    signing.verify(token, VALUE, KEY.public_bytes, HERE)
    assert signing.header_of(token).kid == kid


@pytest.mark.parametrize("kid", ["", " x", "x ", "x" * 129, "\u00e4", "a\nb", str(OTHER.kid), "A" * 43])
def test_a_key_cannot_bear_every_name(kid: str) -> None:
    """Of the form of a thumbprint it must be its own: no key may take another's name before that one comes."""
    with pytest.raises(ValueError, match="key id"):
        KEY.named(kid)
    assert KEY.named(str(KEY.kid)).kid == KEY.kid


def test_an_oversize_token_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadSignature, match="at most"):
        signing.header_of("A" * 100_000 + KEY.sign(VALUE, HERE))


def test_a_second_spelling_of_the_same_signature_is_refused() -> None:
    detached = KEY.sign(VALUE, HERE)
    follower = chr(ord(detached[-1]) + 1)
    with pytest.raises(BadSignature, match="86"):
        signing.header_of(detached[:-1] + follower)


@given(st.text(max_size=400))
def test_no_text_raises_anything_but_bad_signature(text: str) -> None:
    with pytest.raises(BadSignature):
        signing.verify(text, VALUE, KEY.public_bytes, HERE)


@given(st.integers(0, 199), st.characters())
def test_no_token_with_one_character_changed_verifies(place: int, character: str) -> None:
    detached = KEY.sign(VALUE, HERE)
    changed = detached[:place] + character + detached[place + 1 :]
    if changed != detached:
        with pytest.raises(BadSignature):
            signing.verify(changed, VALUE, KEY.public_bytes, HERE)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_of_another_length_is_a_programming_error(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signing.verify(KEY.sign(VALUE, HERE), VALUE, bytes(length), HERE)


def test_a_saved_key_is_its_owners_alone_and_loads_again(tmp_path: Path) -> None:
    path = tmp_path / "agency.pem"
    KEY.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SigningKey.load(path).to_bytes() == KEY.to_bytes()
    with pytest.raises(FileExistsError):
        OTHER.save(path)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agency.pem"
    KEY.save(path)
    path.chmod(0o640)
    with pytest.raises(ValueError, match="others may read"):
        SigningKey.load(path)


@pytest.mark.parametrize(
    "spoil", [lambda pem: pem.chmod(0o644), lambda pem: pem.write_bytes(b""), lambda pem: pem.write_text("no key")]
)
def test_a_file_that_is_no_use_as_a_key_is_told_with_the_way_out(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """A copy that is put back under another umask is open to others: a start or a press says so, and no more than so."""
    keyring = FolderKeyring(tmp_path)
    key = keyring.issue("court-1")
    spoil(tmp_path / "court-1.pem")
    for use in (keyring.signer, keyring.issue):
        with pytest.raises(Halted, match=r"keys/court-1\.pem") as told:
            use("court-1")
        assert "chmod 600" in (told.value.advice or "")
        assert str(tmp_path) not in told.value.message
    assert keyring.lost() == ("court-1",)
    (tmp_path / "court-1.pem").unlink()
    key.save(tmp_path / "court-1.pem")
    assert keyring.lost() == ()


def test_a_key_shows_itself_to_nobody() -> None:
    assert repr(KEY) == f"SigningKey(kid='{KEY.kid}')"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(KEY)


def test_new_keys_differ() -> None:
    assert SigningKey.generate().kid != SigningKey.generate().kid
