"""Amounts of US dollars as people read them."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
SMALLEST = Decimal("0.000001")


def dollars(amount: Decimal) -> str:
    """`$5.00`, `$0.0123`: cents, and as many places more as it has."""
    rounded = amount.quantize(SMALLEST, ROUND_HALF_UP).normalize()
    return f"${rounded.quantize(CENT) if rounded == rounded.quantize(CENT) else rounded:,f}"
