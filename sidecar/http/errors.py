"""Dapr's error bodies: `errorCode` and `message`."""

from aiohttp import web

NO_INSTANCE = "ERR_INSTANCE_ID_NOT_FOUND"


def refused(status: int, code: str, message: str) -> web.Response:
    """Return an error as Dapr words it."""
    return web.json_response({"errorCode": code, "message": message}, status=status)


def not_found(instance_id: str) -> web.Response:
    """Return what is said of an instance that does not exist."""
    text = f"unable to find workflow with the provided instance ID: {instance_id}"
    return refused(404, NO_INSTANCE, text)
