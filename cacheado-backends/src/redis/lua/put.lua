-- KEYS: index, deadlines, entry, marks with the root's first and the key's own last. ARGV: the value or the key it is staged under,
-- life, nonce, the marks' span, channel, message, and the marks seen if they are to be checked. Returns whether the value is stored.
-- If a mark has changed, or the server refuses, the old entry is removed.
--: entry
local no_use = false
if ARGV[7] then
  local first, last = 4, #KEYS
  --: marks
  no_use = seen ~= ARGV[7]
end
--: store
if stored ~= 1 then
  -- A full server accepts the mark only after the script has deleted something.
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
