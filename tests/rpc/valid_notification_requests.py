"""A valid request for every RPC of NotificationService; see `valid_requests`."""
# ruff: noqa: N802 - the methods are named for the RPCs

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from oncall.v1 import notification_pb2
from oncall.v1 import notification_service_pb2 as pb
from tests.receivers import a_channel, a_dead_delivery
from tests.rpc.world import World, new_name


class NotificationService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def CreateNotificationChannel(self) -> Message:
        channel = notification_pb2.NotificationChannel(
            team_id=self._world.team_id,
            name=new_name("channel"),
            kind=notification_pb2.CHANNEL_KIND_WEBHOOK,
            target="https://hooks.example.org/in",
        )
        return pb.CreateNotificationChannelRequest(channel=channel)

    async def GetNotificationChannel(self) -> Message:
        return pb.GetNotificationChannelRequest(channel_id=await self._channel())

    async def ListNotificationChannels(self) -> Message:
        return pb.ListNotificationChannelsRequest(team_id=self._world.team_id)

    async def UpdateNotificationChannel(self) -> Message:
        channel = notification_pb2.NotificationChannel(id=await self._channel(), name=new_name("renamed"))
        return pb.UpdateNotificationChannelRequest(channel=channel, update_mask=FieldMask(paths=["name"]))

    async def DeleteNotificationChannel(self) -> Message:
        return pb.DeleteNotificationChannelRequest(channel_id=await self._channel())

    async def RotateSigningSecret(self) -> Message:
        return pb.RotateSigningSecretRequest(channel_id=await self._channel())

    async def TestNotificationChannel(self) -> Message:
        return pb.TestNotificationChannelRequest(channel_id=await self._channel(), wait=Duration())

    async def ListDeliveries(self) -> Message:
        return pb.ListDeliveriesRequest(team_id=self._world.team_id)

    async def RetryDelivery(self) -> Message:
        sessions, team = self._world.server.sessions, self._world.team
        channel = await a_channel(sessions, team, "https://hooks.example.org/in")
        return pb.RetryDeliveryRequest(delivery_id=str(await a_dead_delivery(sessions, team, channel)))

    async def _channel(self) -> str:
        channel = await a_channel(self._world.server.sessions, self._world.team, "https://hooks.example.org/in")
        return str(channel.id)
