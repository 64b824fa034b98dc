-- Whether a call may be made: kill flags, then its idempotency key, then money in every scope.
--
-- Guarantee: a call is reserved in every scope or in none.
--
-- KEYS: meta, holds, ledger, hold, trips, instance, stop, stops, strangers, activity, claim, then
-- for each scope: its hash, its index.
local FIRST_SCOPE_KEY = 12
-- ARGV: id, amount, hold_ms, epoch, least seq, instance, app, digest of the request ('' without an
-- idempotency key), ordinal of the call in its execution ('' when executions are not counted), at
-- how many executions an instance becomes a zombie ('' never, 'ignore' when it is no matter
-- whether it is one), '1' when a zombie is stopped at its source, the activity for people, then
-- each scope's limit ('' is unlimited).
local FIRST_LIMIT = 13

local function read_ask(keys, args)
  local ask = {
    id = args[1], amount_text = args[2], amount = amount_of(args[2]), hold_ms = tonumber(args[3]),
    instance = args[6], app = args[7], body = args[8], ordinal = args[9],
    zombie_at = tonumber(args[10]), ignores_zombies = args[10] == 'ignore',
    stops_zombies = args[11] == '1', activity_label = args[12],
    strangers = keys[9], activity = keys[10], claim = keys[11], is_new_zombie = '0',
  }
  if not ask.amount then
    return nil, 'amount must be an integer of 0 to 9e15 nano-dollars'
  elseif not ask.hold_ms or ask.hold_ms < 0 then
    return nil, 'hold_ms must be 0 or more'
  elseif #args < FIRST_LIMIT or (#keys - FIRST_SCOPE_KEY + 1) / 2 ~= #args - FIRST_LIMIT + 1 then
    return nil, 'each scope needs its key, its index and its limit'
  end
  for i = FIRST_LIMIT, #args do
    if args[i] ~= '' and not amount_of(args[i]) then
      return nil, 'a limit must be an integer of 0 to 9e15 nano-dollars'
    end
  end
  return ask
end

local function read_scopes(keys, args, amount)
  local scopes = {}
  for i = FIRST_LIMIT, #args do
    local key = FIRST_SCOPE_KEY + 2 * (i - FIRST_LIMIT)
    scopes[#scopes + 1] = read_scope(keys[key], keys[key + 1], args[i], amount)
  end
  return scopes
end

-- Returns KILLED, STOPPED (the instance may not call), MISMATCH, REPLAY, SPENT, ALLOW, or what may
-- change by itself: IN_FLIGHT, HELD.
local function decide(ask, is_killed, instance, scopes)
  if is_killed then
    return 'KILLED'
  elseif instance.state == 'killed' or (instance.state and not ask.ignores_zombies) then
    return 'STOPPED'
  end
  local outcome = ask.body ~= '' and claim_outcome(ask.claim, ask.body)
  if outcome then
    return outcome
  end
  outcome = 'ALLOW'
  for _, scope in ipairs(scopes) do
    if scope.obstacle == 'spent' then
      return 'SPENT'
    elseif scope.obstacle then
      outcome = 'HELD'
    end
  end
  return outcome
end

local function become_zombie(place, ask, instance, times, now)
  ask.is_new_zombie = '1'
  mark(place, instance, now, ask.instance, {
    state = 'zombie', reason = ask.activity_label .. ' was executed ' .. times .. ' times',
    actor = 'gateway',
  })
end

-- Counts a call that was decided for good. Its instance becomes a zombie when it is the same call
-- of the same activity for the n-th time; returns what that makes of the outcome.
local function count_decided(place, ask, instance, outcome, now)
  local times = 0
  if ask.ordinal ~= '' then
    ask.activity = ask.activity .. ':' .. instance.resets
    times = count_call(ask.activity, ask.ordinal)
  end
  local is_found = ask.zombie_at and times >= ask.zombie_at and not instance.state
  if outcome == 'ALLOW' or outcome == 'REPLAY' or instance.is_known or is_found then
    touch_instance(place, instance, now, ask.app)
  end
  if is_found then
    become_zombie(place, ask, instance, times, now)
    outcome = outcome == 'KILLED' and outcome or 'STOPPED'
  end
  local is_zombie = instance.state == 'zombie'
  if ask.stops_zombies and is_zombie and is_stop_due(place, instance.since, now) then
    request_stop(place, now, ask.instance, instance.app, 'gateway')
  end
  if times > 0 and instance.is_known then
    count_execution(place, ask.strangers, instance, ask.activity, times)
  elseif times > 0 then
    note_stranger(place, ask.strangers, ask.activity, now)
  end
  return outcome
end

local function hold_money(keys, ask, scopes, now)
  local hold, names = { amount = ask.amount_text, instance = ask.instance }, {}
  local seq = record(keys, 'reserve', ask.id, hold,
    { now = now, reserved = ask.amount_text, spent = '0' })
  for i, scope in ipairs(scopes) do
    names[i] = scope.key
    touch(scope, now)
    redis.call('HINCRBY', scope.key, 'reserved', ask.amount_text)
    if scope.was_raised then
      redis.call('HDEL', scope.key, 'closed_amount', 'closed_limit', 'cut_off_unix_ms')
    end
  end
  redis.call('HSET', keys[4], 'state', 'RESERVED', 'amount', ask.amount_text,
    'instance', ask.instance, 'scopes', table.concat(names, '\n'))
  if ask.ordinal ~= '' then
    redis.call('HSET', keys[4], 'activity', ask.activity, 'ordinal', ask.ordinal)
  end
  if ask.body ~= '' then
    redis.call('HSET', keys[4], 'claim', ask.claim)
    take_claim(ask.claim, ask.body, ask.id)
  end
  redis.call('ZADD', keys[2], now + ask.hold_ms, ask.id)
  return append_totals({ 'ALLOW', text(seq) }, names)
end

local function refuse(place, ask, instance, scopes, now)
  count_refusal(scopes, now)
  if instance.is_known then
    redis.call('HINCRBY', place.record, 'refusals', 1)
  end
end

-- Returns {ALLOW, seq, spent, reserved, …}, {DENY, obstacle, n-th scope, now, spent, reserved,
-- closed_amount, …}, {KILLED or STOPPED, state, since, reason, actor, '1' when this call made its
-- instance a zombie}, {REPLAY, owner, status, headers, answer}, {IN_FLIGHT, owner}, {MISMATCH}, or
-- {LOST, epoch, seq} when the store is not the one the caller knows.
local function reserve(keys, args)
  local ask, problem = read_ask(keys, args)
  if not ask then
    return refuse_argument(problem)
  end
  local known = redis.call('HMGET', keys[1], 'epoch', 'seq', 'killed', 'kill_reason', 'kill_actor')
  if known[1] ~= args[4] or tonumber(known[2]) < tonumber(args[5]) then
    return { 'LOST', known[1] or '', known[2] or '0' }
  end
  if redis.call('EXISTS', keys[4]) == 1 or redis.call('ZSCORE', keys[2], ask.id) then
    return refuse_argument('this reservation exists')
  end
  local now, place = now_ms(), place_of(keys, 5)
  local instance, scopes = read_instance(place), read_scopes(keys, args, ask.amount)
  local outcome = decide(ask, known[3], instance, scopes)

  if outcome == 'IN_FLIGHT' then
    return { 'IN_FLIGHT', redis.call('HGET', ask.claim, 'owner') }
  elseif outcome == 'HELD' then
    count_refusal(scopes, now)
    return deny(scopes, ask.amount, ask.amount_text, now)
  end
  outcome = count_decided(place, ask, instance, outcome, now)
  if outcome == 'ALLOW' then
    return hold_money(keys, ask, scopes, now)
  elseif outcome == 'REPLAY' then
    redis.call('HINCRBY', place.record, 'replays', 1)
    local row = redis.call('HMGET', ask.claim, 'owner', 'status', 'headers', 'answer')
    return { 'REPLAY', row[1], row[2], row[3], row[4] }
  elseif outcome == 'MISMATCH' then
    return { 'MISMATCH' }
  end
  refuse(place, ask, instance, scopes, now)
  if outcome == 'KILLED' then
    return { 'KILLED', 'killed', known[3], known[4], known[5], ask.is_new_zombie }
  elseif outcome == 'STOPPED' then
    return {
      'STOPPED', instance.state, instance.since, instance.reason, instance.actor, ask.is_new_zombie,
    }
  end
  return deny(scopes, ask.amount, ask.amount_text, now)
end
