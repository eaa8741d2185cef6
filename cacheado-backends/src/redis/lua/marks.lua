-- KEYS: marks, the root's first. ARGV: a nonce, the marks' span.
-- Returns the marks as one text. Creates the root's mark if it is missing: a server that lost the other marks has lost the root's too.
local call, first, last = redis.call, 1, #KEYS
call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
--: marks
return seen
