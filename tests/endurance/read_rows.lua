-- Returns all rows whose key matches a pattern, as they are at one moment.
-- ARGV: the pattern. Returns pairs of key and data.
local rows = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  rows[#rows + 1] = {key, redis.call('HGET', key, 'data')}
end
return rows
