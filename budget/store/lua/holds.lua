-- Reservations: reading them, and their end.
--
-- KEYS of what concerns one: meta, holds by expiry, ledger, the hold.
-- hold: state, amount, instance, scopes (keys, one a line); with an idempotency key: claim; where
--       executions are counted: activity, ordinal; once it is past its time: late

local KEEP_CLOSED_MS = 60000
local KEEP_EXPIRED_MS = 86400000

local function read_hold(key)
  local row = redis.call('HMGET', key, 'state', 'amount', 'instance', 'scopes', 'claim', 'activity',
    'ordinal')
  if not row[1] then
    return nil
  end
  local hold = {
    state = row[1], amount = row[2], instance = row[3], scopes = {}, claim = row[5],
    activity = row[6], ordinal = row[7],
  }
  for scope in string.gmatch(row[4], '[^\n]+') do
    hold.scopes[#hold.scopes + 1] = scope
  end
  return hold
end

-- Leaves RESERVED or DISPATCHED, or corrects what an expiry assumed. Without an answer that was
-- kept its idempotency key is free again.
local function close(keys, id, hold, state, delta, keep_ms)
  for _, scope in ipairs(hold.scopes) do
    redis.call('HINCRBY', scope, 'reserved', delta.reserved)
    redis.call('HINCRBY', scope, 'spent', delta.spent)
    redis.call('HINCRBY', scope, 'calls', delta.calls)
  end
  redis.call('HSET', keys[4], 'state', state)
  redis.call('PEXPIRE', keys[4], keep_ms)
  redis.call('ZREM', keys[2], id)
  free_claim(hold, id)
end

local function append_totals(reply, scopes)
  for _, scope in ipairs(scopes) do
    local row = redis.call('HMGET', scope, 'spent', 'reserved')
    reply[#reply + 1] = row[1] or '0'
    reply[#reply + 1] = row[2] or '0'
  end
  return reply
end

local function is_open(hold)
  return hold.state == 'RESERVED' or hold.state == 'DISPATCHED'
end

-- ARGV: an epoch to use when the store has none. Returns {epoch, seq}.
local function open(keys, args)
  if redis.call('HSETNX', keys[1], 'epoch', args[1]) == 1 then
    redis.call('HSET', keys[1], 'seq', '0', 'created_unix_ms', text(now_ms()))
  end
  return redis.call('HMGET', keys[1], 'epoch', 'seq')
end
