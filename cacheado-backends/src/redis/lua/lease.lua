-- KEYS: lease, marks, the root's first. ARGV: owner, the lease's span, a nonce, the marks' span.
-- Returns what the load's mark holds: the owner and the marks if the lease is the owner's now, the marks alone if it is anybody's, and
-- nothing if it is another's. A lease lasts no longer than the marks do that it was given at: a load that an eviction has outdated holds up
-- nobody.
local call, first, last = redis.call, 2, #KEYS
call('SET', KEYS[2], ARGV[3], 'NX', 'PX', ARGV[4])
--: marks
local held = call('GET', KEYS[1])
local mine = ARGV[1] .. ';' .. seen
if held == ';' .. seen then
  return held
end
if held and held ~= mine and string.sub(held, (string.find(held, ';', 1, true) or 0) + 1) == seen then
  return false
end
call('SET', KEYS[1], mine, 'PX', ARGV[2])
return mine
