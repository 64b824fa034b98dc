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
