-- KEYS: index, deadlines, entry, the root's mark, the key's mark. ARGV: nonce, the marks' span, channel, message.
-- Returns how many live entries were removed.
--: entry
local removed = call('UNLINK', entry)
local root, mark, nonce, span = KEYS[4], KEYS[5], ARGV[1], ARGV[2]
--: leave
call('PUBLISH', ARGV[3], ARGV[4])
call('ZREM', index, name)
call('ZREM', deadlines, name)
--: now
--: tidy
--: let_end
return removed
