-- Writes the rows of one save, all or none, each with its version counter and its TTL.
-- KEYS: first the rows to delete, then the rows to write.
-- ARGV: TTL in seconds (0: never expire; empty: leave each key the expiry that it has), number of
-- rows to delete, then the data of each written row.
local ttl_s = tonumber(ARGV[1])
local deleted = tonumber(ARGV[2])
for i = 1, deleted do
  redis.call('DEL', KEYS[i])
end
for i = deleted + 1, #KEYS do
  redis.call('HSET', KEYS[i], 'data', ARGV[2 + i - deleted])
  redis.call('HINCRBY', KEYS[i], 'version', 1)
  if ttl_s and ttl_s > 0 then
    redis.call('EXPIRE', KEYS[i], ttl_s)
  elseif ttl_s then
    redis.call('PERSIST', KEYS[i])
  end
end
