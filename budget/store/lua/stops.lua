-- Stops of instances at their source: who asked, who is at it, what came of it.
--
-- stop:  state (pending, stopped, failed), id, app, actor, requested, attempts, taken (an attempt
--        is under way), deleted, left, jobs, error, ended
-- stops: the stop keys that are pending, by when they are due; a stop that was taken is due again
--        when its lease ends, so it outlives whoever took it. One that ended is forgotten as counts
--        are.

local MAX_PENDING_STOPS = 10000
local STOP_AGAIN_AFTER_MS = 60000

local function end_stop(here, place, state, why)
  redis.call('HSET', place.stop, 'state', state, 'ended', here.now_text, 'error', why)
  redis.call('PEXPIRE', place.stop, KEEP_COUNTS_MS)
  redis.call('ZREM', place.stops, place.stop)
  local stop = redis.call('HMGET', place.stop, 'id', 'actor', 'deleted')
  record_trip(here, {
    kind = 'source_stop', scope = 'instance', id = stop[1], reason = state,
    actor = stop[2], detail = why == '' and stop[3] .. ' jobs deleted' or why,
  })
end

-- Asks for a stop; of one that is pending the next attempt is made at once.
local function request_stop(here, place, id, app, actor)
  local known = redis.call('HMGET', place.stop, 'state', 'taken')
  if known[1] == 'pending' then
    if app ~= '' then
      redis.call('HSET', place.stop, 'app', app)
    end
    if not known[2] then
      redis.call('ZADD', place.stops, here.now, place.stop)
    end
    return
  end
  redis.call('DEL', place.stop)
  redis.call('HSET', place.stop, 'state', 'pending', 'id', id, 'app', app, 'actor', actor,
    'requested', here.now_text, 'attempts', '0', 'deleted', '0', 'jobs', '[]', 'error', '')
  if redis.call('ZCARD', place.stops) >= MAX_PENDING_STOPS then
    end_stop(here, place, 'failed', 'too many stops are pending')
  else
    redis.call('ZADD', place.stops, here.now, place.stop)
  end
end

-- A zombie that still calls a while after its stop ended has got new jobs, or kept its old ones. A
-- stop that ended before the instance was marked was another mark's.
local function is_stop_due(place, since, now)
  local stop = redis.call('HMGET', place.stop, 'state', 'ended')
  local ended = tonumber(stop[2] or '0')
  return stop[1] ~= 'pending' and (ended <= tonumber(since) or now - ended >= STOP_AGAIN_AFTER_MS)
end

local function take_stop(stops, stop, lease_ends, reply)
  redis.call('ZADD', stops, lease_ends, stop)
  redis.call('HSET', stop, 'taken', '1')
  local attempt = redis.call('HINCRBY', stop, 'attempts', 1)
  local row = redis.call('HMGET', stop, 'id', 'app', 'requested', 'jobs')
  for _, value in ipairs({ stop, row[1], row[2], row[3], text(attempt), row[4] }) do
    reply[#reply + 1] = value
  end
end

-- KEYS: the pending stops. ARGV: how many to look at, for how long to take them. Takes those of one
-- app, whose attempt is made at once: others would wait under a lease that runs already.
-- Returns {stop key, id, app, requested, attempt, jobs, …}.
local function take_stops(keys, args)
  local now, app, reply = now_ms(), nil, {}
  local due = redis.call('ZRANGE', keys[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, args[1])
  for _, stop in ipairs(due) do
    local row = redis.call('HMGET', stop, 'state', 'app')
    if row[1] ~= 'pending' then
      redis.call('ZREM', keys[1], stop)
    elseif row[2] == (app or row[2]) then
      app = row[2]
      take_stop(keys[1], stop, now + tonumber(args[2]), reply)
    end
  end
  return reply
end

-- KEYS: meta, trips, the stop, the pending stops. ARGV: requested, attempt, state, jobs deleted,
-- jobs left ('' is unknown), jobs as JSON, error, ms until the next attempt, ms after which there is
-- none. Returns the state that it has now, '' when another attempt or a resume came in between.
local function report_stop(keys, args)
  local here, place = begin(keys[1], nil, nil, keys[2]), { stop = keys[3], stops = keys[4] }
  local stop = redis.call('HMGET', place.stop, 'state', 'requested', 'attempts')
  if stop[1] ~= 'pending' or stop[2] ~= args[1] or stop[3] ~= args[2] then
    return ''
  end
  local state, why = args[3], args[7]
  local age_ms = here.now - tonumber(stop[2])
  if state == 'pending' and age_ms >= tonumber(args[9]) then
    state, why = 'failed', 'given up after ' .. text(math.floor(age_ms / 1000)) .. ' s: ' .. why
  end
  redis.call('HINCRBY', place.stop, 'deleted', args[4])
  redis.call('HSET', place.stop, 'left', args[5], 'jobs', args[6], 'error', why)
  redis.call('HDEL', place.stop, 'taken')
  if state == 'pending' then
    redis.call('ZADD', place.stops, here.now + tonumber(args[8]), place.stop)
  else
    end_stop(here, place, state, why)
  end
  return state
end
