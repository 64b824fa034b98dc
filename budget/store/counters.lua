-- Reads the counters of some scopes and how far the ledger was, at one moment; writes nothing.
--
-- KEYS: meta, then scopes. Returns {seq, spent, reserved, …}.
local reply = { redis.call('HGET', KEYS[1], 'seq') or '0' }
for i = 2, #KEYS do
  local row = redis.call('HMGET', KEYS[i], 'spent', 'reserved')
  reply[#reply + 1] = row[1] or '0'
  reply[#reply + 1] = row[2] or '0'
end
return reply
