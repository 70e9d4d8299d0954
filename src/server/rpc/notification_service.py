"""NotificationService: translates, calls, translates. A request with a target is handed on and kept nowhere."""

from __future__ import annotations

from oncall.v1 import notification_service_pb2 as pb
from oncall.v1 import notification_service_pb2_grpc
from server.operations import change_channel, read_channels, try_channel
from server.operations.create_channel import ChannelKeys, create_channel
from server.operations.environment import Environment
from server.rpc.conversion import page_request, request_key
from server.rpc.current_call import current_call
from server.rpc.interception import Context
from server.rpc.notification_conversion import (
    channel_from_pb,
    channel_to_pb,
    delivery_to_pb,
    query_from_pb,
    update_from_pb,
    wait_from_pb,
)


class NotificationService(notification_service_pb2_grpc.NotificationServiceServicer):
    def __init__(self, env: Environment, keys: ChannelKeys) -> None:
        self._env = env
        self._keys = keys

    async def CreateNotificationChannel(
        self, request: pb.CreateNotificationChannelRequest, context: Context
    ) -> pb.CreateNotificationChannelResponse:
        channel, secret = await create_channel(
            self._env, self._keys, current_call(), channel_from_pb(request.channel), request_key(request)
        )
        return pb.CreateNotificationChannelResponse(channel=channel_to_pb(channel), signing_secret=secret)

    async def GetNotificationChannel(
        self, request: pb.GetNotificationChannelRequest, context: Context
    ) -> pb.GetNotificationChannelResponse:
        channel = await read_channels.get_channel(self._env, current_call(), request.channel_id)
        return pb.GetNotificationChannelResponse(channel=channel_to_pb(channel))

    async def ListNotificationChannels(
        self, request: pb.ListNotificationChannelsRequest, context: Context
    ) -> pb.ListNotificationChannelsResponse:
        page = await read_channels.list_channels(self._env, current_call(), request.team_id, page_request(request))
        return pb.ListNotificationChannelsResponse(channels=page.map(channel_to_pb), next_page_token=page.next_token)

    async def UpdateNotificationChannel(
        self, request: pb.UpdateNotificationChannelRequest, context: Context
    ) -> pb.UpdateNotificationChannelResponse:
        channel = await change_channel.update_channel(self._env, self._keys, current_call(), update_from_pb(request))
        return pb.UpdateNotificationChannelResponse(channel=channel_to_pb(channel))

    async def DeleteNotificationChannel(
        self, request: pb.DeleteNotificationChannelRequest, context: Context
    ) -> pb.DeleteNotificationChannelResponse:
        await change_channel.delete_channel(self._env, current_call(), request.channel_id, request.etag)
        return pb.DeleteNotificationChannelResponse()

    async def RotateSigningSecret(
        self, request: pb.RotateSigningSecretRequest, context: Context
    ) -> pb.RotateSigningSecretResponse:
        rotation = await change_channel.rotate_signing_secret(self._env, self._keys, current_call(), request.channel_id)
        return pb.RotateSigningSecretResponse(channel=channel_to_pb(rotation.channel), signing_secret=rotation.secret)

    async def TestNotificationChannel(
        self, request: pb.TestNotificationChannelRequest, context: Context
    ) -> pb.TestNotificationChannelResponse:
        delivery = await try_channel.try_channel(self._env, current_call(), request.channel_id, wait_from_pb(request))
        return pb.TestNotificationChannelResponse(delivery=delivery_to_pb(delivery))

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Context) -> pb.ListDeliveriesResponse:
        page = await read_channels.list_deliveries(
            self._env, current_call(), query_from_pb(request), page_request(request)
        )
        return pb.ListDeliveriesResponse(deliveries=page.map(delivery_to_pb), next_page_token=page.next_token)

    async def RetryDelivery(self, request: pb.RetryDeliveryRequest, context: Context) -> pb.RetryDeliveryResponse:
        delivery = await try_channel.retry_delivery(self._env, current_call(), request.delivery_id)
        return pb.RetryDeliveryResponse(delivery=delivery_to_pb(delivery))
