-- Counts one more execution of an activity and returns how many there were.
-- KEYS: counts (a hash), times (a sorted set). ARGV: activity, how many are kept, their age in ms.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local count = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('ZADD', KEYS[2], now, ARGV[1])

-- A few at a time: each call makes one at most, so the bound holds.
local leaving = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[3]), 'LIMIT', 0, 10)
local over = math.min(10, redis.call('ZCARD', KEYS[2]) - #leaving - tonumber(ARGV[2]))
if #leaving == 0 and over > 0 then
  leaving = redis.call('ZRANGE', KEYS[2], 0, over - 1)
end
if #leaving > 0 then
  redis.call('ZREM', KEYS[2], unpack(leaving))
  redis.call('HDEL', KEYS[1], unpack(leaving))
end
return count
