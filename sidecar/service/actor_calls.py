"""The one call of Dapr's general gRPC API that is served: a reminder is deleted."""

import grpc
import grpc.aio
from dapr.proto.runtime.v1.actors_pb2 import UnregisterActorReminderRequest
from google.protobuf.empty_pb2 import Empty

from sidecar.reminders.actor_api import Reminders
from sidecar.service.answers import Context, or_refused

_SERVICE = "dapr.proto.runtime.v1.Dapr"


def actor_calls(reminders: Reminders) -> grpc.GenericRpcHandler:
    """Return the handler of `UnregisterActorReminder` (recorded on 1.16.1 and 1.18.3)."""

    async def unregister(request: UnregisterActorReminderRequest, context: Context) -> Empty:
        deleting = reminders.delete(request.actor_type, request.actor_id, request.name)
        await or_refused(context, deleting)
        return Empty()

    handler = grpc.unary_unary_rpc_method_handler(
        unregister,
        request_deserializer=UnregisterActorReminderRequest.FromString,
        response_serializer=Empty.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(_SERVICE, {"UnregisterActorReminder": handler})
