-- KEYS: index, deadlines, entry, marks, the root's first and the key's own last. ARGV: value or the key where it lies, life, nonce, the marks' span,
-- channel, message, and the marks seen if they count. Returns whether the value is stored. If a mark has changed, or the server refuses, what was there goes.
--: entry
local no_use = false
if ARGV[7] then
  local first, last = 4, #KEYS
  --: marks
  no_use = seen ~= ARGV[7]
end
--: store
if stored ~= 1 then
  -- a full server takes the mark once something was removed
  call('UNLINK', entry)
  redis.pcall('ZREM', index, name)
  redis.pcall('ZREM', deadlines, name)
end
local root, mark, nonce, span = KEYS[4], KEYS[#KEYS], ARGV[3], ARGV[4]
--: leave
call('PUBLISH', ARGV[5], ARGV[6])
if stored == 0 and not no_use then
  return redis.error_reply('ERR the value was gone before it could be stored')
end
return stored
