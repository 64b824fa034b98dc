"""The scheduler: keeps jobs on disk and delivers each, when due, to a sidecar that takes it.

It speaks `dapr.proto.scheduler.v1.Scheduler` (scheduler_api/proto/scheduler.proto) as Dapr's does.
Its own sidecar says the same on one stream, many schedules and deliveries in a message
(sidecar/proto/link.proto).

What a sidecar can rely on in `WatchJobs`, and on that stream:

* The first message is `initial`: app id, namespace, actor types, kinds of jobs. It may be sent
  again at any time and replaces the earlier one, so a sidecar whose app has gone sends an empty
  list of actor types and gets no further reminder; what is outstanding stays outstanding. A new
  stream does as well, which is what Dapr's own sidecar opens.
* A delivery has an id that is unique within its stream. It is answered once, by that id, in any
  order and after any time: there is no deadline. An answer with another id is logged and ignored.
* A job has at most one outstanding delivery. Where several sidecars take it, they get it in turn.
* SUCCESS deletes the job. FAILED moves its next time on by the policy's interval, counted from
  the previous *next time* and not from now: what is past due by then comes back at once (the
  catch-up burst), and a job that fails for ever comes every max(interval, time that an execution
  takes).
* A stream that ends, cleanly or not, gives back its outstanding deliveries: they use no attempt
  and keep their next time, and go to another sidecar at once or wait for one. Likewise a job that
  nobody takes. So a sidecar that wants a failure counted, for instance because its app's own
  stream was cut, answers FAILED.
* A job that is deleted or overwritten while it is out is not recalled. Its late answer touches
  nothing: neither does FAILED bring it back nor SUCCESS delete its successor, which may be
  delivered while the old one is still out.
* A job that was acknowledged, by a call or on the stream, survives SIGKILL of the scheduler. After
  a restart its next time is its due time again, and a burst as long as its age follows if it fails.
* Due times are taken as they are written. Cutting them to the second, as 1.16 does with timers,
  is the sidecar's part (`Profile.due_times_cut_to_second`), because the listed `due_time` of a
  timer on real 1.16.1 is already without a fraction.
"""
