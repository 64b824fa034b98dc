-- Shares of a limit that are reported when what is committed reaches them: once in a bucket.
--
-- scope: <window>:told: the bucket, and for each limit that was in force in it the highest share
--        that was reported, or needs no report any more
--
-- Activities are left out: of one, half its limit is no news, and there are too many of them.

local SHARES = { 50, 80, 95 }
local MOST_LIMITS = 8

-- The highest share of a limit that an amount reaches; 0 below all. Exact: rounds up in integers.
local function share_of(limit, committed)
  local found = 0
  for _, share in ipairs(SHARES) do
    local parts = 100 / (100 - share)
    if limit > 0 and committed >= limit - (limit - limit % parts) / parts then
      found = share
    end
  end
  return found
end

local function bucket_of_report(here, barrier)
  if barrier.window == 'lifetime' then
    return '0'
  elseif barrier.minutes then
    return text(floor(here.now / (barrier.minutes * 60000)))
  end
  return text(BUCKET_OF[barrier.window](here.now))
end

-- What was reported: {limit, share}, … and the highest share of them.
local function read_told(told, bucket)
  local rows, highest = {}, 0
  if string.match(told, '^%d+') == bucket then
    for limit, share in string.gmatch(told, '(%d+)=(%d+)') do
      rows[#rows + 1] = { limit, tonumber(share) }
      highest = math.max(highest, tonumber(share))
    end
  end
  return rows, highest
end

local function write_told(key, field, bucket, rows)
  local parts = { bucket }
  for i = math.max(1, #rows - MOST_LIMITS + 1), #rows do
    parts[#parts + 1] = rows[i][1] .. '=' .. text(rows[i][2])
  end
  redis.call('HSET', key, field, table.concat(parts, ' '))
end

local function report_share(here, barrier, share)
  local kind, id = name_of(barrier.scope.key)
  record_trip(here, {
    kind = 'threshold', scope = kind, id = id, actor = 'gateway', detail = barrier.window,
    reason = text(share) .. ' % of the ' .. barrier.window .. ' limit of '
      .. usd(barrier.limit) .. ' is spent or held',
  })
end

-- A limit that was edited begins where its share is: what was reported below that is old news.
local function watch_barrier(here, barrier, amount)
  local key, field = barrier.scope.key, barrier.window .. ':told'
  local share = share_of(barrier.limit, barrier.committed + amount)
  if not barrier.told and share == 0 then
    return
  end
  local bucket = bucket_of_report(here, barrier)
  local rows, highest = read_told(barrier.told or '', bucket)
  if #rows == 0 and share == 0 then
    return
  end
  local row
  for _, each in ipairs(rows) do
    row = each[1] == barrier.limit_text and each or row
  end
  if not row then
    row = { barrier.limit_text, math.min(highest, share_of(barrier.limit, barrier.committed)) }
    rows[#rows + 1] = row
  elseif share <= row[2] then
    return
  end
  for _, each in ipairs(SHARES) do
    if each > row[2] and each <= share then
      report_share(here, barrier, each)
    end
  end
  row[2] = math.max(row[2], share)
  write_told(key, field, bucket, rows)
end

-- `amount` is what this call adds to what is committed; nothing, when it is refused.
local function watch_thresholds(here, barriers, amount)
  for _, barrier in ipairs(barriers) do
    local is_used = barrier.scope.is_used or amount > 0
    if is_used and not is_activity(barrier.scope.key) then
      watch_barrier(here, barrier, amount)
    end
  end
end
