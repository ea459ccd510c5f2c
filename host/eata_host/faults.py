"""The root of every error a person can meet in a command; `EataError` and the offline commands' errors."""


class Fault(Exception):
    """A stable code, one sentence, what to do next."""

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.code, self.message, self.advice = code, message, advice

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.advice}"
