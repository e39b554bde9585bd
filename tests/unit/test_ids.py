"""Identifiers."""

import pytest

from comity.domain import ids


@pytest.mark.parametrize("text", ["", "WI013000", "wi0130000", "W10130000", "WI01300000", "WI013000\n"])
def test_an_ori_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no ORI"):
        ids.ori(text)
