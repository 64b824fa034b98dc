"""The protobuf messages of Dapr's workflow protocol, from the SDK's own stubs.

One place that knows where the SDK keeps them, so that a new SDK moves one module.
"""
