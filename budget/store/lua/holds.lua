-- Reservations: reading them, and their end.
--
-- KEYS of what concerns one: meta, holds by expiry, ledger, the hold.
-- hold: state, amount, instance, scopes (keys, one a line), at (when it was reserved), limits (of
--       the tightest: scope's place, window, limit; older replicas have one a line); with an idempotency key: claim; where
--       executions are counted: activity, ordinal; once it is past its time: late; and where it
--       expired as spent: charged, charged_seq, when that was and its ledger entry

local KEEP_CLOSED_MS = 60000
local KEEP_EXPIRED_MS = 86400000

local function begin_hold(keys)
  local here = begin(keys[1], keys[2], keys[3])
  refuse_fenced(here)
  return here
end

local function read_hold(key)
  local row = redis.call('HMGET', key, 'state', 'amount', 'instance', 'scopes', 'claim', 'activity',
    'ordinal', 'at', 'limits', 'charged', 'charged_seq')
  if not row[1] then
    return nil
  end
  local hold = {
    key = key, state = row[1], amount = row[2], instance = row[3], scopes = {}, claim = row[5],
    activity = row[6], ordinal = row[7], at = tonumber(row[8] or ''), limit = row[9] or '',
    charged_at = tonumber(row[10] or ''), charged_seq = tonumber(row[11] or ''),
  }
  for scope in string.gmatch(row[4], '[^\n]+') do
    hold.scopes[#hold.scopes + 1] = scope
  end
  return hold
end

-- Leaves RESERVED or DISPATCHED, or corrects what an expiry assumed. Without an answer that was
-- kept its idempotency key is free again.
local function close(here, id, hold, state, delta, keep_ms)
  movement(here, hold.at, delta)
  for _, scope in ipairs(hold.scopes) do
    move(here, scope, delta)
  end
  redis.call('HSET', hold.key, 'state', state)
  redis.call('PEXPIRE', hold.key, keep_ms)
  redis.call('ZREM', here.holds, id)
  free_claim(hold, id)
end

local function is_open(hold)
  return hold.state == 'RESERVED' or hold.state == 'DISPATCHED'
end

-- What the limit has left that was the tightest when the call was admitted, '' without one.
local function remaining_of(here, hold)
  local place, window, limit = string.match(hold.limit, '^(%d+) (%S+) (%d+)')
  if not place then
    return ''
  end
  local scope = read_scope(hold.scopes[tonumber(place)], fields_of(window))
  return text(tonumber(limit) - committed_of(here, scope, window))
end

-- ARGV: an epoch to use when the store has none. Returns {epoch, seq}.
local function open(keys, args)
  if redis.call('HSETNX', keys[1], 'epoch', args[1]) == 1 then
    redis.call('HSET', keys[1], 'seq', '0', 'created_unix_ms', text(now_ms()))
    seen[args[1]] = 0
  end
  return redis.call('HMGET', keys[1], 'epoch', 'seq')
end
