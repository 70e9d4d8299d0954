"""What came of the requests of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import grpc
from google.protobuf.descriptor import MethodDescriptor

from tests.fuzzing.answer import Answer
from tests.fuzzing.requests import FuzzedRequest


@dataclass(slots=True)
class Tally:
    """`resident` is the server's memory after each round, in bytes; `problems` say what must not be."""

    codes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    _of_method: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def note(self, request: FuzzedRequest, caller: str, answer: Answer) -> None:
        self.codes[answer.code.name] += 1
        self._of_method[request.method.full_name][_outcome(answer)] += 1
        self.slowest = max(self.slowest, (answer.seconds, f"{request.path} ({request.kind})"))
        if answer.problem:
            self.problems.append(f"{request.path} by {caller} ({request.kind}): {answer.problem}\n{request.excerpt()}")

    def succeeded(self, method: MethodDescriptor) -> int:
        """Answers how many requests of that RPC were answered with what they asked for."""
        return self._of_method[method.full_name][grpc.StatusCode.OK.name]

    def outcomes(self, method: MethodDescriptor) -> str:
        """Tells how requests of that RPC ended, most often first."""
        counted = self._of_method[method.full_name].most_common()
        return f"{method.full_name}: {', '.join(f'{outcome} {times}' for outcome, times in counted)}"

    def growth(self, warm_up: float) -> int:
        """Answers by how much the server is larger at the end than after `warm_up`, a part of the run, in bytes.

        The median of a tenth each: single requests of megabytes come and go.
        """
        after, tenth = self.resident[int(len(self.resident) * warm_up) :], max(len(self.resident) // 10, 1)
        return sorted(after[-tenth:])[tenth // 2] - sorted(after[:tenth])[tenth // 2]


def _outcome(answer: Answer) -> str:
    return answer.code.name if not answer.reason else f"{answer.code.name} {answer.reason}"
