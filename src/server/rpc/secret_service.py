"""SecretService: translates, calls, translates. A request with a value is handed on and kept nowhere."""

from __future__ import annotations

from kernel.cipher import Cipher
from oncall.v1 import secret_pb2, secret_service_pb2_grpc
from oncall.v1 import secret_service_pb2 as pb
from server.domain.secret import Secret
from server.operations import administer_secrets
from server.operations.environment import Environment
from server.rpc.conversion import page_request, time_to_pb
from server.rpc.current_call import current_call
from server.rpc.interception import Context


class SecretService(secret_service_pb2_grpc.SecretServiceServicer):
    def __init__(self, env: Environment, cipher: Cipher) -> None:
        self._env = env
        self._cipher = cipher

    async def PutSecret(self, request: pb.PutSecretRequest, context: Context) -> pb.PutSecretResponse:
        secret = await administer_secrets.put_secret(
            self._env, current_call(), self._cipher, team_id=request.team_id, name=request.name, value=request.value
        )
        return pb.PutSecretResponse(secret=secret_to_pb(secret))

    async def ListSecrets(self, request: pb.ListSecretsRequest, context: Context) -> pb.ListSecretsResponse:
        page = await administer_secrets.list_secrets(self._env, current_call(), request.team_id, page_request(request))
        return pb.ListSecretsResponse(secrets=page.map(secret_to_pb), next_page_token=page.next_token)

    async def DeleteSecret(self, request: pb.DeleteSecretRequest, context: Context) -> pb.DeleteSecretResponse:
        await administer_secrets.delete_secret(self._env, current_call(), team_id=request.team_id, name=request.name)
        return pb.DeleteSecretResponse()


def secret_to_pb(secret: Secret) -> secret_pb2.Secret:
    return secret_pb2.Secret(
        team_id=str(secret.team_id),
        name=secret.name,
        created_by=str(secret.created_by),
        created_at=time_to_pb(secret.created_at),
        updated_by=str(secret.updated_by),
        updated_at=time_to_pb(secret.updated_at),
    )
