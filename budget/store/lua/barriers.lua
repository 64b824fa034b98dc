-- Limits as a call meets them: what each window holds, whether the call fits, what a denial closes.
--
-- scope: of a lifetime closed_amount, closed_limit, cut_off_unix_ms; of a calendar window
--        <window>:closed with its bucket, amount, limit and cut-off
--
-- An amount that was refused for good stays refused in that bucket, though money comes back, until
-- the limit is raised. Rolling windows close nothing: money leaves them all the time.

local function closed_of(here, scope, window, limit)
  local row
  if window == 'lifetime' then
    row = redis.call('HMGET', scope.key, 'closed_amount', 'closed_limit', 'cut_off_unix_ms')
  else
    local found = redis.call('HGET', scope.key, window .. ':closed') or ''
    local bucket, amount, closed_limit, cut_off = string.match(found, '^(%d+) (%d+) (%d+) (%d+)$')
    row = bucket == text(BUCKET_OF[window](here.now)) and { amount, closed_limit, cut_off } or {}
  end
  if not row[1] then
    return nil
  end
  return { amount_text = row[1], amount = tonumber(row[1]), cut_off = row[3] or here.now_text,
    is_raised = limit > tonumber(row[2]) }
end

-- What a window has spent and holds: nothing, when its bucket has turned since.
local function totals_of(here, scope, window)
  if window == 'lifetime' then
    return tonumber(scope.spent_text), tonumber(scope.reserved_text)
  end
  local now = BUCKET_OF[window](here.now)
  if not scope.touched or BUCKET_OF[window](tonumber(scope.touched) * TICK_MS) ~= now then
    return 0, 0
  end
  local row = redis.call('HMGET', scope.key, window .. ':s', window .. ':r')
  return minus(scope.spent_text, row[1]), minus(scope.reserved_text, row[2])
end

-- A limited window: `committed` is spent and held, `obstacle` nil, 'spent' or 'held'.
local function read_barrier(here, scope, window, limit_text, amount)
  local barrier = { scope = scope, window = window, limit_text = limit_text,
    limit = tonumber(limit_text), minutes = minutes_of(window) }
  if barrier.minutes then
    local count = ticks_of(barrier.minutes)
    barrier.committed = last_ticks(here, scope.key, 'c', count)
    if barrier.committed + amount > barrier.limit then
      barrier.spent = last_ticks(here, scope.key, 's', count)
    end
  else
    local spent, reserved = totals_of(here, scope, window)
    barrier.spent, barrier.committed = spent, spent + reserved
    barrier.closed = closed_of(here, scope, window, barrier.limit)
  end
  local is_closed = barrier.closed and not barrier.closed.is_raised
  if (barrier.spent and barrier.spent + amount > barrier.limit)
    or (is_closed and amount >= barrier.closed.amount) then
    barrier.obstacle = 'spent'
  elseif barrier.committed + amount > barrier.limit then
    barrier.obstacle = 'held'
  end
  return barrier
end

local function reopen(barrier)
  if not (barrier.closed and barrier.closed.is_raised) then
    return
  elseif barrier.window == 'lifetime' then
    redis.call('HDEL', barrier.scope.key, 'closed_amount', 'closed_limit', 'cut_off_unix_ms')
  else
    redis.call('HDEL', barrier.scope.key, barrier.window .. ':closed')
  end
end

-- A call that is larger than the whole limit closes nothing: no spent money is in its way.
local function close_to(here, barrier, amount, amount_text)
  if barrier.obstacle ~= 'spent' or amount > barrier.limit or barrier.minutes then
    return
  end
  local closed = barrier.closed
  if not closed or closed.is_raised or amount < closed.amount then
    closed = { amount_text = amount_text, amount = amount,
      cut_off = closed and closed.cut_off or here.now_text }
  end
  barrier.closed = closed
  if barrier.window == 'lifetime' then
    redis.call('HSET', barrier.scope.key, 'closed_amount', closed.amount_text,
      'closed_limit', barrier.limit_text, 'cut_off_unix_ms', closed.cut_off)
  else
    local bucket = text(BUCKET_OF[barrier.window](here.now))
    redis.call('HSET', barrier.scope.key, barrier.window .. ':closed',
      table.concat({ bucket, closed.amount_text, barrier.limit_text, closed.cut_off }, ' '))
  end
end

-- When the call would fit as far as this limit goes: nil is never, or when what is held comes free.
local function resets_at(here, barrier, amount)
  if barrier.window == 'lifetime' or amount > barrier.limit then
    return nil
  elseif not barrier.minutes then
    local bucket = BUCKET_OF[barrier.window](here.now)
    return START_OF[barrier.window](bucket + 1)
  end
  return barrier.obstacle == 'spent'
    and leaves_at(here, barrier.scope.key, barrier.minutes, amount, barrier.limit) or nil
end

-- Spent money outranks held money, for that call may come again; then what lasts longest decides.
local function decisive_of(here, barriers, amount)
  local first, last_reset
  for i, barrier in ipairs(barriers) do
    local reset = barrier.obstacle and resets_at(here, barrier, amount) or math.huge
    barrier.resets_at = reset
    local is_first = barrier.obstacle and not first
    if is_first or (barrier.obstacle == 'spent'
      and (barriers[first].obstacle == 'held' or reset > last_reset)) then
      first, last_reset = i, reset
    end
  end
  return first
end

local function denial(here, barriers, amount)
  local first = decisive_of(here, barriers, amount)
  local reply = { 'DENY', barriers[first].obstacle, first, here.now_text, '' }
  for _, barrier in ipairs(barriers) do
    if not barrier.spent then
      barrier.spent = last_ticks(here, barrier.scope.key, 's', ticks_of(barrier.minutes))
    end
    local closed = barrier.closed
    local is_bounded = barrier.resets_at < math.huge
    for _, value in ipairs({
      text(barrier.spent), text(barrier.committed - barrier.spent),
      closed and not closed.is_raised and closed.amount_text or '',
      is_bounded and text(barrier.resets_at) or '',
    }) do
      reply[#reply + 1] = value
    end
  end
  return reply
end

-- What the tightest limit has left, '' without one.
local function remaining(barriers, amount)
  local least
  for _, barrier in ipairs(barriers) do
    local left = barrier.limit - barrier.committed - amount
    if not least or left < least then
      least = left
    end
  end
  return least and text(least) or ''
end
