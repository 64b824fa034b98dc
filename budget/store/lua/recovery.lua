-- Rebuilds a ledger that was rolled back or lost from the gateways' journals, and lets nobody move
-- money before.
--
-- gateways: of each gateway with a journal its description as JSON, and seen:<id>, when it last said
--           that it lives; a gateway that ended in order is not among them
-- recovery: of a comparison under way: process (of the server), report:<gateway> as JSON, confirmed,
--           first (entry that was replayed), gaps (that were skipped)
-- staged:   entries that are to be replayed, as JSON of strings, by their number
-- meta:     continues, continues_at: the ledger that this one goes on from by an operator's decision,
--           and its last entry
--
-- Entries are replayed by the very functions that wrote them, in their order and at their time. How
-- far that got is the ledger's own number, so it can be taken up by anybody, at any time.
do
  local process

  -- A comparison that another process of the server began says nothing of what this one holds.
  local function begin_comparison(recovery)
    process = process or table.concat(redis.call('TIME'), '.')
    if redis.call('HGET', recovery, 'process') ~= process then
      redis.call('DEL', recovery)
      redis.call('HSET', recovery, 'process', process)
    end
  end

  -- KEYS: meta, gateways. ARGV: epoch. For gateways without a journal: vouches for a ledger that
  -- nobody else can vouch for. Returns 1, or 0 when others must.
  local function vouch(keys, args)
    local here = begin(keys[1])
    if here.epoch == '' or here.epoch ~= args[1] or not is_fenced(here) then
      return 1
    elseif redis.call('EXISTS', keys[2]) == 1 then
      return 0
    end
    seen[here.epoch] = here.seq
    return 1
  end

  -- KEYS: meta, gateways, ledger, recovery. ARGV: gateway, description ('' when it ends in order).
  -- Returns {trips, limits_version, seq, oldest entry that the ledger keeps, now, gateways, …}.
  local function beat(keys, args)
    local id, description = args[1], args[2]
    local now = text(now_ms())
    if description == '' then
      redis.call('HDEL', keys[2], id, 'seen:' .. id)
    else
      redis.call('HSET', keys[2], id, description, 'seen:' .. id, now)
    end
    local row = redis.call('HMGET', keys[1], 'trips', 'limits_version', 'seq')
    if not is_fenced(begin(keys[1])) then
      redis.call('DEL', keys[4])
    end
    local oldest = redis.call('XRANGE', keys[3], '-', '+', 'COUNT', 1)[1]
    return {
      row[1] or '0', row[2] or '0', row[3] or '0', oldest and oldest[1] or '', now,
      redis.call('HGETALL', keys[2]),
    }
  end

  -- KEYS: meta, recovery, gateways. ARGV: gateway, report. Returns {epoch, seq, '1' when nobody has
  -- vouched, continues, continues_at, gateways, comparison}.
  local function report(keys, args)
    local here = begin(keys[1])
    begin_comparison(keys[2])
    if is_fenced(here) then
      redis.call('HSET', keys[2], 'report:' .. args[1], args[2])
    end
    local row = redis.call('HMGET', keys[1], 'continues', 'continues_at')
    return {
      here.epoch, text(here.seq), is_fenced(here) and '1' or '0', row[1] or '', row[2] or '0',
      redis.call('HGETALL', keys[3]), redis.call('HGETALL', keys[2]),
    }
  end

  -- KEYS: recovery. ARGV: JSON of reason and actor.
  local function confirm(keys, args)
    begin_comparison(keys[1])
    return redis.call('HSET', keys[1], 'confirmed', args[1])
  end

  -- KEYS: meta, staged. ARGV: number, entry, …. Returns how many were new.
  local function stage(keys, args)
    local seq, new = begin(keys[1]).seq, 0
    for i = 1, #args, 2 do
      if tonumber(args[i]) > seq then
        new = new + redis.call('HSETNX', keys[2], args[i], args[i + 1])
      end
    end
    return new
  end

  -- Records what has no hold, because its reservation is lost: what it spent counts for all calls,
  -- and for its instance where that is known.
  local function replay_alone(here, entry, spent)
    local instance = entry.instance or ''
    record(here, entry.event, entry.id, { amount = entry.amount or '0', instance = instance },
      { reserved = '0', spent = spent }, { 'cost', entry.cost or '0', 'alone', '1' })
    if spent == '0' then
      return
    end
    local delta = movement(here, here.now, { reserved = '0', spent = spent, calls = '1' })
    move(here, KEY_PREFIX .. 'scope:global:lifetime:', delta)
    if entry.instance_key then
      move(here, entry.instance_key, delta)
    end
  end

  local replays = {
    reserve = function(here, _, entry)
      local case = { scopes = {}, barriers = {} }
      for key in string.gmatch(entry.scopes, '[^\n]+') do
        case.scopes[#case.scopes + 1] = read_scope(key)
      end
      hold_money(here, {
        id = entry.id, amount_text = entry.amount, instance = entry.instance, ordinal = '', body = '',
        app = entry.app, model = entry.model, tenant = entry.tenant, state = entry.as or 'RESERVED',
        hold = KEY_PREFIX .. 'hold:' .. entry.id, hold_ms = tonumber(entry.expires) - here.now,
      }, case)
    end,
    dispatch = function(_, keys, entry)
      dispatch(keys, { entry.id })
    end,
    settle = function(here, keys, entry)
      if settle(keys, { entry.id, entry.cost, entry.estimated })[1] == 'UNKNOWN' then
        replay_alone(here, entry, entry.cost)
      end
    end,
    release = function(_, keys, entry)
      release(keys, { entry.id })
    end,
    expire = function(here, keys, entry)
      local hold = read_hold(keys[4])
      if hold and is_open(hold) then
        expire_hold(here, entry.id, hold)
      elseif not hold and entry.as == 'EXPIRED_SPENT' then
        replay_alone(here, entry, entry.amount or '0')
      end
    end,
  }

  -- Does what an entry says. Where that writes none, because its hold is not there, the ledger gets
  -- one that moves nothing: its numbers stay what they were.
  local function replay(keys, seq, entry)
    local here = begin(keys[1], keys[2], keys[3], keys[5])
    local entry_keys = { keys[1], keys[2], keys[3], KEY_PREFIX .. 'hold:' .. entry.id }
    replays[entry.event](here, entry_keys, entry)
    local after = begin(keys[1], keys[2], keys[3], keys[5])
    if after.seq < seq then
      replay_alone(after, entry, '0')
    end
  end

  local function at_its_time(at, act)
    replayed_at = tonumber(at)
    local is_done, problem = pcall(act)
    replayed_at = nil
    if not is_done then
      error(problem)
    end
  end

  local function lowest_staged(staged)
    local lowest
    for _, seq in ipairs(redis.call('HKEYS', staged)) do
      lowest = math.min(lowest or math.huge, tonumber(seq))
    end
    return lowest
  end

  -- Goes over entries that nobody has; what is lost is written down.
  local function skip(keys, seq, target)
    local last = math.min(target, (lowest_staged(keys[4]) or math.huge) - 1)
    local gap, gaps = text(seq + 1) .. '..' .. text(last), redis.call('HGET', keys[6], 'gaps')
    redis.call('HSET', keys[6], 'gaps', gaps and gaps .. ', ' .. gap or gap)
    redis.call('HSET', keys[1], 'seq', text(last))
    return last
  end

  -- KEYS: meta, holds, ledger, staged, trips, recovery. ARGV: epoch, last entry to get to, how many
  -- to replay, '1' to go over what is missing. Returns {the ledger's last entry, and where none was
  -- replayed the lowest one that is staged or ''}.
  local function rebuild(keys, args)
    local here, target = begin(keys[1]), tonumber(args[2])
    if here.epoch == '' then
      redis.call('HSET', keys[1], 'epoch', args[1], 'seq', '0', 'created_unix_ms', text(now_ms()))
    elseif here.epoch ~= args[1] or not is_fenced(here) then
      return { text(here.seq), '' }
    end
    -- Whoever finishes vouches; that the ledger is as long as it was does not.
    seen[args[1]] = nil
    local seq = here.seq
    for _ = 1, tonumber(args[3]) do
      local staged = seq < target and redis.call('HGET', keys[4], text(seq + 1))
      if staged then
        seq = seq + 1
        local entry = cjson.decode(staged)
        at_its_time(entry.at, function() replay(keys, seq, entry) end)
        redis.call('HSETNX', keys[6], 'first', text(seq))
        redis.call('HDEL', keys[4], text(seq))
      elseif seq < target and args[4] == '1' then
        seq = skip(keys, seq, target)
      else
        break
      end
    end
    local lowest = seq == here.seq and seq < target and lowest_staged(keys[4])
    return { text(seq), lowest and text(lowest) or '' }
  end

  -- KEYS: meta, trips, instance, stop, stops, scope. ARGV: number, at, kind, scope, id, reason,
  -- actor, detail. Who was stopped stays so. Returns 1 when it was lost.
  local function replay_trip(keys, args)
    local n, at, kind, scope, id, reason, actor, detail = unpack(args)
    local trips = tonumber(redis.call('HGET', keys[1], 'trips') or '0')
    if trips >= tonumber(n) then
      return 0
    end
    redis.call('HSET', keys[1], 'trips', text(tonumber(n) - 1))
    at_its_time(at, function()
      local here, place = begin(keys[1], nil, nil, keys[2]), place_of(keys, 3)
      local switch = { scope, id, reason, actor, '', '0' }
      local instance = read_instance(place)
      if kind == 'kill' then
        kill(keys, switch)
      elseif kind == 'resume' then
        resume(keys, switch)
      elseif kind == 'zombie' and not instance.state then
        mark(here, place, instance, id, { state = 'zombie', reason = reason, actor = actor })
      elseif kind == 'velocity' and not redis.call('HGET', keys[6], 'state') then
        stop_scope(here, keys[6], kind, { state = kind, reason = reason, actor = actor })
      end
      if tonumber(redis.call('HGET', keys[1], 'trips')) < tonumber(n) then
        record_trip(here,
          { kind = kind, scope = scope, id = id, reason = reason, actor = actor, detail = detail })
      end
    end)
    return 1
  end

  -- KEYS: meta, limits. ARGV: version, field, value, …. Returns 1 when they were older.
  local function restore_rules(keys, args)
    if tonumber(redis.call('HGET', keys[1], 'limits_version') or '0') >= tonumber(args[1]) then
      return 0
    end
    redis.call('DEL', keys[2])
    for i = 2, #args, 2 do
      redis.call('HSET', keys[2], args[i], args[i + 1])
    end
    redis.call('HSET', keys[1], 'limits_version', args[1])
    return 1
  end

  -- KEYS: meta, recovery, staged, trips. ARGV: epoch, least entry, epoch from here on ('' is the
  -- same), the ledger that it continues, then reason, actor and detail of a trip ('' is none).
  -- Vouches for the ledger; returns 1, or 0 when it is not the one meant.
  local function finish(keys, args)
    local here = begin(keys[1], nil, nil, keys[4])
    if here.epoch ~= args[1] or here.seq < tonumber(args[2]) then
      return 0
    elseif not is_fenced(here) then
      return 1
    end
    if args[3] ~= '' then
      redis.call('HSET', keys[1], 'epoch', args[3], 'continues', args[4],
        'continues_at', text(math.max(here.seq, tonumber(args[2]))))
      here.epoch = args[3]
    end
    if args[7] ~= '' then
      record_trip(here, {
        kind = 'recovery', scope = 'global', id = '', reason = args[5], actor = args[6],
        detail = args[7],
      })
    end
    seen[here.epoch] = here.seq
    redis.call('DEL', keys[2], keys[3])
    return 1
  end

  register('vouch', vouch, RUNS_WHEN_FULL)
  register('beat', beat, RUNS_WHEN_FULL)
  register('report', report, RUNS_WHEN_FULL)
  register('confirm', confirm, RUNS_WHEN_FULL)
  register('stage', stage)
  register('rebuild', rebuild, RUNS_WHEN_FULL)
  register('replay_trip', replay_trip, RUNS_WHEN_FULL)
  register('restore_rules', restore_rules, RUNS_WHEN_FULL)
  register('finish', finish, RUNS_WHEN_FULL)
end
