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
