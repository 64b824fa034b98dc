-- What is known of a workflow instance beside its money, and whether it may call at all.
--
-- instance: app, seen, resets, activities, executions, most_executions, replays, refusals, and of
--           one that may not call: state (killed, zombie), since, reason, actor
-- activity: how often each call of it was decided for good, by the call's ordinal; executions, as
--           far as the instance was told. A resume begins new ones.
--
--           While its instance is not known: stranger, where that would be kept
-- strangers: activities of instances that are not known, by when they were last refused
--
-- What is counted is forgotten a week after it was last touched, and of strangers all but the last
-- so many; that an instance may not call is never forgotten.

local MAX_STRANGERS = 10000

local function place_of(keys, first)
  return {
    meta = keys[1], trips = keys[first], record = keys[first + 1], stop = keys[first + 2],
    stops = keys[first + 3],
  }
end

local function read_instance(place)
  local row = redis.call('HMGET', place.record, 'seen', 'state', 'since', 'reason', 'actor', 'resets',
    'most_executions', 'app')
  return {
    is_known = row[1] or row[2], state = row[2], since = row[3] or '', reason = row[4] or '',
    actor = row[5] or '', resets = row[6] or '0', most = tonumber(row[7] or '0'), app = row[8] or '',
  }
end

local function touch_instance(place, instance, now, app)
  redis.call('HSET', place.record, 'seen', text(now))
  if app ~= '' then
    redis.call('HSET', place.record, 'app', app)
    instance.app = app
  end
  if not instance.state then
    redis.call('PEXPIRE', place.record, KEEP_COUNTS_MS)
  end
  instance.is_known = true
end

-- Lets no call of the instance pass any more.
local function mark(place, instance, now, id, why)
  instance.state, instance.since = why.state, text(now)
  instance.reason, instance.actor = why.reason, why.actor
  redis.call('HSET', place.record, 'state', why.state, 'since', text(now), 'reason', why.reason,
    'actor', why.actor)
  redis.call('PERSIST', place.record)
  record_trip(place.meta, place.trips, {
    now = now, kind = why.state == 'killed' and 'kill' or 'zombie', scope = 'instance', id = id,
    reason = why.reason, actor = why.actor, detail = why.detail,
  })
end

-- An instance that was only ever refused is not remembered, but its activities are for a while: one
-- that runs away into refusals becomes known when it becomes a zombie. The count of one that has
-- become known since lives on as all of them do.
local function note_stranger(place, strangers, activity, now)
  redis.call('HSET', activity, 'stranger', place.record)
  redis.call('ZADD', strangers, now, activity)
  if redis.call('ZCARD', strangers) > MAX_STRANGERS then
    local oldest = redis.call('ZPOPMIN', strangers)[1]
    local instance = redis.call('HGET', oldest, 'stranger')
    if not (instance and read_instance({ record = instance }).is_known) then
      redis.call('DEL', oldest)
    end
  end
end

-- Counts one call of an execution; returns how often that same call came.
local function count_call(activity, ordinal)
  local times = redis.call('HINCRBY', activity, 'call:' .. ordinal, 1)
  redis.call('PEXPIRE', activity, KEEP_COUNTS_MS)
  return times
end

-- Adds to the instance's figures what a call says of its activity's executions.
local function count_execution(place, strangers, instance, activity, times)
  local told = tonumber(redis.call('HGET', activity, 'executions') or '0')
  if times <= told then
    return
  end
  redis.call('HSET', activity, 'executions', text(times))
  redis.call('HINCRBY', place.record, 'executions', times - told)
  if told == 0 then
    redis.call('HINCRBY', place.record, 'activities', 1)
    redis.call('ZREM', strangers, activity)
  end
  if times > instance.most then
    redis.call('HSET', place.record, 'most_executions', text(times))
  end
end

-- A call that cost nothing was not decided for good: it may come again in the same execution.
local function uncount_call(hold)
  if hold.activity and redis.call('HEXISTS', hold.activity, 'call:' .. hold.ordinal) == 1 then
    redis.call('HINCRBY', hold.activity, 'call:' .. hold.ordinal, -1)
  end
end

-- KEYS: meta, trips, instance, stop, stops. ARGV: scope, id, reason, actor, app, '1' to stop it at
-- its source too. Returns 1 when it was not killed before, else 0.
local function kill(keys, args)
  local now, place = now_ms(), place_of(keys, 2)
  local scope, id, reason, actor, app = unpack(args)
  if scope == 'global' then
    if redis.call('HEXISTS', place.meta, 'killed') == 1 then
      return 0
    end
    redis.call('HSET', place.meta, 'killed', text(now), 'kill_reason', reason, 'kill_actor', actor)
    record_trip(place.meta, place.trips,
      { now = now, kind = 'kill', scope = scope, id = '', reason = reason, actor = actor })
    return 1
  end
  local instance, is_new = read_instance(place), 0
  if instance.state ~= 'killed' then
    mark(place, instance, now, id, { state = 'killed', reason = reason, actor = actor })
    is_new = 1
  end
  if app ~= '' then
    redis.call('HSET', place.record, 'app', app)
  end
  if args[6] == '1' then
    request_stop(place, now, id, app, actor)
  end
  return is_new
end

-- KEYS: as kill. ARGV: scope, id, reason, actor. Returns 1 when it could not call before, else 0.
-- An instance begins its counts anew, and is not stopped at its source any more.
local function resume(keys, args)
  local now, place = now_ms(), place_of(keys, 2)
  local scope, id, reason, actor = unpack(args)
  local trip =
    { now = now, kind = 'resume', scope = scope, id = id, reason = reason, actor = actor }
  if scope == 'global' then
    if redis.call('HDEL', place.meta, 'killed', 'kill_reason', 'kill_actor') == 0 then
      return 0
    end
    record_trip(place.meta, place.trips, trip)
    return 1
  end
  local instance = read_instance(place)
  if not instance.state then
    return 0
  end
  trip.detail = 'was ' .. instance.state
  redis.call('HDEL', place.record, 'state', 'since', 'reason', 'actor', 'activities', 'executions',
    'most_executions')
  redis.call('HINCRBY', place.record, 'resets', 1)
  redis.call('HSET', place.record, 'seen', text(now))
  redis.call('PEXPIRE', place.record, KEEP_COUNTS_MS)
  record_trip(place.meta, place.trips, trip)
  if redis.call('HGET', place.stop, 'state') == 'pending' then
    end_stop(place, now, 'failed', 'the instance was resumed')
  end
  return 1
end
