-- Whether a call may be made, and what follows from it.
--
-- Guarantee: a call is reserved in every scope or in none.

-- Where an answer has the kinds of trips that its call caused.
local TRIPS_IN = { ALLOW = 5, DENY = 5, STOPPED = 8 }

-- Counts a call that was decided for good, and stops whose it is when it is one too many.
local function count_decided(here, ask, case, outcome)
  local place, instance = case.place, case.instance
  if case.times > 0 then
    count_call(ask.activity, ask.ordinal)
  end
  if outcome == 'ALLOW' or outcome == 'REPLAY' or instance.is_known or case.becomes_zombie then
    touch_instance(here, place, instance, ask.app)
  end
  if case.becomes_zombie then
    mark(here, place, instance, ask.instance, why_zombie(ask, case))
  end
  local is_zombie = instance.state == 'zombie'
  if ask.stops_zombies and is_zombie and is_stop_due(place, instance.since, here.now) then
    request_stop(here, place, ask.instance, instance.app, 'gateway')
  end
  if case.times > 0 and instance.is_known then
    count_execution(place, ask.strangers, instance, ask.activity, case.times)
  elseif case.times > 0 then
    note_stranger(here, place, ask.strangers, ask.activity)
  end
end

local function hold_money(here, ask, case)
  local names, limit = {}, tightest(case.barriers, ask.amount)
  for i, scope in ipairs(case.scopes) do
    names[i], scope.n = scope.key, i
  end
  for _, barrier in ipairs(case.barriers) do
    reopen(barrier)
  end
  local lines, expires = table.concat(names, '\n'), text(here.now + ask.hold_ms)
  local seq = record(here, 'reserve', ask.id, { amount = ask.amount_text, instance = ask.instance },
    { reserved = ask.amount_text, spent = '0' },
    { 'expires', expires, 'app', ask.app, 'model', ask.model, 'tenant', ask.tenant,
      'scopes', lines, 'as', ask.state })
  for _, scope in ipairs(case.scopes) do
    hold_in(here, scope, ask.amount_text)
  end
  local hold = { 'state', ask.state, 'amount', ask.amount_text, 'instance', ask.instance,
    'scopes', lines, 'at', here.now_text }
  if limit then
    hold[#hold + 1], hold[#hold + 2] = 'limits',
      text(limit.scope.n) .. ' ' .. limit.window .. ' ' .. limit.limit_text
  end
  if ask.ordinal ~= '' then
    hold[#hold + 1], hold[#hold + 2] = 'activity', ask.activity
    hold[#hold + 1], hold[#hold + 2] = 'ordinal', ask.ordinal
  end
  if ask.body ~= '' then
    hold[#hold + 1], hold[#hold + 2] = 'claim', ask.claim
    take_claim(ask.claim, ask.body, ask.id)
  end
  redis.call('HSET', ask.hold, unpack(hold))
  redis.call('ZADD', here.holds, expires, ask.id)
  return seq
end

local function refuse(here, ask, case, outcome)
  count_refusal(here, case.scopes)
  if outcome == 'HELD' then
    return
  end
  if case.instance.is_known then
    redis.call('HINCRBY', case.place.record, 'refusals', 1)
  end
  for _, barrier in ipairs(outcome == 'SPENT' and case.barriers or {}) do
    close_to(here, barrier, ask.amount, ask.amount_text)
  end
end

-- Writes what follows from an outcome; returns the number of the ledger entry, if there is one.
local function carry_out(here, ask, case, outcome)
  local seq
  for _, scope in ipairs(outcome == 'STOPPED_SCOPE' and case.scopes or {}) do
    if scope.velocity and not scope.state then
      stop_scope(here, scope.key, 'velocity', why_too_fast(here, scope.velocity))
    end
  end
  if outcome ~= 'HELD' then
    count_decided(here, ask, case, outcome)
  end
  if outcome == 'ALLOW' then
    seq = hold_money(here, ask, case)
    watch_thresholds(here, case.barriers, ask.amount)
  elseif outcome == 'REPLAY' then
    redis.call('HINCRBY', case.place.record, 'replays', 1)
  elseif outcome ~= 'MISMATCH' then
    refuse(here, ask, case, outcome)
    watch_thresholds(here, case.barriers, 0)
  end
  return seq
end

local function stop_reply(here, ask, case, outcome)
  local kind, id, why = 'instance', ask.instance, case.instance
  if outcome == 'KILLED' then
    kind, id = 'global', ''
    why = { state = 'killed', since = here.killed, reason = here.kill_reason,
      actor = here.kill_actor }
  elseif outcome == 'STOPPED_SCOPE' then
    kind, id = name_of(case.stopped.key)
    why = case.stopped.state and read_stop(case.stopped.key)
      or why_too_fast(here, case.stopped.velocity)
  elseif not why.state then
    why = why_zombie(ask, case)
    why.since = here.now_text
  end
  return { 'STOPPED', kind, id, why.state, why.since, why.reason, why.actor, '' }
end

-- What the caller is told; the kinds of trips that it caused are put in by whoever wrote them.
local function answer(here, ask, case, outcome)
  if outcome == 'ALLOW' then
    local _, left = tightest(case.barriers, ask.amount)
    return { 'ALLOW', '0', here.now_text, left and text(left) or '', '' }
  elseif outcome == 'IN_FLIGHT' then
    return { 'IN_FLIGHT', redis.call('HGET', ask.claim, 'owner') }
  elseif outcome == 'MISMATCH' then
    return { 'MISMATCH' }
  elseif outcome == 'REPLAY' then
    local row = redis.call('HMGET', ask.claim, 'owner', 'status', 'headers', 'answer')
    return { 'REPLAY', row[1], row[2], row[3], row[4] }
  elseif outcome == 'SPENT' or outcome == 'HELD' then
    return denial(here, case.barriers, ask.amount)
  end
  return stop_reply(here, ask, case, outcome)
end

-- Returns {ALLOW, seq, at, remaining, trips}, {DENY, obstacle, n-th limit, now, trips, then of each
-- limit spent, reserved, closed amount, resets at}, {STOPPED, scope, id, state, since, reason,
-- actor, trips}, {REPLAY, owner, status, headers, answer}, {IN_FLIGHT, owner}, {MISMATCH}, {LOST,
-- epoch, seq} when the store is not the one the caller knows, or {STALE, version} when its limits
-- are not. What is not there is ''.
local function admit(keys, args, state)
  local ask, problem = read_ask(keys, args)
  if not ask then
    return refuse_argument(problem)
  end
  ask.state = state
  local here = begin(keys[1], keys[2], keys[3], keys[5])
  local strange = strangeness(here, ask)
  if strange then
    return strange
  elseif redis.call('EXISTS', ask.hold) == 1 or redis.call('ZSCORE', here.holds, ask.id) then
    return refuse_argument('this reservation exists')
  end
  local case = read_case(here, ask, keys, args)
  local outcome = decide(here, ask, case)
  if outcome == 'IN_FLIGHT' then
    return answer(here, ask, case, outcome)
  end
  local seq = carry_out(here, ask, case, outcome)
  local reply = answer(here, ask, case, outcome)
  if reply[1] == 'ALLOW' then
    reply[2] = seq
  end
  if TRIPS_IN[reply[1]] then
    reply[TRIPS_IN[reply[1]]] = table.concat(here.told, ',')
  end
  return reply
end

-- For who asks before the request is ready to be written.
local function reserve(keys, args)
  return admit(keys, args, 'RESERVED')
end

-- For who writes the request upstream with the answer: one entry says both. Should that never
-- happen, and nobody say so, the hold expires as spent.
local function reserve_dispatched(keys, args)
  return admit(keys, args, 'DISPATCHED')
end

-- KEYS, ARGV: as reserve. What it would return, without a trace; {ALLOW, '0', …} when it would
-- hold the money.
local function simulate(keys, args)
  local ask, problem = read_ask(keys, args)
  if not ask then
    return refuse_argument(problem)
  end
  local here = begin(keys[1], keys[2], keys[3], keys[5])
  local strange = strangeness(here, ask)
  if strange then
    return strange
  end
  local case = read_case(here, ask, keys, args)
  return answer(here, ask, case, decide(here, ask, case))
end
