-- KEYS: index, deadlines, entry, the root's mark, the key's mark. ARGV: name, nonce, the marks' span, channel, message.
-- Returns how many live entries were removed.
local removed = redis.call('UNLINK', KEYS[3])
leave(KEYS[4], KEYS[5], ARGV[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
tidy(KEYS[1], KEYS[2], now())
let_end(KEYS[1], KEYS[2])
return removed
