-- KEYS: lease, marks with the root's first. ARGV: owner, the lease's span, a nonce, the marks' span.
-- Returns the bytes of the load's mark: owner and marks if the owner now holds the lease, the marks alone if anybody may load, nothing
-- if another owner holds it. A lease ends when one of the marks it was granted under changes, so a load that an eviction has outdated
-- delays no other.
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
