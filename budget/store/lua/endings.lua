-- What becomes of a hold: every movement of its money is in the ledger.

-- ARGV: id. The last word before a request is written upstream. Returns {OK, seq}, {CLOSED, state}
-- or {UNKNOWN}.
local function dispatch(keys, args)
  local hold = read_hold(keys[4])
  if not hold then
    return { 'UNKNOWN' }
  elseif hold.state ~= 'RESERVED' then
    return { 'CLOSED', hold.state }
  end
  local seq = record(keys, 'dispatch', args[1], hold, { now = now_ms(), reserved = '0', spent = '0' })
  redis.call('HSET', keys[4], 'state', 'DISPATCHED')
  return { 'OK', text(seq) }
end

-- ARGV: id, hold_ms from now. Moves no money, so it leaves no ledger entry.
local function extend(keys, args)
  local hold, hold_ms = read_hold(keys[4]), tonumber(args[2])
  if not hold_ms or hold_ms < 0 then
    return refuse_argument('hold_ms must be 0 or more')
  elseif not hold then
    return { 'UNKNOWN' }
  elseif not is_open(hold) then
    return { 'CLOSED', hold.state }
  end
  redis.call('ZADD', keys[2], 'GT', now_ms() + hold_ms, args[1])
  redis.call('HDEL', keys[4], 'late')
  return { 'OK' }
end

-- ARGV: id, actual cost, '1' when the cost is an upper bound. Records the cost in full, above the
-- reservation too. Returns {OK, seq, overshoot, spent, reserved, …}, {CLOSED, state} or {UNKNOWN}.
local function settle(keys, args)
  local id, actual_text = args[1], args[2]
  local actual = amount_of(actual_text)
  if not actual then
    return refuse_argument('cost must be an integer of 0 to 9e15 nano-dollars')
  end
  local hold = read_hold(keys[4])
  if not hold then
    return { 'UNKNOWN' }
  elseif hold.state == 'SETTLED' or hold.state == 'RELEASED' then
    return { 'CLOSED', hold.state }
  end
  local delta = { now = now_ms(), reserved = '0', spent = actual_text, calls = 1 }
  if is_open(hold) then
    delta.reserved = negative(hold.amount)
  elseif hold.state == 'EXPIRED_SPENT' then
    delta.spent, delta.calls = text(actual - tonumber(hold.amount)), 0
  end
  local overshoot = math.max(0, actual - tonumber(hold.amount))
  local seq = record(keys, 'settle', id, hold, delta,
    { 'cost', actual_text, 'overshoot', text(overshoot), 'estimated', args[3] })
  close(keys, id, hold, 'SETTLED', delta, KEEP_CLOSED_MS)
  return append_totals({ 'OK', text(seq), text(overshoot) }, hold.scopes)
end

-- ARGV: id. For a call that cost nothing. An unknown id is closed all the same, so that a reserve
-- of it that is still on its way can't come true. Returns {OK}, {CLOSED, state} or {UNKNOWN}.
local function release(keys, args)
  local hold = read_hold(keys[4])
  if not hold then
    redis.call('HSET', keys[4], 'state', 'RELEASED', 'amount', '0', 'instance', '', 'scopes', '')
    redis.call('PEXPIRE', keys[4], KEEP_CLOSED_MS)
    return { 'UNKNOWN' }
  end
  local delta = { now = now_ms(), reserved = negative(hold.amount), spent = '0', calls = 0 }
  if hold.state == 'EXPIRED_SPENT' then
    delta.reserved, delta.spent, delta.calls = '0', negative(hold.amount), -1
  elseif not is_open(hold) then
    return { 'CLOSED', hold.state }
  end
  record(keys, 'release', args[1], hold, delta)
  uncount_call(hold)
  close(keys, args[1], hold, 'RELEASED', delta, KEEP_CLOSED_MS)
  return { 'OK' }
end

-- KEYS: 1 to 3. ARGV: most holds to close, prefix of a hold's key, ms that a hold lives on when it
-- is found past its time: a gateway that could not reach the store extends it then.
-- Returns {epoch, seq, id, state, …}: where the ledger is, and the holds that it closed.
local function expire(keys, args)
  local now, grace_ms, reply = now_ms(), tonumber(args[3]), { '', '' }
  local due = redis.call('ZRANGE', keys[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, args[1])
  for _, id in ipairs(due) do
    local own = { keys[1], keys[2], keys[3], args[2] .. id }
    local hold = read_hold(own[4])
    if not hold then
      redis.call('ZREM', keys[2], id)
    elseif grace_ms > 0 and redis.call('HSETNX', own[4], 'late', '1') == 1 then
      redis.call('ZADD', keys[2], now + grace_ms, id)
    else
      local delta = { now = now, reserved = negative(hold.amount), spent = '0', calls = 0 }
      local state = 'EXPIRED_RELEASED'
      if hold.state == 'DISPATCHED' then
        state, delta.spent, delta.calls = 'EXPIRED_SPENT', hold.amount, 1
      else
        uncount_call(hold)
      end
      record(own, 'expire', id, hold, delta, { 'as', state })
      close(own, id, hold, state, delta, KEEP_EXPIRED_MS)
      reply[#reply + 1] = id
      reply[#reply + 1] = state
    end
  end
  local known = redis.call('HMGET', keys[1], 'epoch', 'seq')
  reply[1], reply[2] = known[1] or '', known[2] or '0'
  return reply
end
