-- How fast a scope spends; and scopes whose calls are stopped, by that or by somebody.
--
-- scope: of one that is stopped: state (killed, velocity), since, reason, actor; of one that was
--        resumed: resumed, the last ledger entry before that
--
-- The kill of all calls is in meta and that of an instance in its record, where replicas of the
-- version before look for them. A velocity counts what was spent in the last ticks, whenever its
-- calls were reserved, and never longer than its time.

local TICKS_OVER = { ['60s'] = 6, ['10m'] = 60 }

-- How much was spent too fast, nil when it was not.
local function spent_too_fast(here, scope_key, over, most)
  local spent = last_ticks(here, scope_key, 'v', TICKS_OVER[over])
  return spent > most and spent or nil
end

local function stop_scope(here, scope_key, kind, why)
  redis.call('HSET', scope_key, 'state', why.state, 'since', here.now_text, 'reason', why.reason,
    'actor', why.actor)
  redis.call('PERSIST', scope_key)
  list_scope(here, scope_key)
  local scope_kind, id = name_of(scope_key)
  record_trip(here, {
    kind = kind, scope = scope_kind, id = id, reason = why.reason, actor = why.actor,
  })
end

local function read_stop(scope_key)
  local row = redis.call('HMGET', scope_key, 'state', 'since', 'reason', 'actor')
  return { state = row[1], since = row[2], reason = row[3], actor = row[4] }
end

local function why_too_fast(here, velocity)
  return {
    state = 'velocity', since = here.now_text, actor = 'gateway',
    reason = usd(velocity.spent) .. ' were spent in the last ' .. velocity.over .. ', above '
      .. usd(velocity.most),
  }
end

-- Who resumes a scope gives it the whole velocity again: what was spent before does not count.
local function forget_velocity(here, scope_key)
  local newest = floor(here.now / BLOCK_MS)
  for block = newest - floor(TICKS_OVER['10m'] / BLOCK_TICKS), newest do
    redis.call('HDEL', block_key(scope_key, block), unpack(NAMES.v))
  end
  redis.call('HSET', scope_key, 'resumed', text(here.seq))
end

-- Returns the state that it was in, nil when its calls passed.
local function resume_scope(here, scope_key, was_stopped)
  local state = redis.call('HGET', scope_key, 'state')
  if state or was_stopped then
    redis.call('HDEL', scope_key, 'state', 'since', 'reason', 'actor')
    if redis.call('EXISTS', scope_key) == 1 then
      forget_velocity(here, scope_key)
    else
      redis.call('ZREM', index_of(scope_key), scope_key)
    end
  end
  return state or nil
end
