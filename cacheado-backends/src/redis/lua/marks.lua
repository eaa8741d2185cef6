-- KEYS: marks, the root's first. ARGV: a nonce, the marks' span.
-- Returns the marks in one text. The root's is made if there is none: a server that lost the others has lost it too.
local call, first, last = redis.call, 1, #KEYS
call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
--: marks
return seen
