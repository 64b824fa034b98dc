#!lua name=budget_v1
-- The budget's only writer: reserve, dispatch, extend, settle, release, expire.
--
-- Guarantees: a call is reserved in every scope or in none; every movement of money is in the
-- ledger; all that can fail comes before the first write. Time is the server's own.
-- Amounts are decimal strings of nano-dollars and are added by HINCRBY (int64). Lua compares them
-- as doubles, which is exact because no limit and no amount is above 9e15 < 2^53; a sum that
-- rounds is already above every limit.
--
-- KEYS: 1 meta, 2 holds by expiry, 3 ledger, 4 the hold, then for each scope: its hash, its index.
-- hold:  state, amount, instance, scopes (keys, one a line)
-- scope: spent, reserved, calls, refusals, cut_off_unix_ms, closed_amount, closed_limit

local MAX_AMOUNT = 9000000000000000
local LEDGER_ENTRIES = 1000000
local KEEP_CLOSED_MS = 60000
local KEEP_EXPIRED_MS = 86400000

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

local function read_hold(key)
  local row = redis.call('HMGET', key, 'state', 'amount', 'instance', 'scopes')
  if not row[1] then
    return nil
  end
  local hold = { state = row[1], amount = row[2], instance = row[3], scopes = {} }
  for scope in string.gmatch(row[4], '[^\n]+') do
    hold.scopes[#hold.scopes + 1] = scope
  end
  return hold
end

-- Leaves RESERVED or DISPATCHED, or corrects what an expiry assumed.
local function close(keys, id, hold, state, delta, keep_ms)
  for _, scope in ipairs(hold.scopes) do
    redis.call('HINCRBY', scope, 'reserved', delta.reserved)
    redis.call('HINCRBY', scope, 'spent', delta.spent)
    redis.call('HINCRBY', scope, 'calls', delta.calls)
  end
  redis.call('HSET', keys[4], 'state', state)
  redis.call('PEXPIRE', keys[4], keep_ms)
  redis.call('ZREM', keys[2], id)
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

-- What each scope holds and whether this amount fits: nil, 'spent' (for good) or 'held'.
local function read_scope(key, limit_text, amount)
  local row = redis.call('HMGET', key, 'spent', 'reserved', 'closed_amount', 'closed_limit')
  local scope = {
    key = key, limit_text = limit_text, limit = amount_of(limit_text), is_used = row[1] or row[2],
    spent_text = row[1] or '0', reserved_text = row[2] or '0', closed_text = row[3] or '',
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

local function touch(keys, i, scope, now)
  redis.call('ZADD', keys[2 * i + 4], now, scope.key)
end

-- Of a scope that never held money only the first, which all calls share, gets a key: else every
-- refused caller could leave one.
local function count_refusal(keys, scopes, now)
  for i, scope in ipairs(scopes) do
    if i == 1 or scope.is_used then
      redis.call('HINCRBY', scope.key, 'refusals', 1)
      touch(keys, i, scope, now)
    end
  end
end

-- A call that is larger than the whole limit closes nothing: no spent money is in its way.
local function deny(scopes, amount, amount_text, now)
  local first
  for i, scope in ipairs(scopes) do
    if scope.obstacle and (not first or (scope.obstacle == 'spent' and scopes[first].obstacle == 'held')) then
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

-- ARGV: id, amount, hold_ms, epoch, least seq, instance, then each scope's limit ('' is unlimited).
-- Returns {ALLOW, seq, spent, reserved, …}, {DENY, obstacle, n-th scope, now, spent, reserved,
-- closed_amount, …} or {LOST, epoch, seq} when the store is not the one the caller knows.
local function reserve(keys, args)
  local id, amount_text, hold_ms = args[1], args[2], tonumber(args[3])
  local amount = amount_of(amount_text)
  if not amount then
    return refuse_argument('amount must be an integer of 0 to 9e15 nano-dollars')
  elseif not hold_ms or hold_ms < 0 then
    return refuse_argument('hold_ms must be 0 or more')
  elseif #keys < 6 or (#keys - 4) / 2 ~= #args - 6 then
    return refuse_argument('each scope needs its key, its index and its limit')
  end
  local known = redis.call('HMGET', keys[1], 'epoch', 'seq')
  if known[1] ~= args[4] or tonumber(known[2]) < tonumber(args[5]) then
    return { 'LOST', known[1] or '', known[2] or '0' }
  end
  if redis.call('EXISTS', keys[4]) == 1 or redis.call('ZSCORE', keys[2], id) then
    return refuse_argument('this reservation exists')
  end
  local now, scopes, names, obstacle = now_ms(), {}, {}, false
  for i = 7, #args do
    if args[i] ~= '' and not amount_of(args[i]) then
      return refuse_argument('a limit must be an integer of 0 to 9e15 nano-dollars')
    end
    local scope = read_scope(keys[2 * i - 9], args[i], amount)
    scopes[#scopes + 1], names[#names + 1] = scope, scope.key
    obstacle = obstacle or scope.obstacle
  end
  if obstacle then
    count_refusal(keys, scopes, now)
    return deny(scopes, amount, amount_text, now)
  end

  local hold = { amount = amount_text, instance = args[6] }
  local seq = record(keys, 'reserve', id, hold, { now = now, reserved = amount_text, spent = '0' })
  for i, scope in ipairs(scopes) do
    touch(keys, i, scope, now)
    redis.call('HINCRBY', scope.key, 'reserved', amount_text)
    if scope.was_raised then
      redis.call('HDEL', scope.key, 'closed_amount', 'closed_limit', 'cut_off_unix_ms')
    end
  end
  redis.call('HSET', keys[4], 'state', 'RESERVED', 'amount', amount_text,
    'instance', hold.instance, 'scopes', table.concat(names, '\n'))
  redis.call('ZADD', keys[2], now + hold_ms, id)
  return append_totals({ 'ALLOW', text(seq) }, names)
end

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
  close(keys, args[1], hold, 'RELEASED', delta, KEEP_CLOSED_MS)
  return { 'OK' }
end

-- KEYS: 1 to 3. ARGV: most holds to close, prefix of a hold's key.
-- Returns {epoch, seq, id, state, …}: where the ledger is, and the holds that it closed.
local function expire(keys, args)
  local now, reply = now_ms(), { '', '' }
  local due = redis.call('ZRANGE', keys[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, args[1])
  for _, id in ipairs(due) do
    local own = { keys[1], keys[2], keys[3], args[2] .. id }
    local hold = read_hold(own[4])
    if not hold then
      redis.call('ZREM', keys[2], id)
    else
      local delta = { now = now, reserved = negative(hold.amount), spent = '0', calls = 0 }
      local state = 'EXPIRED_RELEASED'
      if hold.state == 'DISPATCHED' then
        state, delta.spent, delta.calls = 'EXPIRED_SPENT', hold.amount, 1
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
-- ledger entry.
local CLOSES = { 'allow-oom' }

redis.register_function { function_name = 'budget_v1_open', callback = open }
redis.register_function { function_name = 'budget_v1_reserve', callback = reserve }
redis.register_function { function_name = 'budget_v1_dispatch', callback = dispatch }
redis.register_function { function_name = 'budget_v1_extend', callback = extend }
redis.register_function { function_name = 'budget_v1_settle', callback = settle, flags = CLOSES }
redis.register_function { function_name = 'budget_v1_release', callback = release, flags = CLOSES }
redis.register_function { function_name = 'budget_v1_expire', callback = expire, flags = CLOSES }
