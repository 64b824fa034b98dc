-- What scopes have spent and hold in any windows, for people.

-- KEYS: meta, then scopes. ARGV: windows. Returns {now, then of each scope and window: spent,
-- reserved, when the next bucket begins ('' for a lifetime or a rolling window)}.
local function read_totals(keys, args)
  local here = begin(keys[1])
  local reply = { here.now_text }
  for i = 2, #keys do
    for _, window in ipairs(args) do
      if not is_window(window) then
        return refuse_argument('no such window: ' .. window)
      end
      local minutes, spent, reserved, resets = minutes_of(window), nil, nil, ''
      local scope = read_scope(keys[i], fields_of(window))
      if minutes then
        local committed = last_ticks(here, scope.key, 'c', ticks_of(minutes))
        spent = last_ticks(here, scope.key, 's', ticks_of(minutes))
        reserved = committed - spent
      else
        spent, reserved = totals_of(here, scope, window)
        resets = window == 'lifetime' and ''
          or text(START_OF[window](BUCKET_OF[window](here.now) + 1))
      end
      for _, value in ipairs({ text(spent), text(reserved), resets }) do
        reply[#reply + 1] = value
      end
    end
  end
  return reply
end
