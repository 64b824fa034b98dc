-- A call that asks to be made: what is read for it, and what that comes to. Nothing here writes.
--
-- In this order: who is stopped, how fast is spent, was this very call made before, does it fit.
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
  end
  refuse_fenced(here)
  if here.limits_version ~= ask.limits_version then
    return { 'STALE', here.limits_version }
  end
  return nil
end

-- Of each scope, by its place, the fields that its limits need.
local function fields_to_read(ask, args)
  local fields = {}
  for i = FIRST_LIMIT, FIRST_LIMIT - 1 + 3 * ask.limits, 3 do
    local place = tonumber(args[i])
    fields[place] = fields[place] or {}
    for _, field in ipairs(fields_of(args[i + 1])) do
      fields[place][#fields[place] + 1] = field
    end
  end
  return fields
end

-- All that a decision is made of.
local function read_case(here, ask, keys, args)
  local case = { scopes = {}, barriers = {}, place = place_of(keys, 6), times = 0 }
  case.instance = read_instance(case.place)
  if ask.ordinal ~= '' then
    ask.activity = ask.activity .. ':' .. case.instance.resets
    case.times = times_of(ask.activity, ask.ordinal)
  end
  local fields = fields_to_read(ask, args)
  for place = 1, #keys - FIRST_SCOPE + 1 do
    case.scopes[place] = read_scope(keys[FIRST_SCOPE - 1 + place], fields[place])
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
