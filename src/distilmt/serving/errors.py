"""API errors: a status and one line, in LibreTranslate's format, or in OpenAI's below /v1/."""

from __future__ import annotations

from distilmt.utils.json_types import JsonObject


class ApiError(Exception):
    """A rejected request; the client gets `{"error": message}`."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        """Reject a request.

        Args:
            status: HTTP status.
            message: one line for the client.
            retry_after: seconds after which the client may repeat the request.
        """
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds, if a repetition may succeed."""
        return {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after)))}


def error_body(path: str, status: int, message: str) -> JsonObject:
    """The body of an error response of a path."""
    if not path.startswith("/v1/"):
        return {"error": message}
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
