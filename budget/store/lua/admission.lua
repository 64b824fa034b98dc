-- Whether a call may be made: who is stopped, then its velocity, its idempotency key, its money.
--
-- Guarantee: a call is reserved in every scope or in none.
--
-- KEYS: meta, holds, ledger, hold, trips, instance, stop, stops, strangers, activity, claim, then
-- each scope.
local FIRST_SCOPE = 12
-- ARGV: id, amount, hold_ms, epoch, least seq, version of the limits, instance, app, tenant, model,
-- digest of the request ('' without an idempotency key), ordinal of the call in its execution (''
-- when executions are not counted), at how many executions an instance becomes a zombie ('' never,
-- 'ignore' when it is no matter whether it is one, or whether a scope spent too fast), '1' when a
-- zombie is stopped at its source, the activity for people, how many limits there are; of each its
-- scope's place, window and amount; then of each velocity its scope's place, time and amount.
local FIRST_LIMIT = 17

-- Where an answer has the kinds of trips that its call caused.
local TRIPS_IN = { ALLOW = 5, DENY = 5, STOPPED = 8 }

local function read_ask(keys, args)
  local ask = {
    id = args[1], amount_text = args[2], amount = amount_of(args[2]), hold_ms = tonumber(args[3]),
    epoch = args[4], least_seq = tonumber(args[5]), limits_version = args[6], instance = args[7],
    app = args[8], tenant = args[9], model = args[10], body = args[11], ordinal = args[12],
    zombie_at = tonumber(args[13]), only_observes = args[13] == 'ignore',
    stops_zombies = args[14] == '1', activity_label = args[15], limits = tonumber(args[16]),
    hold = keys[4], strangers = keys[9], activity = keys[10], claim = keys[11],
  }
  if not ask.amount then
    return nil, 'amount must be an integer of 0 to 9e15 nano-dollars'
  elseif not ask.hold_ms or ask.hold_ms < 0 then
    return nil, 'hold_ms must be 0 or more'
  elseif #keys < FIRST_SCOPE or not ask.limits or (#args - FIRST_LIMIT + 1) % 3 ~= 0
    or #args < FIRST_LIMIT - 1 + 3 * ask.limits then
    return nil, 'a call has one scope or more, and each of its limits three arguments'
  end
  for i = FIRST_LIMIT, #args, 3 do
    local scope, is_known = tonumber(args[i]), TICKS_OVER[args[i + 1]]
    if i < FIRST_LIMIT + 3 * ask.limits then
      is_known = is_window(args[i + 1])
    end
    if not (scope and scope >= 1 and keys[FIRST_SCOPE - 1 + scope] and is_known) then
      return nil, 'no such scope or window: ' .. args[i] .. ' ' .. args[i + 1]
    elseif not amount_of(args[i + 2]) then
      return nil, 'a limit must be an integer of 0 to 9e15 nano-dollars'
    end
  end
  return ask
end

-- Why the store is not the one that the caller knows, or the caller does not know its limits.
local function strangeness(here, ask)
  if here.epoch ~= ask.epoch or here.seq < ask.least_seq then
    return { 'LOST', here.epoch, text(here.seq) }
  elseif here.limits_version ~= ask.limits_version then
    return { 'STALE', here.limits_version }
  end
  return nil
end

-- All that a decision is made of.
local function read_case(here, ask, keys, args)
  local case = { scopes = {}, barriers = {}, place = place_of(keys, 6), times = 0 }
  case.instance = read_instance(case.place)
  if ask.ordinal ~= '' then
    ask.activity = ask.activity .. ':' .. case.instance.resets
    case.times = times_of(ask.activity, ask.ordinal)
  end
  for i = FIRST_SCOPE, #keys do
    case.scopes[#case.scopes + 1] = read_scope(keys[i])
  end
  for i = FIRST_LIMIT, #args, 3 do
    local scope = case.scopes[tonumber(args[i])]
    if #case.barriers < ask.limits then
      case.barriers[#case.barriers + 1] =
        read_barrier(here, scope, args[i + 1], args[i + 2], ask.amount)
    elseif not scope.velocity then
      local spent = spent_too_fast(here, scope.key, args[i + 1], tonumber(args[i + 2]))
      scope.velocity = spent
        and { over = args[i + 1], most = tonumber(args[i + 2]), spent = spent }
    end
  end
  return case
end

-- The scope that is stopped, or is to be.
local function stopped_scope(case, ask)
  for _, scope in ipairs(case.scopes) do
    if scope.state == 'killed' or (scope.state and not ask.only_observes) then
      return scope
    end
  end
  for _, scope in ipairs(case.scopes) do
    if scope.velocity then
      return scope
    end
  end
  return nil
end

local function money_outcome(barriers)
  local outcome = 'ALLOW'
  for _, barrier in ipairs(barriers) do
    if barrier.obstacle == 'spent' then
      return 'SPENT'
    elseif barrier.obstacle then
      outcome = 'HELD'
    end
  end
  return outcome
end

-- Returns KILLED, STOPPED (the instance may not call), STOPPED_SCOPE, MISMATCH, REPLAY, SPENT,
-- ALLOW, or what may change by itself: IN_FLIGHT, HELD. Writes nothing.
local function decide(here, ask, case)
  local instance, outcome = case.instance, nil
  if here.killed then
    outcome = 'KILLED'
  elseif instance.state == 'killed' or (instance.state and not ask.only_observes) then
    outcome = 'STOPPED'
  else
    case.stopped = stopped_scope(case, ask)
    outcome = case.stopped and 'STOPPED_SCOPE'
      or (ask.body ~= '' and claim_outcome(ask.claim, ask.body))
      or money_outcome(case.barriers)
  end
  if outcome == 'IN_FLIGHT' or outcome == 'HELD' then
    return outcome
  end
  case.becomes_zombie = ask.zombie_at and case.times >= ask.zombie_at and not instance.state
  return case.becomes_zombie and outcome ~= 'KILLED' and 'STOPPED' or outcome
end

local function why_zombie(ask, case)
  return {
    state = 'zombie', actor = 'gateway',
    reason = ask.activity_label .. ' was executed ' .. text(case.times) .. ' times',
  }
end

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
  local names, limits = {}, {}
  for i, scope in ipairs(case.scopes) do
    names[i], scope.n = scope.key, i
  end
  for i, barrier in ipairs(case.barriers) do
    limits[i] = text(barrier.scope.n) .. ' ' .. barrier.window .. ' ' .. barrier.limit_text
    reopen(barrier)
  end
  local lines, expires = table.concat(names, '\n'), text(here.now + ask.hold_ms)
  local seq = record(here, 'reserve', ask.id, { amount = ask.amount_text, instance = ask.instance },
    { reserved = ask.amount_text, spent = '0' },
    { 'expires', expires, 'app', ask.app, 'model', ask.model, 'tenant', ask.tenant,
      'scopes', lines })
  for _, scope in ipairs(case.scopes) do
    hold_in(here, scope, ask.amount_text)
  end
  local hold = { 'state', 'RESERVED', 'amount', ask.amount_text, 'instance', ask.instance,
    'scopes', lines, 'at', here.now_text, 'limits', table.concat(limits, '\n') }
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

-- What the caller is told; the kinds of trips that the call caused are put in by whoever wrote them.
local function answer(here, ask, case, outcome)
  if outcome == 'ALLOW' then
    return { 'ALLOW', '0', here.now_text, remaining(case.barriers, ask.amount), '' }
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
local function reserve(keys, args)
  local ask, problem = read_ask(keys, args)
  if not ask then
    return refuse_argument(problem)
  end
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

-- KEYS, ARGV: as reserve. What it would return, without a trace; {ALLOW, '0', …} when it would hold
-- the money.
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
