#!lua name=budget_v2
-- The budget's only writer: every decision is one function, and all that can fail comes before its
-- first write. Time is the server's own.
--
-- The files of this folder are joined in the order of library.py: what a file uses is above it.
-- All keys are in one hash slot.

local MAX_AMOUNT = 9000000000000000
local LEDGER_ENTRIES = 1000000
local TRIP_ENTRIES = 10000
local KEEP_COUNTS_MS = 7 * 86400000

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number)
  return string.format('%.0f', number)
end

local function amount_of(value)
  if not value or #value > 16 or not (value == '0' or string.find(value, '^[1-9]%d*$')) then
    return nil
  end
  local amount = tonumber(value)
  return amount <= MAX_AMOUNT and amount or nil
end

local function negative(amount_text)
  return amount_text == '0' and '0' or '-' .. amount_text
end

local function refuse_argument(what)
  return redis.error_reply('ERR budget: ' .. what)
end

-- Appends to the ledger. The entry's id is the meta counter: gapless, so a reader sees what it lost.
local function record(keys, event, id, hold, delta, more)
  local seq = tonumber(redis.call('HGET', keys[1], 'seq')) + 1
  local entry = {
    'event', event, 'id', id, 'instance', hold.instance, 'at', text(delta.now),
    'amount', hold.amount, 'reserved', delta.reserved, 'spent', delta.spent,
  }
  for _, value in ipairs(more or {}) do
    entry[#entry + 1] = value
  end
  redis.call('XADD', keys[3], 'MAXLEN', '~', LEDGER_ENTRIES, text(seq) .. '-0', unpack(entry))
  redis.call('HSET', keys[1], 'seq', text(seq))
  return seq
end

-- Appends to the trips, numbered without gaps too.
local function record_trip(meta, trips, trip)
  local seq = redis.call('HINCRBY', meta, 'trips', 1)
  redis.call('XADD', trips, 'MAXLEN', '~', TRIP_ENTRIES, text(seq) .. '-0',
    'at', text(trip.now), 'kind', trip.kind, 'scope', trip.scope, 'id', trip.id,
    'reason', trip.reason, 'actor', trip.actor, 'detail', trip.detail or '')
end
-- Counters of money: what may still be spent in a scope, and refusals.
--
-- scope: spent, reserved, calls, refusals, cut_off_unix_ms, closed_amount, closed_limit
--
-- Amounts are decimal strings of nano-dollars and are added by HINCRBY (int64). Lua compares them
-- as doubles, which is exact because no limit and no amount is above 9e15 < 2^53; a sum that
-- rounds is already above every limit.

-- What each scope holds and whether this amount fits: nil, 'spent' (for good) or 'held'.
local function read_scope(key, index, limit_text, amount)
  local row = redis.call('HMGET', key, 'spent', 'reserved', 'closed_amount', 'closed_limit')
  local scope = {
    key = key, index = index, limit_text = limit_text, limit = amount_of(limit_text),
    is_used = row[1] or row[2], spent_text = row[1] or '0', reserved_text = row[2] or '0',
    closed_text = row[3] or '',
  }
  local spent, reserved = tonumber(scope.spent_text), tonumber(scope.reserved_text)
  local is_closed = row[3] and scope.limit and scope.limit <= tonumber(row[4])
  scope.was_raised = row[3] and not is_closed
  if not is_closed then
    scope.closed_text = ''
  end
  if not scope.limit then
    return scope
  end
  if spent + amount > scope.limit or (is_closed and amount >= tonumber(row[3])) then
    scope.obstacle = 'spent'
  elseif spent + reserved + amount > scope.limit then
    scope.obstacle = 'held'
  end
  return scope
end

local function touch(scope, now)
  redis.call('ZADD', scope.index, now, scope.key)
end

-- Of a scope that never held money only the first, which all calls share, gets a key: else every
-- refused caller could leave one.
local function count_refusal(scopes, now)
  for i, scope in ipairs(scopes) do
    if i == 1 or scope.is_used then
      redis.call('HINCRBY', scope.key, 'refusals', 1)
      touch(scope, now)
    end
  end
end

-- A call that is larger than the whole limit closes nothing: no spent money is in its way.
local function deny(scopes, amount, amount_text, now)
  local first
  for i, scope in ipairs(scopes) do
    local outranks = not first or (scope.obstacle == 'spent' and scopes[first].obstacle == 'held')
    if scope.obstacle and outranks then
      first = i
    end
    if scope.obstacle == 'spent' and amount <= scope.limit then
      redis.call('HSETNX', scope.key, 'cut_off_unix_ms', text(now))
      if scope.closed_text == '' or amount < tonumber(scope.closed_text) then
        scope.closed_text = amount_text
      end
      redis.call('HSET', scope.key, 'closed_amount', scope.closed_text, 'closed_limit', scope.limit_text)
    end
  end
  local reply = { 'DENY', scopes[first].obstacle, first, text(now) }
  for _, scope in ipairs(scopes) do
    reply[#reply + 1] = scope.spent_text
    reply[#reply + 1] = scope.reserved_text
    reply[#reply + 1] = scope.closed_text
  end
  return reply
end
-- Idempotency keys: at most one call of a key is under way, and its answer is kept for the next.
--
-- claim:   body (digest of the request), owner (reservation id), and once it is answered: status,
--          headers, answer, size
-- answers: the claims that are answered, by when. The oldest leave when there are too many, when
--          they are too large together, or too old. meta.answer_bytes is the sum of their sizes.

-- Returns what the claim says of a request: nil when it is free.
local function claim_outcome(key, body)
  local row = redis.call('HMGET', key, 'body', 'status')
  if not row[1] then
    return nil
  elseif row[1] ~= body then
    return 'MISMATCH'
  end
  return row[2] and 'REPLAY' or 'IN_FLIGHT'
end

local function take_claim(key, body, owner)
  redis.call('HSET', key, 'body', body, 'owner', owner)
end

-- A call that ends without an answer that was kept leaves its key to the next.
local function free_claim(hold, id)
  if not hold.claim then
    return
  end
  local row = redis.call('HMGET', hold.claim, 'owner', 'status')
  if row[1] == id and not row[2] then
    redis.call('DEL', hold.claim)
  end
end

local MOST_EVICTED = 500

local function evict(meta, answers, claim)
  local size = redis.call('HGET', claim, 'size') or '0'
  redis.call('HINCRBY', meta, 'answer_bytes', negative(size))
  redis.call('DEL', claim)
  redis.call('ZREM', answers, claim)
end

-- KEYS: meta, answers. ARGV: most of them, most bytes, most age in ms. Returns how many left.
local function evict_answers(keys, args)
  local most, most_bytes, oldest = tonumber(args[1]), tonumber(args[2]), now_ms() - tonumber(args[3])
  for evicted = 0, MOST_EVICTED - 1 do
    local first = redis.call('ZRANGE', keys[2], 0, 0, 'WITHSCORES')
    local bytes = tonumber(redis.call('HGET', keys[1], 'answer_bytes') or '0')
    local is_within = bytes <= most_bytes and redis.call('ZCARD', keys[2]) <= most
    if not first[1] or (is_within and tonumber(first[2]) > oldest) then
      return evicted
    end
    evict(keys[1], keys[2], first[1])
  end
  return MOST_EVICTED
end

-- KEYS: meta, answers, the claim. ARGV: as evict_answers, then owner, body, status, headers, answer.
-- Keeps the answer when the claim is its owner's, or nobody's after an expiry. Returns 1 or 0.
local function keep(keys, args)
  local row = redis.call('HMGET', keys[3], 'owner', 'status')
  if row[2] or (row[1] and row[1] ~= args[4]) then
    return 0
  end
  local size = #args[7] + #args[8]
  redis.call('HSET', keys[3], 'owner', args[4], 'body', args[5], 'status', args[6],
    'headers', args[7], 'answer', args[8], 'size', text(size))
  redis.call('ZADD', keys[2], now_ms(), keys[3])
  redis.call('HINCRBY', keys[1], 'answer_bytes', size)
  evict_answers(keys, args)
  return 1
end
-- Stops of instances at their source: who asked, who is at it, what came of it.
--
-- stop:  state (pending, stopped, failed), id, app, actor, requested, attempts, taken (an attempt
--        is under way), deleted, left, jobs, error, ended
-- stops: the stop keys that are pending, by when they are due; a stop that was taken is due again
--        when its lease ends, so it outlives whoever took it. One that ended is forgotten as counts
--        are.

local MAX_PENDING_STOPS = 10000
local STOP_AGAIN_AFTER_MS = 60000

local function end_stop(place, now, state, why)
  redis.call('HSET', place.stop, 'state', state, 'ended', text(now), 'error', why)
  redis.call('PEXPIRE', place.stop, KEEP_COUNTS_MS)
  redis.call('ZREM', place.stops, place.stop)
  local stop = redis.call('HMGET', place.stop, 'id', 'actor', 'deleted')
  record_trip(place.meta, place.trips, {
    now = now, kind = 'source_stop', scope = 'instance', id = stop[1], reason = state,
    actor = stop[2], detail = why == '' and stop[3] .. ' jobs deleted' or why,
  })
end

-- Asks for a stop; of one that is pending the next attempt is made at once.
local function request_stop(place, now, id, app, actor)
  local known = redis.call('HMGET', place.stop, 'state', 'taken')
  if known[1] == 'pending' then
    if app ~= '' then
      redis.call('HSET', place.stop, 'app', app)
    end
    if not known[2] then
      redis.call('ZADD', place.stops, now, place.stop)
    end
    return
  end
  redis.call('DEL', place.stop)
  redis.call('HSET', place.stop, 'state', 'pending', 'id', id, 'app', app, 'actor', actor,
    'requested', text(now), 'attempts', '0', 'deleted', '0', 'jobs', '[]', 'error', '')
  if redis.call('ZCARD', place.stops) >= MAX_PENDING_STOPS then
    end_stop(place, now, 'failed', 'too many stops are pending')
  else
    redis.call('ZADD', place.stops, now, place.stop)
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
  local place = { meta = keys[1], trips = keys[2], stop = keys[3], stops = keys[4] }
  local stop = redis.call('HMGET', place.stop, 'state', 'requested', 'attempts')
  if stop[1] ~= 'pending' or stop[2] ~= args[1] or stop[3] ~= args[2] then
    return ''
  end
  local now, state, why = now_ms(), args[3], args[7]
  local age_ms = now - tonumber(stop[2])
  if state == 'pending' and age_ms >= tonumber(args[9]) then
    state, why = 'failed', 'given up after ' .. text(math.floor(age_ms / 1000)) .. ' s: ' .. why
  end
  redis.call('HINCRBY', place.stop, 'deleted', args[4])
  redis.call('HSET', place.stop, 'left', args[5], 'jobs', args[6], 'error', why)
  redis.call('HDEL', place.stop, 'taken')
  if state == 'pending' then
    redis.call('ZADD', place.stops, now + tonumber(args[8]), place.stop)
  else
    end_stop(place, now, state, why)
  end
  return state
end
-- What is known of a workflow instance beside its money, and whether it may call at all.
--
-- instance: app, seen, resets, activities, executions, most_executions, replays, refusals, and of
--           one that may not call: state (killed, zombie), since, reason, actor
-- activity: how often each call of it was decided for good, by the call's ordinal; executions, as
--           far as the instance was told. A resume begins new ones.
--
--           While its instance is not known: stranger, where that would be kept
-- strangers: activities of instances that are not known, by when they were last refused
--
-- What is counted is forgotten a week after it was last touched, and of strangers all but the last
-- so many; that an instance may not call is never forgotten.

local MAX_STRANGERS = 10000

local function place_of(keys, first)
  return {
    meta = keys[1], trips = keys[first], record = keys[first + 1], stop = keys[first + 2],
    stops = keys[first + 3],
  }
end

local function read_instance(place)
  local row = redis.call('HMGET', place.record, 'seen', 'state', 'since', 'reason', 'actor', 'resets',
    'most_executions', 'app')
  return {
    is_known = row[1] or row[2], state = row[2], since = row[3] or '', reason = row[4] or '',
    actor = row[5] or '', resets = row[6] or '0', most = tonumber(row[7] or '0'), app = row[8] or '',
  }
end

local function touch_instance(place, instance, now, app)
  redis.call('HSET', place.record, 'seen', text(now))
  if app ~= '' then
    redis.call('HSET', place.record, 'app', app)
    instance.app = app
  end
  if not instance.state then
    redis.call('PEXPIRE', place.record, KEEP_COUNTS_MS)
  end
  instance.is_known = true
end

-- Lets no call of the instance pass any more.
local function mark(place, instance, now, id, why)
  instance.state, instance.since = why.state, text(now)
  instance.reason, instance.actor = why.reason, why.actor
  redis.call('HSET', place.record, 'state', why.state, 'since', text(now), 'reason', why.reason,
    'actor', why.actor)
  redis.call('PERSIST', place.record)
  record_trip(place.meta, place.trips, {
    now = now, kind = why.state == 'killed' and 'kill' or 'zombie', scope = 'instance', id = id,
    reason = why.reason, actor = why.actor, detail = why.detail,
  })
end

-- An instance that was only ever refused is not remembered, but its activities are for a while: one
-- that runs away into refusals becomes known when it becomes a zombie. The count of one that has
-- become known since lives on as all of them do.
local function note_stranger(place, strangers, activity, now)
  redis.call('HSET', activity, 'stranger', place.record)
  redis.call('ZADD', strangers, now, activity)
  if redis.call('ZCARD', strangers) > MAX_STRANGERS then
    local oldest = redis.call('ZPOPMIN', strangers)[1]
    local instance = redis.call('HGET', oldest, 'stranger')
    if not (instance and read_instance({ record = instance }).is_known) then
      redis.call('DEL', oldest)
    end
  end
end

-- Counts one call of an execution; returns how often that same call came.
local function count_call(activity, ordinal)
  local times = redis.call('HINCRBY', activity, 'call:' .. ordinal, 1)
  redis.call('PEXPIRE', activity, KEEP_COUNTS_MS)
  return times
end

-- Adds to the instance's figures what a call says of its activity's executions.
local function count_execution(place, strangers, instance, activity, times)
  local told = tonumber(redis.call('HGET', activity, 'executions') or '0')
  if times <= told then
    return
  end
  redis.call('HSET', activity, 'executions', text(times))
  redis.call('HINCRBY', place.record, 'executions', times - told)
  if told == 0 then
    redis.call('HINCRBY', place.record, 'activities', 1)
    redis.call('ZREM', strangers, activity)
  end
  if times > instance.most then
    redis.call('HSET', place.record, 'most_executions', text(times))
  end
end

-- A call that cost nothing was not decided for good: it may come again in the same execution.
local function uncount_call(hold)
  if hold.activity and redis.call('HEXISTS', hold.activity, 'call:' .. hold.ordinal) == 1 then
    redis.call('HINCRBY', hold.activity, 'call:' .. hold.ordinal, -1)
  end
end

-- KEYS: meta, trips, instance, stop, stops. ARGV: scope, id, reason, actor, app, '1' to stop it at
-- its source too. Returns 1 when it was not killed before, else 0.
local function kill(keys, args)
  local now, place = now_ms(), place_of(keys, 2)
  local scope, id, reason, actor, app = unpack(args)
  if scope == 'global' then
    if redis.call('HEXISTS', place.meta, 'killed') == 1 then
      return 0
    end
    redis.call('HSET', place.meta, 'killed', text(now), 'kill_reason', reason, 'kill_actor', actor)
    record_trip(place.meta, place.trips,
      { now = now, kind = 'kill', scope = scope, id = '', reason = reason, actor = actor })
    return 1
  end
  local instance, is_new = read_instance(place), 0
  if instance.state ~= 'killed' then
    mark(place, instance, now, id, { state = 'killed', reason = reason, actor = actor })
    is_new = 1
  end
  if app ~= '' then
    redis.call('HSET', place.record, 'app', app)
  end
  if args[6] == '1' then
    request_stop(place, now, id, app, actor)
  end
  return is_new
end

-- KEYS: as kill. ARGV: scope, id, reason, actor. Returns 1 when it could not call before, else 0.
-- An instance begins its counts anew, and is not stopped at its source any more.
local function resume(keys, args)
  local now, place = now_ms(), place_of(keys, 2)
  local scope, id, reason, actor = unpack(args)
  local trip =
    { now = now, kind = 'resume', scope = scope, id = id, reason = reason, actor = actor }
  if scope == 'global' then
    if redis.call('HDEL', place.meta, 'killed', 'kill_reason', 'kill_actor') == 0 then
      return 0
    end
    record_trip(place.meta, place.trips, trip)
    return 1
  end
  local instance = read_instance(place)
  if not instance.state then
    return 0
  end
  trip.detail = 'was ' .. instance.state
  redis.call('HDEL', place.record, 'state', 'since', 'reason', 'actor', 'activities', 'executions',
    'most_executions')
  redis.call('HINCRBY', place.record, 'resets', 1)
  redis.call('HSET', place.record, 'seen', text(now))
  redis.call('PEXPIRE', place.record, KEEP_COUNTS_MS)
  record_trip(place.meta, place.trips, trip)
  if redis.call('HGET', place.stop, 'state') == 'pending' then
    end_stop(place, now, 'failed', 'the instance was resumed')
  end
  return 1
end
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
-- What closes a hold runs in a full store too: it moves money out of `reserved`, and adds one
-- ledger entry. So does what lets it live on, which adds nothing, and what stops a spender.
local RUNS_WHEN_FULL = { 'allow-oom' }

local function register(name, callback, flags)
  redis.register_function { function_name = 'budget_v2_' .. name, callback = callback, flags = flags }
end

register('open', open)
register('reserve', reserve)
register('keep', keep)
register('dispatch', dispatch)
register('extend', extend, RUNS_WHEN_FULL)
register('settle', settle, RUNS_WHEN_FULL)
register('release', release, RUNS_WHEN_FULL)
register('expire', expire, RUNS_WHEN_FULL)
register('evict_answers', evict_answers, RUNS_WHEN_FULL)
register('kill', kill, RUNS_WHEN_FULL)
register('resume', resume, RUNS_WHEN_FULL)
register('take_stops', take_stops, RUNS_WHEN_FULL)
register('report_stop', report_stop, RUNS_WHEN_FULL)
