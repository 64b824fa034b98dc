-- The rules that operators set. They are resolved by the gateways, each of which knows the version
-- that it has read; a reservation with another one is not decided (STALE).
--
-- limits: what a rule is about → nano-dollars. meta.limits_version counts the edits.

local MOST_RULES = 10000

-- KEYS: meta, trips, limits. ARGV: field, nano-dollars ('' removes it), scope, id, what the rule is
-- about for people, actor. Usage is never touched. Returns 1 when it changed something, else 0.
local function edit_rule(keys, args)
  local field, value, scope, id, what, actor = unpack(args)
  if value ~= '' and not amount_of(value) then
    return refuse_argument('a rule must be an integer of 0 to 9e15 nano-dollars')
  end
  local known = redis.call('HGET', keys[3], field) or ''
  if known == value then
    return 0
  elseif known == '' and redis.call('HLEN', keys[3]) >= MOST_RULES then
    return refuse_argument('there are ' .. MOST_RULES .. ' rules already: remove some first')
  end
  local here = begin(keys[1], nil, nil, keys[2])
  if value == '' then
    redis.call('HDEL', keys[3], field)
  else
    redis.call('HSET', keys[3], field, value)
  end
  redis.call('HINCRBY', here.meta, 'limits_version', 1)
  record_trip(here, {
    kind = 'limit', scope = scope, id = id, actor = actor,
    reason = what .. ': ' .. (value == '' and 'removed' or usd(tonumber(value))),
    detail = known == '' and 'was not set' or 'was ' .. usd(tonumber(known)),
  })
  return 1
end

-- KEYS: meta, limits. Returns {version, field, nano-dollars, …}.
local function read_rules(keys)
  local reply = { redis.call('HGET', keys[1], 'limits_version') or '0' }
  for _, value in ipairs(redis.call('HGETALL', keys[2])) do
    reply[#reply + 1] = value
  end
  return reply
end
