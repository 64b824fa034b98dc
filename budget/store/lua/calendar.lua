-- Calendar windows in UTC: which bucket a moment is in, and when the next one begins. Buckets are
-- numbered from the epoch; a tick (ten seconds) or an hour is in one bucket of each longer one.

local HOUR_MS = 3600000
local DAY_MS = 86400000
local EPOCH_TO_MONDAY = 3
local CALENDAR = { 'hour', 'day', 'week', 'month' }

local function floor(number)
  return number - number % 1
end

-- The number of a month, and of a month's first day: days are counted in years that begin in March
-- and eras of 400 years (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
local function month_of(day)
  local shifted = day + 719468
  local era = floor(shifted / 146097)
  local of_era = shifted - era * 146097
  local year = floor(
    (of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  return (year + era * 400) * 12 + floor((5 * of_year + 2) / 153) + 2
end

local function first_day_of(month)
  local marched = month - 2
  local year, index = floor(marched / 12), marched % 12
  local era = floor(year / 400)
  local of_era = year - era * 400
  local of_year = floor((153 * index + 2) / 5)
  return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + of_year - 719468
end

local BUCKET_OF = {
  hour = function(ms) return floor(ms / HOUR_MS) end,
  day = function(ms) return floor(ms / DAY_MS) end,
  week = function(ms) return floor((floor(ms / DAY_MS) + EPOCH_TO_MONDAY) / 7) end,
  month = function(ms) return month_of(floor(ms / DAY_MS)) end,
}

local START_OF = {
  hour = function(bucket) return bucket * HOUR_MS end,
  day = function(bucket) return bucket * DAY_MS end,
  week = function(bucket) return (bucket * 7 - EPOCH_TO_MONDAY) * DAY_MS end,
  month = function(bucket) return first_day_of(bucket) * DAY_MS end,
}

-- The windows whose bucket is another one at the two moments.
local function windows_between(ms, other_ms)
  local found = {}
  if floor(ms / HOUR_MS) ~= floor(other_ms / HOUR_MS) then
    for _, window in ipairs(CALENDAR) do
      if BUCKET_OF[window](ms) ~= BUCKET_OF[window](other_ms) then
        found[#found + 1] = window
      end
    end
  end
  return found
end

-- N of `rolling:<N>m`, nil of another window.
local function minutes_of(window)
  return tonumber(string.match(window, '^rolling:(%d+)m$') or '')
end

local function is_window(window)
  local minutes = minutes_of(window)
  return window == 'lifetime' or BUCKET_OF[window] ~= nil
    or (minutes ~= nil and minutes >= 1 and minutes <= 60)
end
