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
