"""Mistyped addresses by EIP-55, and Keccak-256 by digests that are known."""

from __future__ import annotations

import pytest

from perp_pipeline.sources.evm_checksum import is_well_typed, keccak_256
from perp_pipeline.sources.evm_events import V2, V3
from perp_pipeline.sources.pools import load_registry


def test_keccak_of_what_is_known() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak_256(b"").hex() == empty
    for event in (*V2, *V3):
        assert f"0x{keccak_256(event.signature.encode()).hex()}" == event.topic0


@pytest.mark.parametrize(
    "address",
    [
        # the examples of EIP-55
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_addresses_as_they_should_be(address: str) -> None:
    assert is_well_typed(address)
    mistyped = address[:-1] + ("0" if address[-1] != "0" else "1")
    assert is_well_typed(mistyped) == (address[2:] in (address[2:].lower(), address[2:].upper()))


def test_a_mistyped_pool_is_named() -> None:
    registry = load_registry()
    right = "ethereum:0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"
    assert registry.select((right,))[0].token0 == "USDC"
    with pytest.raises(ValueError, match="capital letters do not fit"):
        registry.select((right.replace("5640", "5641"),))
