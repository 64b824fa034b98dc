-- Kill and resume, of all calls or of one scope of any kind.

-- KEYS of both: meta, trips, instance, stop, stops, the scope.
local function begin_switch(keys)
  return begin(keys[1], nil, nil, keys[2]), place_of(keys, 3), keys[6]
end

local function kill_all(here, why)
  if here.killed then
    return 0
  end
  redis.call('HSET', here.meta, 'killed', here.now_text, 'kill_reason', why.reason,
    'kill_actor', why.actor)
  record_trip(here, {
    kind = 'kill', scope = 'global', id = '', reason = why.reason, actor = why.actor,
  })
  return 1
end

local function kill_instance(here, place, id, why, app, is_stopped)
  local instance, is_new = read_instance(place), 0
  if instance.state ~= 'killed' then
    mark(here, place, instance, id, why)
    is_new = 1
  end
  if app ~= '' then
    redis.call('HSET', place.record, 'app', app)
  end
  if is_stopped then
    request_stop(here, place, id, app, why.actor)
  end
  return is_new
end

-- ARGV: scope, id, reason, actor, app, '1' to stop an instance at its source too. Returns 1 when it
-- was not killed before, else 0.
local function kill(keys, args)
  local here, place, scope_key = begin_switch(keys)
  local scope, id, reason, actor, app = unpack(args)
  local why = { state = 'killed', reason = reason, actor = actor }
  if scope == 'global' then
    return kill_all(here, why)
  elseif scope == 'instance' then
    return kill_instance(here, place, id, why, app, args[6] == '1')
  elseif redis.call('HGET', scope_key, 'state') == 'killed' then
    return 0
  end
  stop_scope(here, scope_key, 'kill', why)
  return 1
end

-- An instance begins its counts anew, and is not stopped at its source any more.
local function resume_instance(here, place)
  local instance = read_instance(place)
  if not instance.state then
    return nil
  end
  redis.call('HDEL', place.record, 'state', 'since', 'reason', 'actor', 'activities', 'executions',
    'most_executions')
  redis.call('HINCRBY', place.record, 'resets', 1)
  redis.call('HSET', place.record, 'seen', here.now_text)
  redis.call('PEXPIRE', place.record, KEEP_COUNTS_MS)
  return instance.state
end

-- ARGV: scope, id, reason, actor. Returns 1 when it could not call before, else 0.
local function resume(keys, args)
  local here, place, scope_key = begin_switch(keys)
  local scope, id, reason, actor = unpack(args)
  local states = {}
  if scope == 'global' and here.killed then
    redis.call('HDEL', here.meta, 'killed', 'kill_reason', 'kill_actor')
    states[1] = 'killed'
  elseif scope == 'instance' then
    states[1] = resume_instance(here, place)
  end
  local is_instance = states[1] and scope == 'instance'
  states[#states + 1] = resume_scope(here, scope_key, states[1])
  if #states == 0 then
    return 0
  end
  record_trip(here, {
    kind = 'resume', scope = scope, id = id, reason = reason, actor = actor,
    detail = 'was ' .. table.concat(states, ' and '),
  })
  if is_instance and redis.call('HGET', place.stop, 'state') == 'pending' then
    end_stop(here, place, 'failed', 'the instance was resumed')
  end
  return 1
end
