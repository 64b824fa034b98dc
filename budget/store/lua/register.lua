-- What closes a hold runs in a full store too: it moves money out of `reserved`, and adds one
-- ledger entry. So does what lets it live on, which adds nothing, and what stops a spender.
local RUNS_WHEN_FULL = { 'allow-oom' }
local ONLY_READS = { 'no-writes' }

local function register(name, callback, flags)
  redis.register_function { function_name = 'budget_v3_' .. name, callback = callback, flags = flags }
end

register('open', open)
register('reserve', reserve)
register('reserve_dispatched', reserve_dispatched)
register('simulate', simulate, ONLY_READS)
register('keep', keep)
register('dispatch', dispatch)
register('extend', extend, RUNS_WHEN_FULL)
register('settle', settle, RUNS_WHEN_FULL)
register('release', release, RUNS_WHEN_FULL)
register('expire', expire, RUNS_WHEN_FULL)
register('evict_answers', evict_answers, RUNS_WHEN_FULL)
register('kill', kill, RUNS_WHEN_FULL)
register('resume', resume, RUNS_WHEN_FULL)
register('edit_rule', edit_rule, RUNS_WHEN_FULL)
register('read_rules', read_rules, ONLY_READS)
register('read_totals', read_totals, ONLY_READS)
register('take_stops', take_stops, RUNS_WHEN_FULL)
register('report_stop', report_stop, RUNS_WHEN_FULL)
