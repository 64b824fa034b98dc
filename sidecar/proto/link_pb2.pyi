from scheduler_api.proto import scheduler_pb2 as _scheduler_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FromSidecar(_message.Message):
    __slots__ = ("initial", "schedules", "results")
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    initial: _scheduler_pb2.WatchJobsRequestInitial
    schedules: _containers.RepeatedCompositeFieldContainer[Schedule]
    results: _containers.RepeatedCompositeFieldContainer[_scheduler_pb2.WatchJobsRequestResult]
    def __init__(self, initial: _Optional[_Union[_scheduler_pb2.WatchJobsRequestInitial, _Mapping]] = ..., schedules: _Optional[_Iterable[_Union[Schedule, _Mapping]]] = ..., results: _Optional[_Iterable[_Union[_scheduler_pb2.WatchJobsRequestResult, _Mapping]]] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("id", "request")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    id: int
    request: _scheduler_pb2.ScheduleJobRequest
    def __init__(self, id: _Optional[int] = ..., request: _Optional[_Union[_scheduler_pb2.ScheduleJobRequest, _Mapping]] = ...) -> None: ...

class FromScheduler(_message.Message):
    __slots__ = ("scheduled", "deliveries")
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    scheduled: _containers.RepeatedCompositeFieldContainer[Scheduled]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, scheduled: _Optional[_Iterable[_Union[Scheduled, _Mapping]]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class Scheduled(_message.Message):
    __slots__ = ("id", "code", "details")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: int
    details: str
    def __init__(self, id: _Optional[int] = ..., code: _Optional[int] = ..., details: _Optional[str] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("id", "name", "metadata", "job")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    metadata: bytes
    job: bytes
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., metadata: _Optional[bytes] = ..., job: _Optional[bytes] = ...) -> None: ...
