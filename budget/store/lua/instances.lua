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
  return { record = keys[first], stop = keys[first + 1], stops = keys[first + 2] }
end

local function read_instance(place)
  local row = redis.call('HMGET', place.record, 'seen', 'state', 'since', 'reason', 'actor', 'resets',
    'most_executions', 'app')
  return {
    is_known = row[1] or row[2], state = row[2], since = row[3] or '', reason = row[4] or '',
    actor = row[5] or '', resets = row[6] or '0', most = tonumber(row[7] or '0'), app = row[8] or '',
  }
end

local function touch_instance(here, place, instance, app)
  redis.call('HSET', place.record, 'seen', here.now_text)
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
local function mark(here, place, instance, id, why)
  instance.state, instance.since = why.state, here.now_text
  instance.reason, instance.actor = why.reason, why.actor
  redis.call('HSET', place.record, 'state', why.state, 'since', here.now_text,
    'reason', why.reason, 'actor', why.actor)
  redis.call('PERSIST', place.record)
  record_trip(here, {
    kind = why.state == 'killed' and 'kill' or 'zombie', scope = 'instance', id = id,
    reason = why.reason, actor = why.actor,
  })
end

-- An instance that was only ever refused is not remembered, but its activities are for a while: one
-- that runs away into refusals becomes known when it becomes a zombie. The count of one that has
-- become known since lives on as all of them do.
local function note_stranger(here, place, strangers, activity)
  redis.call('HSET', activity, 'stranger', place.record)
  redis.call('ZADD', strangers, here.now, activity)
  if redis.call('ZCARD', strangers) > MAX_STRANGERS then
    local oldest = redis.call('ZPOPMIN', strangers)[1]
    local instance = redis.call('HGET', oldest, 'stranger')
    if not (instance and read_instance({ record = instance }).is_known) then
      redis.call('DEL', oldest)
    end
  end
end

-- How often the same call of an execution came, this time included.
local function times_of(activity, ordinal)
  return 1 + tonumber(redis.call('HGET', activity, 'call:' .. ordinal) or '0')
end

local function count_call(activity, ordinal)
  redis.call('HINCRBY', activity, 'call:' .. ordinal, 1)
  redis.call('PEXPIRE', activity, KEEP_COUNTS_MS)
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
