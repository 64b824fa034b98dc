#!lua name=budget_v3
-- The budget's only writer: every decision is one function, and all that can fail comes before
-- its first write. Time is the server's own.
--
-- The files of this folder are joined in the order of library.py: what a file uses is above it.
-- All keys are in one hash slot.
--
-- meta: epoch, seq and at of the last ledger entry, created_unix_ms, trips, limits_version,
--       answer_bytes, the kill of all calls (killed, kill_reason, kill_actor)

local KEY_PREFIX = '{budget}:'
local TICK_MS = 10000
local MAX_AMOUNT = 9000000000000000
local LEDGER_ENTRIES = 1000000
local TRIP_ENTRIES = 10000
local KEEP_COUNTS_MS = 7 * 86400000
local MOST_STEP_BACK_MS = 60000
local TEST_CLOCK = 'test_only_clock_offset_ms'

-- Of each ledger, its last entry as this very server process has seen it. A process that has just
-- started has seen none, and what was rolled back is behind it: until somebody vouches for the
-- ledger (recovery.lua), no function moves money.
local seen = {}

-- When the entry that is being replayed was written first.
local replayed_at

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

-- Whole nano-dollars as dollars, for people.
local function usd(amount)
  return string.format('$%.0f.%09.0f', math.floor(amount / 1e9), amount % 1e9)
end

local EXACT = 9007199254740992

-- Adds to fields of a hash whose values were just read: {field, value or false, change}, …. All in
-- one command, for each is a round through the server and into its log; sums that a double can't
-- hold are left to HINCRBY (int64).
local function add_all(key, changes)
  local fields = {}
  for i = 1, #changes, 3 do
    local field, old, change = changes[i], tonumber(changes[i + 1] or '0'), changes[i + 2]
    local sum = old + tonumber(change)
    if math.abs(old) >= EXACT or math.abs(sum) >= EXACT then
      redis.call('HINCRBY', key, field, change)
    elseif change ~= '0' then
      fields[#fields + 1], fields[#fields + 2] = field, text(sum)
    end
  end
  if #fields > 0 then
    redis.call('HSET', key, unpack(fields))
  end
end

local function refuse_argument(what)
  return redis.error_reply('ERR budget: ' .. what)
end

-- The store as one call of a function finds it. A clock that was set back a little stands still
-- instead: the ledger's times never run backwards then, and no window begins twice. The functions'
-- own tests move the clock; a gateway refuses to open a store whose clock was moved.
local function begin(meta, holds, ledger, trips)
  local row = redis.call('HMGET', meta, 'epoch', 'seq', 'at', 'limits_version', 'killed',
    'kill_reason', 'kill_actor', TEST_CLOCK)
  local now = replayed_at or now_ms() + tonumber(row[8] or '0')
  local at = tonumber(row[3] or '0')
  if now < at and at - now <= MOST_STEP_BACK_MS then
    now = at
  end
  local tick = math.floor(now / TICK_MS)
  return {
    meta = meta, holds = holds, ledger = ledger, trips = trips, now = now, now_text = text(now),
    tick = tick, tick_text = text(tick),
    epoch = row[1] or '', seq = tonumber(row[2] or '0'), limits_version = row[4] or '0',
    killed = row[5], kill_reason = row[6], kill_actor = row[7], told = {},
  }
end

local function is_fenced(here)
  local last = seen[here.epoch]
  return not replayed_at and (not last or here.seq < last)
end

local function refuse_fenced(here)
  if is_fenced(here) then
    error({ err = 'RECOVERING the ledger is not known to be whole' })
  end
end

-- Appends to the ledger. The entry's id is the meta counter: gapless, so a reader sees what it
-- lost. Returns it as text.
local function record(here, event, id, hold, delta, more)
  here.seq = here.seq + 1
  local seq = text(here.seq)
  local entry = {
    'event', event, 'id', id, 'instance', hold.instance, 'at', here.now_text,
    'amount', hold.amount, 'reserved', delta.reserved, 'spent', delta.spent,
  }
  for _, value in ipairs(more or {}) do
    entry[#entry + 1] = value
  end
  redis.call('XADD', here.ledger, 'MAXLEN', '~', LEDGER_ENTRIES, seq .. '-0', unpack(entry))
  redis.call('HSET', here.meta, 'seq', seq, 'at', here.now_text)
  seen[here.epoch] = seen[here.epoch] and here.seq
  return seq
end

-- Appends to the trips, numbered without gaps too.
local function record_trip(here, trip)
  local seq = redis.call('HINCRBY', here.meta, 'trips', 1)
  redis.call('XADD', here.trips, 'MAXLEN', '~', TRIP_ENTRIES, text(seq) .. '-0',
    'at', here.now_text, 'kind', trip.kind, 'scope', trip.scope, 'id', trip.id,
    'reason', trip.reason, 'actor', trip.actor, 'detail', trip.detail or '')
  here.told[#here.told + 1] = trip.kind
end
