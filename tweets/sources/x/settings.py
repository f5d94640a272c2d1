from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class XSettings:
    """What an operator can set for X, as X_BEARER_TOKEN and so on.

    The repr doesn't contain the token, so logs and error pages don't either.
    """

    bearer_token: str = field(default="", repr=False)
    api_url: str = "https://api.x.com"
    post_price: Decimal = Decimal("0.005")  # dollars for each post that is read
    user_price: Decimal = Decimal("0.01")  # dollars for each account that is looked up
    monthly_posts: int = 20_000
