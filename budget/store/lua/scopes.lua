-- Counters of money. One hash a scope has them for its lifetime and its calendar windows.
--
-- scope: spent, reserved, calls, refusals
--        touched: the tick in which its money last moved; and of each calendar window, where it is
--        not 0: <window>:s, <window>:r, what spent and reserved would be without the calls that
--        were reserved in the bucket that `touched` is in. So a window costs nothing until its
--        bucket turns, and a call that ends in a later bucket changes both sides alike.
--        Limits, thresholds and stops add fields of their own.
-- index: the scopes of a kind, by when they were last touched
--
-- Activities are without number: one is forgotten 35 days after it was last touched, which is longer
-- than its longest calendar window, unless it is stopped. Every other scope is kept.
--
-- Amounts are decimal strings of nano-dollars. Lua compares them as doubles, which is exact because
-- no limit and no amount is above 9e15 < 2^53; a sum that rounds is already above every limit.

local KEEP_ACTIVITY_MS = 35 * 86400000
local MOST_FORGOTTEN = 3

-- A decimal string as two numbers that are exact: billions, and the rest.
local function halves(amount)
  return tonumber(string.sub(amount, 1, -10)) or 0, tonumber(string.sub(amount, -9))
end

-- a - b of decimal strings, exact when the difference is, however large they are.
local function minus(a, b)
  local x, y = tonumber(a), tonumber(b or '0')
  if x < EXACT and y < EXACT then
    return x - y
  end
  local high, low = halves(a)
  local other_high, other_low = halves(b or '0')
  return (high - other_high) * 1e9 + (low - other_low)
end

local function unquoted(id)
  return (string.gsub(id, '%%(%x%x)', function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The kind of a scope and its id, as people write them.
local function name_of(scope_key)
  local kind, id = string.match(scope_key, ':scope:(%l+):lifetime:(.*)$')
  return kind, unquoted(id)
end

local function index_of(scope_key)
  return KEY_PREFIX .. 'index:' .. string.match(scope_key, ':scope:(%l+):') .. ':lifetime'
end

local function list_scope(here, scope_key)
  redis.call('ZADD', index_of(scope_key), here.now, scope_key)
end

local function is_activity(scope_key)
  return string.find(scope_key, ':scope:activity:', 1, true) ~= nil
end

local function forget_activities(here, key)
  if redis.call('HEXISTS', key, 'state') == 0 then
    redis.call('PEXPIRE', key, KEEP_ACTIVITY_MS)
  end
  local index, oldest = index_of(key), here.now - KEEP_ACTIVITY_MS
  local gone = redis.call('ZRANGE', index, '-inf', oldest, 'BYSCORE', 'LIMIT', 0, MOST_FORGOTTEN)
  for _, scope_key in ipairs(gone) do
    if redis.call('HEXISTS', scope_key, 'state') == 0 then
      redis.call('ZREM', index, scope_key)
    else
      list_scope(here, scope_key)
    end
  end
end

-- Reads a scope, and further fields of it by their names: one command, whatever is read.
local function read_scope(key, fields)
  local names, has = { 'spent', 'reserved', 'touched', 'state' }, {}
  for _, field in ipairs(fields or {}) do
    names[#names + 1] = field
  end
  for i, value in ipairs(redis.call('HMGET', key, unpack(names))) do
    has[names[i]] = value
  end
  return {
    key = key, has = has, is_used = has.spent or has.reserved,
    spent_text = has.spent or '0', reserved_text = has.reserved or '0',
    touched = has.touched, state = has.state,
  }
end

-- The windows whose bucket has turned since a scope was touched; all, when that is not known.
local function turned_windows(here, touched)
  return touched and windows_between(tonumber(touched) * TICK_MS, here.now) or CALENDAR
end

-- Makes the present moment the one in which a scope was touched last.
local function touch(here, key, touched)
  if touched == here.tick_text then
    return
  end
  local fields, row = { 'touched', here.tick_text }, nil
  for _, window in ipairs(turned_windows(here, touched)) do
    row = row or redis.call('HMGET', key, 'spent', 'reserved')
    if row[1] or row[2] then
      for _, value in ipairs({ window .. ':s', row[1] or '0', window .. ':r', row[2] or '0' }) do
        fields[#fields + 1] = value
      end
      redis.call('HDEL', key, window .. ':closed', window .. ':told')
    end
  end
  redis.call('HSET', key, unpack(fields))
  list_scope(here, key)
  if is_activity(key) then
    forget_activities(here, key)
  end
end

local function add(key, field, change)
  if change ~= '0' then
    redis.call('HINCRBY', key, field, change)
  end
end

-- What a movement changes, beside the counters of a lifetime: {reserved, spent, calls} as text of a
-- call that was reserved `at` a moment, nil when that is not known. `charged_at` is when the money
-- that is corrected was spent, `charged_seq` its ledger entry; else it is spent now. `ticked` is
-- what ticks see as spent where that is something else: they did not hear of an expiry by a replica
-- of the version before.
local function movement(here, at, delta)
  local committed = text(tonumber(delta.reserved) + tonumber(delta.spent))
  local ticked = delta.ticked or delta.spent
  delta.windows = windows_between(at or here.now, here.now)
  delta.at, delta.ticks, delta.charges = at or here.now, {}, {}
  if at and committed ~= '0' then
    delta.ticks = { NAMES.c, committed }
  end
  if at and ticked ~= '0' then
    delta.ticks[#delta.ticks + 1], delta.ticks[#delta.ticks + 2] = NAMES.s, ticked
  end
  if ticked ~= '0' then
    delta.charges = { NAMES.v, ticked }
  end
  delta.charged_at = delta.charged_at or here.now
  return delta
end

local function joined(list, other)
  local all = { unpack(list) }
  for _, value in ipairs(other) do
    all[#all + 1] = value
  end
  return all
end

-- Moves money of one call in one of its scopes.
local function move(here, key, delta)
  local row = redis.call('HMGET', key, 'touched', 'reserved', 'spent', 'calls', 'resumed')
  touch(here, key, row[1])
  add_all(key, {
    'reserved', row[2], delta.reserved, 'spent', row[3], delta.spent, 'calls', row[4], delta.calls,
  })
  for _, window in ipairs(delta.windows) do
    add(key, window .. ':r', delta.reserved)
    add(key, window .. ':s', delta.spent)
  end
  local resumed = delta.charged_seq and row[5]
  local charges = (not resumed or delta.charged_seq > tonumber(resumed)) and delta.charges or {}
  if floor(delta.at / TICK_MS) == floor(delta.charged_at / TICK_MS) then
    add_at(here, key, delta.at, joined(delta.ticks, charges))
  else
    add_at(here, key, delta.at, delta.ticks)
    add_at(here, key, delta.charged_at, charges)
  end
end

local function hold_in(here, scope, amount_text)
  touch(here, scope.key, scope.touched)
  redis.call('HINCRBY', scope.key, 'reserved', amount_text)
  add_at(here, scope.key, here.now, { NAMES.c, amount_text })
end

-- Of a scope that never held money only the first, which all calls share, gets a key: else every
-- refused caller could leave one.
local function count_refusal(here, scopes)
  for i, scope in ipairs(scopes) do
    if i == 1 or scope.is_used then
      touch(here, scope.key, scope.touched)
      redis.call('HINCRBY', scope.key, 'refusals', 1)
    end
  end
end
