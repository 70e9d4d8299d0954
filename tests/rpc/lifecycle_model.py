"""What the lifecycle of a runbook must be, said once more and as plainly as possible, to hold the server to it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ModelVersion:
    author: str
    digest: str
    status: str = "DRAFT"
    submitter: str = ""


@dataclass(slots=True)
class ModelRunbook:
    """One runbook; each method answers the reason of the refusal that is due, or "" after doing what was asked."""

    creator: str
    versions: list[ModelVersion] = field(default_factory=list)
    current: int = 0
    retired: str = ""  # "", DEPRECATED or ARCHIVED
    approved: set[str] = field(default_factory=set)

    @property
    def status(self) -> str:
        if self.retired:
            return self.retired
        if self.current:
            return "APPROVED"
        return "PENDING_REVIEW" if any(v.status == "PENDING_REVIEW" for v in self.versions) else "DRAFT"

    def revise(self, author: str, digest: str) -> str:
        if self.retired == "ARCHIVED":
            return "RUNBOOK_ARCHIVED"
        self.versions.append(ModelVersion(author, digest))
        return ""

    def submit(self, number: int, by: str) -> str:
        version = self.versions[number - 1]
        if reason := self._refused(version, "DRAFT"):
            return reason
        version.status, version.submitter = "PENDING_REVIEW", by
        return ""

    def withdraw(self, number: int) -> str:
        version = self.versions[number - 1]
        if reason := self._refused(version, "PENDING_REVIEW"):
            return reason
        version.status, version.submitter = "DRAFT", ""
        return ""

    def decide(self, number: int, by: str, *, approve: bool, right_digest: bool) -> str:
        version = self.versions[number - 1]
        if by in {self.creator, version.author, version.submitter}:
            return "SELF_APPROVAL"
        if not right_digest:
            return "DIGEST_MISMATCH"
        if reason := self._refused(version, "PENDING_REVIEW"):
            return reason
        version.status = "APPROVED" if approve else "REJECTED"
        if approve:
            self.current = number
            self.approved.add(version.digest)
        return ""

    def roll_back(self, number: int) -> str:
        if self.retired == "ARCHIVED":
            return "RUNBOOK_ARCHIVED"
        if self.versions[number - 1].status != "APPROVED":
            return "VERSION_NOT_APPROVED"
        self.current = number
        return ""

    def deprecate(self) -> str:
        if self.status != "APPROVED":
            return "ILLEGAL_TRANSITION"
        self.retired = "DEPRECATED"
        return ""

    def archive(self) -> str:
        self.retired = "ARCHIVED"
        return ""

    def restore(self) -> str:
        if not self.retired:
            return "ILLEGAL_TRANSITION"
        self.retired = ""
        return ""

    def execute(self, number: int) -> str:
        if self.status not in {"APPROVED", "DEPRECATED"}:
            return "RUNBOOK_NOT_RUNNABLE"
        return "" if self.versions[(number or self.current) - 1].status == "APPROVED" else "VERSION_NOT_APPROVED"

    def _refused(self, version: ModelVersion, needed: str) -> str:
        if self.retired == "ARCHIVED":
            return "RUNBOOK_ARCHIVED"
        return "" if version.status == needed else "ILLEGAL_TRANSITION"
