-- Limits as a call meets them: what each window holds, whether the call fits, what a denial closes.
--
-- scope: of a lifetime closed_amount, closed_limit, cut_off_unix_ms; of a calendar window
--        <window>:closed with its bucket, amount, limit and cut-off
--
-- An amount that was refused for good stays refused in that bucket, though money comes back, until
-- the limit is raised. Rolling windows close nothing: money leaves them all the time.

-- The fields of a scope in which a window is.
local FIELDS_OF = { lifetime = { 'closed_amount', 'closed_limit', 'cut_off_unix_ms', 'lifetime:told' } }
for i = 1, #CALENDAR do
  local window = CALENDAR[i]
  FIELDS_OF[window] = { window .. ':s', window .. ':r', window .. ':closed', window .. ':told' }
end

local function fields_of(window)
  return FIELDS_OF[window] or { window .. ':told' }
end

local function closing_of(here, scope, window, limit)
  local has, amount, closed_limit, cut_off = scope.has, nil, nil, nil
  if window == 'lifetime' then
    amount, closed_limit, cut_off = has.closed_amount, has.closed_limit, has.cut_off_unix_ms
  elseif has[window .. ':closed'] then
    local bucket
    bucket, amount, closed_limit, cut_off =
      string.match(has[window .. ':closed'], '^(%d+) (%d+) (%d+) (%d+)$')
    amount = bucket == text(BUCKET_OF[window](here.now)) and amount
  end
  if not amount then
    return nil
  end
  return { amount_text = amount, amount = tonumber(amount), cut_off = cut_off or here.now_text,
    is_raised = limit > tonumber(closed_limit) }
end

-- What a window that does not roll has spent and holds, by its scope with that window's fields:
-- nothing, when its bucket has turned since.
local function totals_of(here, scope, window)
  if window == 'lifetime' then
    return tonumber(scope.spent_text), tonumber(scope.reserved_text)
  end
  local now = BUCKET_OF[window](here.now)
  if not scope.touched or BUCKET_OF[window](tonumber(scope.touched) * TICK_MS) ~= now then
    return 0, 0
  end
  return minus(scope.spent_text, scope.has[window .. ':s']),
    minus(scope.reserved_text, scope.has[window .. ':r'])
end

-- What a window has spent and holds together.
local function committed_of(here, scope, window)
  local minutes = minutes_of(window)
  if minutes then
    return (last_ticks(here, scope.key, 'c', ticks_of(minutes)))
  end
  local spent, reserved = totals_of(here, scope, window)
  return spent + reserved
end

-- A limited window of a scope that was read with that window's fields: `committed` is spent and
-- held, `obstacle` nil, 'spent' or 'held'; `told` what was reported of it (thresholds.lua).
local function read_barrier(here, scope, window, limit_text, amount)
  local barrier = { scope = scope, window = window, limit_text = limit_text,
    limit = tonumber(limit_text), minutes = minutes_of(window), told = scope.has[window .. ':told'] }
  if barrier.minutes then
    local count = ticks_of(barrier.minutes)
    barrier.committed = last_ticks(here, scope.key, 'c', count)
    if barrier.committed + amount > barrier.limit then
      barrier.spent = last_ticks(here, scope.key, 's', count)
    end
  else
    local spent, reserved = totals_of(here, scope, window)
    barrier.spent, barrier.committed = spent, spent + reserved
    barrier.closed = closing_of(here, scope, window, barrier.limit)
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

-- The tightest limit and what it has left, nil without any.
local function tightest(barriers, amount)
  local found, least
  for _, barrier in ipairs(barriers) do
    local left = barrier.limit - barrier.committed - amount
    if not least or left < least then
      found, least = barrier, left
    end
  end
  return found, least
end
