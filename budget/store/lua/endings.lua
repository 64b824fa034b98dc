-- What becomes of a hold: every movement of its money is in the ledger.

-- ARGV: id. The last word before a request is written upstream, where its reservation was not that
-- already. Returns {OK, seq, at}, {CLOSED,
-- state} or {UNKNOWN}.
local function dispatch(keys, args)
  local here, hold = begin_hold(keys), read_hold(keys[4])
  if not hold then
    return { 'UNKNOWN' }
  elseif hold.state ~= 'RESERVED' then
    return { 'CLOSED', hold.state }
  end
  local seq = record(here, 'dispatch', args[1], hold, { reserved = '0', spent = '0' })
  redis.call('HSET', hold.key, 'state', 'DISPATCHED')
  return { 'OK', seq, here.now_text }
end

-- ARGV: id, hold_ms from now. Moves no money, so it leaves no ledger entry.
local function extend(keys, args)
  local here, hold, hold_ms = begin_hold(keys), read_hold(keys[4]), tonumber(args[2])
  if not hold_ms or hold_ms < 0 then
    return refuse_argument('hold_ms must be 0 or more')
  elseif not hold then
    return { 'UNKNOWN' }
  elseif not is_open(hold) then
    return { 'CLOSED', hold.state }
  end
  redis.call('ZADD', here.holds, 'GT', here.now + hold_ms, args[1])
  redis.call('HDEL', hold.key, 'late')
  return { 'OK' }
end

-- What an expiry assumed was spent then, and is corrected there. Of one by a replica of the version
-- before, ticks have not heard.
local function correct(delta, hold, actual_text)
  delta.charged_at, delta.charged_seq = hold.charged_at, hold.charged_seq
  delta.ticked = not hold.charged_at and actual_text
end

-- ARGV: id, actual cost, '1' when the cost is an upper bound. Records the cost in full, above the
-- reservation too. Returns {OK, seq, at, overshoot, remaining}, {CLOSED, state} or {UNKNOWN}.
local function settle(keys, args)
  local id, actual_text = args[1], args[2]
  local actual = amount_of(actual_text)
  if not actual then
    return refuse_argument('cost must be an integer of 0 to 9e15 nano-dollars')
  end
  local here, hold = begin_hold(keys), read_hold(keys[4])
  if not hold then
    return { 'UNKNOWN' }
  elseif hold.state == 'SETTLED' or hold.state == 'RELEASED' then
    return { 'CLOSED', hold.state }
  end
  local delta = { reserved = '0', spent = actual_text, calls = '1' }
  if is_open(hold) then
    delta.reserved = negative(hold.amount)
  elseif hold.state == 'EXPIRED_SPENT' then
    delta.spent, delta.calls = text(actual - tonumber(hold.amount)), '0'
    correct(delta, hold, actual_text)
  end
  local overshoot = text(math.max(0, actual - tonumber(hold.amount)))
  local seq = record(here, 'settle', id, hold, delta,
    { 'cost', actual_text, 'overshoot', overshoot, 'estimated', args[3] })
  close(here, id, hold, 'SETTLED', delta, KEEP_CLOSED_MS)
  return { 'OK', seq, here.now_text, overshoot, remaining_of(here, hold) }
end

-- ARGV: id. For a call that cost nothing. An unknown id is closed all the same, so that a reserve
-- of it that is still on its way can't come true. Returns {OK, seq, at}, {CLOSED, state} or
-- {UNKNOWN}.
local function release(keys, args)
  local here, hold = begin_hold(keys), read_hold(keys[4])
  if not hold then
    redis.call('HSET', keys[4], 'state', 'RELEASED', 'amount', '0', 'instance', '', 'scopes', '')
    redis.call('PEXPIRE', keys[4], KEEP_CLOSED_MS)
    return { 'UNKNOWN' }
  end
  local delta = { reserved = negative(hold.amount), spent = '0', calls = '0' }
  if hold.state == 'EXPIRED_SPENT' then
    delta.reserved, delta.spent, delta.calls = '0', negative(hold.amount), '-1'
    correct(delta, hold, '0')
  elseif not is_open(hold) then
    return { 'CLOSED', hold.state }
  end
  local seq = record(here, 'release', args[1], hold, delta)
  uncount_call(hold)
  close(here, args[1], hold, 'RELEASED', delta, KEEP_CLOSED_MS)
  return { 'OK', seq, here.now_text }
end

-- Closes a hold past its time; returns its state and its ledger entry.
local function expire_hold(here, id, hold)
  local delta = { reserved = negative(hold.amount), spent = '0', calls = '0' }
  local state = 'EXPIRED_RELEASED'
  if hold.state == 'DISPATCHED' then
    state, delta.spent, delta.calls = 'EXPIRED_SPENT', hold.amount, '1'
  else
    uncount_call(hold)
  end
  local seq = record(here, 'expire', id, hold, delta, { 'as', state })
  if state == 'EXPIRED_SPENT' then
    redis.call('HSET', hold.key, 'charged', here.now_text, 'charged_seq', seq)
  end
  close(here, id, hold, state, delta, KEEP_EXPIRED_MS)
  return state, seq
end

-- KEYS: 1 to 3. ARGV: most holds to close, prefix of a hold's key, ms that a hold lives on when it
-- is found past its time: a gateway that could not reach the store extends it then.
-- Returns {epoch, seq, id, state, entry's seq, at, …}: where the ledger is, and the holds that it
-- closed; in place of those RECOVERING, when nobody has vouched for the ledger.
local function expire(keys, args)
  local here, grace_ms, reply = begin(keys[1], keys[2], keys[3]), tonumber(args[3]), { '', '' }
  if here.epoch ~= '' and is_fenced(here) then
    return { here.epoch, text(here.seq), 'RECOVERING' }
  end
  local due = redis.call('ZRANGE', here.holds, '-inf', here.now, 'BYSCORE', 'LIMIT', 0, args[1])
  for _, id in ipairs(due) do
    local hold = read_hold(args[2] .. id)
    if not hold then
      redis.call('ZREM', here.holds, id)
    elseif grace_ms > 0 and redis.call('HSETNX', hold.key, 'late', '1') == 1 then
      redis.call('ZADD', here.holds, here.now + grace_ms, id)
    else
      local state, seq = expire_hold(here, id, hold)
      for _, value in ipairs({ id, state, seq, here.now_text }) do
        reply[#reply + 1] = value
      end
    end
  end
  reply[1], reply[2] = here.epoch, text(here.seq)
  return reply
end
