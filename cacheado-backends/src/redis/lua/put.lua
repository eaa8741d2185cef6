-- KEYS: index, deadlines, entry, marks, the root's first and the key's own last. ARGV: name, value or the key where it lies, life, nonce, the marks' span,
-- channel, message, and the marks seen if they count. Returns whether the value is stored. If a mark has changed, or the server refuses, what was there goes.
local life = tonumber(ARGV[3])
local outdated = ARGV[8] and ARGV[8] ~= marks(4)
local lost = not outdated and not is_there(ARGV[2])
local refused = not outdated and not lost and enter(KEYS[1], KEYS[2], ARGV[1], life)
if outdated or lost or refused then
  -- a full server takes the mark once something was removed
  redis.call('UNLINK', KEYS[3])
  discard(ARGV[2])
  redis.pcall('ZREM', KEYS[1], ARGV[1])
  redis.pcall('ZREM', KEYS[2], ARGV[1])
else
  store(KEYS[3], ARGV[2], ARGV[3])
end
leave(KEYS[4], KEYS[#KEYS], ARGV[4], ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[7])
if outdated then
  return 0
end
if lost then
  return redis.error_reply('ERR the value was gone before it could be stored')
end
return refused or 1
