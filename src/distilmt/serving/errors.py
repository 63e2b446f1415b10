"""How requests are refused: a status and one line, as LibreTranslate tells it."""

from __future__ import annotations


class ApiError(Exception):
    """A request that is not answered; the client is told `{"error": message}`."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        """Refuse.

        Args:
            status: HTTP status.
            message: one line for whoever asked.
            retry_after: seconds after which the same request may do better.
        """
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After`, in whole seconds, where it may help."""
        return {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after)))}
