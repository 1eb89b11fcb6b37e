"""What models cost, in US dollars."""

from rota_prices.prices import FREE, FlatPrice, Price, Tokens, is_listed, price_of

__all__ = ["FREE", "FlatPrice", "Price", "Tokens", "is_listed", "price_of"]
