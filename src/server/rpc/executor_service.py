"""ExecutorService: translates, calls, translates."""

from __future__ import annotations

from oncall.v1 import execution_pb2, executor_pb2, executor_service_pb2_grpc
from oncall.v1 import executor_service_pb2 as pb
from server.domain.executor import Executor
from server.operations import read_executors
from server.operations.environment import Environment
from server.rpc.conversion import enum_to_pb, page_request, time_to_pb
from server.rpc.current_call import current_call
from server.rpc.interception import Context


class ExecutorService(executor_service_pb2_grpc.ExecutorServiceServicer):
    def __init__(self, env: Environment) -> None:
        self._env = env

    async def ListExecutors(self, request: pb.ListExecutorsRequest, context: Context) -> pb.ListExecutorsResponse:
        found = await read_executors.list_executors(self._env, current_call(), page_request(request))
        return pb.ListExecutorsResponse(executors=found.map(_to_pb), next_page_token=found.next_token)


def _to_pb(executor: Executor) -> executor_pb2.Executor:
    return executor_pb2.Executor(
        id=executor.id,
        host=executor.host,
        pid=executor.pid,
        version=executor.version,
        tags=executor.tags,
        concurrency=executor.concurrency,
        running=executor.running,
        isolation=[execution_pb2.IsolationLayer(**layer) for layer in executor.isolation],
        started_at=time_to_pb(executor.started_at),
        seen_at=time_to_pb(executor.seen_at),
        state=enum_to_pb(executor_pb2.ExecutorState, "EXECUTOR_STATE_", executor.state),
    )
