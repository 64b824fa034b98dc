-- Money by the ten seconds ("ticks") in which it moved, for windows that roll and for velocity.
--
-- <scope>:rolling:<block>: of each tick that has any, by its place in the block
--   c<n>, s<n>: committed (spent + reserved) and spent, of calls that were reserved in it
--   v<n>:       spent in it, whenever its call was reserved
--
-- A block has thirty ticks and lives 70 minutes longer: no window that reads it is longer. In the
-- last five of them nothing is added: it would be nobody's, and might live on for ever.

local BLOCK_TICKS = 30
local BLOCK_MS = BLOCK_TICKS * TICK_MS
local KEEP_BLOCK_MS = 70 * 60000
local MARGIN_MS = 5 * 60000
local FEW_TICKS = 10

local NAMES = { c = {}, s = {}, v = {} }
for n = 0, BLOCK_TICKS - 1 do
  NAMES.c[n + 1], NAMES.s[n + 1], NAMES.v[n + 1] = 'c' .. n, 's' .. n, 'v' .. n
end

local function block_key(scope_key, block)
  return scope_key .. ':rolling:' .. text(block)
end

-- Adds to the tick of a moment: {names, change}, …. One that is gone is in no window any more.
local function add_at(here, scope_key, at, changes)
  if #changes == 0 then
    return
  end
  local tick = floor(at / TICK_MS)
  local block = floor(tick / BLOCK_TICKS)
  local lives_ms = (block + 1) * BLOCK_MS + KEEP_BLOCK_MS - here.now
  if lives_ms <= MARGIN_MS then
    return
  end
  local key, n = block_key(scope_key, block), tick % BLOCK_TICKS + 1
  if #changes == 2 then
    local value = redis.call('HINCRBY', key, changes[1][n], changes[2])
    if value == tonumber(changes[2]) then
      redis.call('PEXPIRE', key, lives_ms)
    end
    return
  end
  local fields, added = {}, {}
  for i = 1, #changes, 2 do
    fields[#fields + 1] = changes[i][n]
  end
  local row = redis.call('HMGET', key, unpack(fields))
  for i, field in ipairs(fields) do
    for _, value in ipairs({ field, row[i], changes[2 * i] }) do
      added[#added + 1] = value
    end
  end
  add_all(key, added)
  -- A field that was not there may be its block's first.
  if not row[1] then
    redis.call('PEXPIRE', key, lives_ms)
  end
end

local function add_few(ticks, key, field, block, first, last)
  local row = redis.call('HMGET', key, unpack(NAMES[field], first, last))
  for i = first, last do
    local value = row[i - first + 1]
    if value then
      ticks[#ticks + 1] = { tick = block * BLOCK_TICKS + i - 1, amount = tonumber(value) }
    end
  end
end

local function add_many(ticks, key, field, block, first, last)
  local found, row = {}, redis.call('HGETALL', key)
  for i = 1, #row, 2 do
    found[row[i]] = row[i + 1]
  end
  for i = first, last do
    local value = found[NAMES[field][i]]
    if value then
      ticks[#ticks + 1] = { tick = block * BLOCK_TICKS + i - 1, amount = tonumber(value) }
    end
  end
end

-- The sum of a field over the last so many ticks, the present one included; and those that have
-- it: {tick, amount}, the oldest first.
local function last_ticks(here, scope_key, field, count)
  local ticks, sum = {}, 0
  local newest = here.tick
  local oldest = newest - count + 1
  for block = floor(oldest / BLOCK_TICKS), floor(newest / BLOCK_TICKS) do
    local first = math.max(oldest - block * BLOCK_TICKS, 0) + 1
    local last = math.min(newest - block * BLOCK_TICKS, BLOCK_TICKS - 1) + 1
    local add = last - first < FEW_TICKS and add_few or add_many
    add(ticks, block_key(scope_key, block), field, block, first, last)
  end
  for _, each in ipairs(ticks) do
    sum = sum + each.amount
  end
  return sum, ticks
end

-- So many ticks that no N minutes are missed, wherever they begin within a tick.
local function ticks_of(minutes)
  return minutes * 6 + 1
end

-- When so much spent money has left a rolling window that an amount fits: the earliest moment, for
-- what is admitted until then comes on top. Nil when it never fits.
local function leaves_at(here, scope_key, minutes, amount, limit)
  local sum, ticks = last_ticks(here, scope_key, 's', ticks_of(minutes))
  for _, each in ipairs(ticks) do
    sum = sum - each.amount
    if sum + amount <= limit then
      return (each.tick + ticks_of(minutes)) * TICK_MS
    end
  end
  return nil
end
